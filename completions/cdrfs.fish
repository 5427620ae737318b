# The options are those of the table in fs/options.c (tests/mount/test_manuals.py).

function __cdrfs_options
    printf '%s\n' dialect={latest,legacy} api_url= console_tz= auth_token_file= cache_dir= ttl= settle= \
        stale_if_error= keep_days= rate= connections= deadline= crawlers= shared= \
        uid= gid= umask= inode32 log_level={error,warning,info,debug} ro \
        allow_other allow_root dev nodev suid nosuid exec noexec atime noatime dirsync \
        rw defaults auto noauto user nouser users owner group _netdev nofail
end

complete -c cdrfs -f -a '(__fish_complete_directories)'
complete -c cdrfs -s f -d 'Stay in the foreground'
complete -c cdrfs -s d -d 'Stay, and show requests'
complete -c cdrfs -s s -d 'One thread'
complete -c cdrfs -s h -l help -d 'A summary'
complete -c cdrfs -s V -l version -d 'The version'
complete -c cdrfs -s o -x -d 'Options, separated by commas' -a '(__fish_complete_list , __cdrfs_options)'
