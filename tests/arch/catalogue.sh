#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Promise: no bad input of the catalogue is forgotten. Each is named by a test or, when it is bytes, its
# whole surface is run by one that asks the catalogue for it; docs/adr/0032 names none that is not there.
set -euo pipefail
cd "$(dirname "$0")/../.."
catalogue=tests/fixtures/bad_inputs.tsv adr=docs/adr/0032-bad-inputs.md

mapfile -t tests < <(find tests -name 'test_*.py' -o -name 'test_*.c' | sort)
named=$(grep -ohP '(?<![A-Za-z0-9-])B[0-9]{3}(?![A-Za-z0-9-])' "${tests[@]}" | sort -u)
whole=$(grep -lE 'catalogue\.rows\(' "${tests[@]}" | xargs grep -ohE '"[a-z_]+(\.[a-z]+)?"' | tr -d '"' | sort -u)

bad=0
complain() {
    echo "$*" >&2
    bad=1
}

n=0
while IFS=$'\t' read -r id surface kind _; do
    n=$((n + 1))
    if grep -qx "$id" <<<"$named"; then continue; fi
    if [ "$kind" != act ] && grep -qx "$surface" <<<"$whole"; then continue; fi
    complain "$id ($surface, $kind): no test runs it"
done < <(grep -E '^B[0-9]{3}'$'\t' "$catalogue")
[ "$n" = 138 ] || complain "$catalogue has $n rows, not 138"

for id in $(grep -ohE '^\| B[0-9]{3}' "$adr" | tr -d '| ') $named; do
    grep -q "^$id"$'\t' "$catalogue" || complain "$id is argued or tested, and not in the catalogue"
done
exit $bad
