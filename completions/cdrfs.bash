# shellcheck shell=bash
# bash completion of cdrfs. The options are those of the table in fs/options.c (tests/mount/test_manuals.py).

_cdrfs_values() {
    case $1 in
        dialect) mapfile -t COMPREPLY < <(compgen -W 'latest legacy' -- "$2") ;;
        log_level) mapfile -t COMPREPLY < <(compgen -W 'error warning info debug' -- "$2") ;;
        auth_token_file) mapfile -t COMPREPLY < <(compgen -f -- "$2") && compopt -o filenames ;;
        cache_dir) mapfile -t COMPREPLY < <(compgen -d -- "$2") && compopt -o filenames ;;
    esac
} 2>/dev/null # compopt is only possible while bash completes

_cdrfs_options() {
    local names='dialect= api_url= console_tz= auth_token_file= cache_dir= ttl= settle= stale_if_error=
        keep_days= rate= connections= deadline= crawlers= shared= uid= gid= umask= inode32 log_level= ro
        allow_other allow_root dev nodev suid nosuid exec noexec atime noatime dirsync
        rw defaults auto noauto user nouser users owner group _netdev nofail'
    mapfile -t COMPREPLY < <(compgen -P "$1" -W "$names" -- "$2")
    compopt -o nospace 2>/dev/null
}

# bash breaks words at = and :, so that of a list only the end is completed.
_cdrfs() {
    local cur=${COMP_WORDS[COMP_CWORD]} i=$COMP_CWORD
    local list=$cur item
    while ((i > 1)) && [[ ${COMP_WORDS[i]} == [=:] || ${COMP_WORDS[i - 1]} == [=:] ]]; do
        list=${COMP_WORDS[--i]}$list
    done
    [[ $cur != [=:] ]] || cur=
    item=${list##*,}
    if [[ ${COMP_WORDS[i - 1]} == -o && $item == *=* ]]; then
        _cdrfs_values "${item%%=*}" "$cur"
    elif [[ ${COMP_WORDS[i - 1]} == -o ]]; then
        _cdrfs_options "${cur%"$item"}" "$item"
    elif [[ $cur == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W '-f -d -s -h --help -V --version -o' -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -d -- "$cur")
        compopt -o filenames 2>/dev/null
    fi
}

complete -F _cdrfs cdrfs
