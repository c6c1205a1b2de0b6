# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Completion of sandfleet's command lines for bash: `source <(sandfleet completion bash)`.

# Bash cuts words at = and : as well; ours are whole.
_sandfleet() {
    local piece=${COMP_WORDS[COMP_CWORD]} whole=() glue='' word line i
    COMPREPLY=()
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ ${#whole[@]} -gt 0 && ($glue || $word == [=:]*) ]]; then
            whole[-1]+=$word
        else
            whole+=("$word")
        fi
        [[ $word == *[=:] ]] && glue=yes || glue=''
    done
    [[ $piece == [=:] ]] && piece=''
    local before=${whole[-1]%"$piece"}
    while IFS= read -r line; do
        if [[ $line == :files ]]; then
            compopt -o filenames 2>/dev/null
            while IFS= read -r word; do COMPREPLY+=("$word"); done < <(compgen -f -- "$piece")
        else
            word=${line%%$'\t'*}
            COMPREPLY+=("${word#"$before"}")
            [[ $word != *: ]] || compopt -o nospace 2>/dev/null
        fi
    done < <("${COMP_WORDS[0]}" complete -- "${whole[@]}" 2>/dev/null)
}
complete -F _sandfleet sandfleet
