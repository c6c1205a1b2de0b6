#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The house's arrows (ARCHITECTURE.md): a folder includes only what its row allows.
# Fails on an include that is not written from the root, too.
set -euo pipefail
cd "$(dirname "$0")/../.."

declare -A may=(
    [common]="common"
    [schema]="schema common"
    [producer]="producer schema common"
    [worker]="worker schema common"
    [sink]="sink schema common"
    [sandboxd]="sandboxd common"
    [webhook]="webhook schema common"
    [api]="api producer sink schema common"
)
bad=0
for folder in "${!may[@]}"; do
    while IFS=: read -r file line target; do
        [ -n "$target" ] || continue
        case " ${may[$folder]} " in
        *" ${target%%/*} "*) ;;
        *)
            echo "$file:$line: $folder must not include \"$target\" (it may: ${may[$folder]})"
            bad=1
            ;;
        esac
    done < <(grep -rnoP '^\s*#\s*include\s+"\K[^"]+' "$folder" --include='*.[ch]' || true)
done
[ "$bad" = 0 ] && echo "arrows: all includes follow the house"
exit "$bad"
