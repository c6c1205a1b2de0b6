#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Containers: nobody's user, nothing to write to, no capability; every program but the local sandboxes is in the
# image, and every service of compose.yaml runs one.
set -euo pipefail
cd "$(dirname "$0")/../../ops/container"

status=0
fail() { echo "ops/container: $*" && status=1; }

grep -qx 'USER 65532:65532' Containerfile || fail "Containerfile: the user is not 65532"
[ "$(grep -n '^USER' Containerfile | cut -d: -f1)" -gt "$(grep -n '^FROM' Containerfile | tail -n 1 | cut -d: -f1)" ] ||
    fail "Containerfile: USER is not the last stage's"
for kind in worker sink api webhook; do
    grep -q "sandfleet-$kind" Containerfile || fail "sandfleet-$kind is not built in Containerfile"
    grep -A2 "^  $kind:" compose.yaml | grep -q '<<: \*process' || fail "$kind: is not hardened as *process is"
    grep -q "command: \[sandfleet-$kind" compose.yaml || fail "$kind: does not run sandfleet-$kind"
done
process=$(sed -n '/^x-process/,/^$/p' compose.yaml)
for line in 'read_only: true' 'cap_drop: \[ALL\]' 'user: "65532:65532"' 'no-new-privileges:true' 'core: 0'; do
    grep -q "$line" <<<"$process" || fail "compose.yaml: *process lacks $line"
done
! grep -qE 'privileged:|cap_add|network_mode: *host|/var/run/docker.sock' compose.yaml || fail "compose.yaml gives more than it should"
exit "$status"
