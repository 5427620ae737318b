#compdef cdrfsctl

_arguments \
    '1:command:((status\:"how the mount fares" explain\:"what a path asks of the API" refresh\:"have it read anew" prefetch\:"read it ahead"))' \
    '*:path:_files'
