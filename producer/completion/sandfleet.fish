# SPDX-License-Identifier: Apache-2.0
# Completion of sandfleet's command lines for fish: `sandfleet completion fish | source`, or as
# ~/.config/fish/completions/sandfleet.fish.

function __sandfleet_complete
    set -l words (commandline --tokenize --cut-at-cursor --current-process)
    set -l typed (commandline --current-token --cut-at-cursor)
    for line in ($words[1] complete -- $words[2..-1] "$typed" 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path "$typed"
        else
            echo $line
        end
    end
end

complete --command sandfleet --no-files --arguments '(__sandfleet_complete)'
