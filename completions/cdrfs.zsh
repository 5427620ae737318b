#compdef cdrfs
# The options are those of the table in fs/options.c (tests/mount/test_manuals.py).

_cdrfs_options() {
    _values -s , option \
        'dialect[which host]:dialect:(latest legacy)' \
        'api_url[where the API is]:url:' \
        'console_tz[zone of the legacy host]:zone:' \
        'auth_token_file[holds the token]:file:_files' \
        'cache_dir[folder of the store]:folder:_directories' \
        'ttl[how long a listing that may grow is believed]:seconds:' \
        'settle[after which the past is final]:seconds:' \
        'stale_if_error[how old an answer may be while the API fails]:seconds:' \
        'keep_days[drop stored calls that ended longer ago]:days:' \
        'rate[requests a second]:number:' \
        'connections[requests under way at once]:number:' \
        'deadline[the longest a system call waits]:seconds:' \
        'crawlers[programs that see only what is held]:names:' \
        'shared[PostgreSQL that many hosts share]:url:' \
        'uid[owner of everything]:uid:' \
        'gid[group of everything]:gid:' \
        'umask[permissions taken]:octal:' \
        'inode32[inode numbers of 32 bits]' \
        'log_level[what is logged]:level:(error warning info debug)' \
        'ro[read-only]' \
        allow_other allow_root dev nodev suid nosuid exec noexec atime noatime dirsync \
        rw defaults auto noauto user nouser users owner group _netdev nofail
}

_arguments -S \
    '-f[stay in the foreground]' \
    '-d[stay, and show requests]' \
    '-s[one thread]' \
    '(- *)'{-h,--help}'[a summary]' \
    '(- *)'{-V,--version}'[the version]' \
    '*-o+[options, separated by commas]:option:_cdrfs_options' \
    '*:mountpoint:_directories'
