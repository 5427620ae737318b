complete -c cdrfsctl -n __fish_is_first_token -f -a status -d 'How the mount fares'
complete -c cdrfsctl -n __fish_is_first_token -f -a explain -d 'What a path asks of the API'
complete -c cdrfsctl -n __fish_is_first_token -f -a refresh -d 'Have it read anew'
complete -c cdrfsctl -n __fish_is_first_token -f -a prefetch -d 'Read it ahead'
