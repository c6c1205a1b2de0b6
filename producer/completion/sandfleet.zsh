#compdef sandfleet
# SPDX-License-Identifier: Apache-2.0
# Completion of sandfleet's command lines for zsh: `source <(sandfleet completion zsh)`, or as
# _sandfleet in a folder of $fpath.

_sandfleet() {
    local line files=''
    local -a found
    for line in "${(@f)$("$words[1]" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
        if [[ $line == :files ]]; then
            files=yes
        elif [[ -n $line ]]; then
            # _describe takes "word:description", with other colons escaped
            found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
        fi
    done
    (( $#found )) && _describe sandfleet found
    [[ -z $files ]] || _files
}

if [[ $funcstack[1] == _sandfleet ]]; then
    _sandfleet "$@"
else
    compdef _sandfleet sandfleet
fi
