#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# House rules that a reader would otherwise have to enforce: every source file names its
# licence, nothing says "later", no machine's paths, and functions and files stay small.
# Sizes above the first limit are printed, above the second they fail.
set -euo pipefail
cd "$(dirname "$0")/../.."

FUNCTION_LONG=85 FUNCTION_TOO_LONG=170
FILE_LONG=350 FILE_TOO_LONG=700
bad=0

complain() {
    printf '%s\n' "$1"
    bad=1
}

sources() {
    git ls-files --cached --others --exclude-standard -- "$@" |
        grep -vE '^tests/(fixtures|fuzz/corpus)/|/fixtures/' | while read -r file; do
        if [ -f "$file" ]; then printf '%s\n' "$file"; fi
    done
}
ours() { sources '*.c' '*.h' '*.sh' '*.py' '*.sql' '*.cmake' '*.yaml' 'CMakeLists.txt' ops .ci | sort -u; }

licences() {
    local file
    while read -r file; do
        case $file in *.md | *.json | *SHA256SUMS) continue ;; esac # which have no comments
        head -n 3 "$file" | grep -q 'SPDX-License-Identifier: Apache-2.0' || complain "$file: no SPDX line"
    done < <(ours)
}

words() {
    local found
    found=$(ours | grep -v '^tests/arch/house.sh$' |
        xargs grep -nP '\b(TODO|FIXME|XXX|HACK)\b|/home/(?!user\b)[a-z]|/work/' || true)
    [ -z "$found" ] || complain "$found"
}

# clang-format puts a function's closing brace, and nothing else of it, in the first column.
functions() {
    sources '*.c' | xargs awk -v long=$FUNCTION_LONG -v too=$FUNCTION_TOO_LONG '
        FNR == 1 { start = 0 }
        /^\{/ { start = FNR }
        /^\}$/ && start {
            n = FNR - start
            if (n > long) printf "%s:%d: function of %d lines%s\n", FILENAME, start, n, n > too ? ": too long" : ""
            if (n > too) bad = 1
            start = 0
        }
        END { exit bad }' || bad=1
}

files() {
    local file lines
    while read -r file; do
        lines=$(wc -l <"$file")
        [ "$lines" -gt $FILE_LONG ] || continue
        echo "$file: $lines lines"
        case $file in tests/*) continue ;; esac
        [ "$lines" -le $FILE_TOO_LONG ] || complain "$file: too long"
    done < <(sources '*.c' '*.h' '*.sh' '*.py')
}

licences
words
functions
files
[ "$bad" = 0 ] && echo "house: in order"
exit "$bad"
