# shellcheck shell=bash
# bash completion of cdrfsctl.

_cdrfsctl() {
    local cur=${COMP_WORDS[COMP_CWORD]}
    if ((COMP_CWORD == 1)); then
        mapfile -t COMPREPLY < <(compgen -W 'status explain refresh prefetch' -- "$cur")
    else
        mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        compopt -o filenames 2>/dev/null
    fi
}

complete -F _cdrfsctl cdrfsctl
