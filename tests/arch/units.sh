#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The systemd units are understood, and keep their processes in: systemd's own judgement of what
# such a process could reach is at most 1.5 of 10.
set -euo pipefail
cd "$(dirname "$0")/../.."

MOST=15 # tenths
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp -r ops/systemd/. "$copy"
# Not installed here: what `verify` asks of the program is only that it can be run.
find "$copy" -type f -exec sed -i -E 's#/usr/bin/sandfleet-(%i|worker)#/bin/true#' {} +

for kind in worker sink api webhook; do
    said=$(SYSTEMD_UNIT_PATH=$copy: systemd-analyze verify --man=no "sandfleet@$kind.service" 2>&1 |
        grep 'sandfleet@' || true)
    [ -z "$said" ] || { echo "$said" && exit 1; }
done
systemd-analyze security --offline=true --threshold="$MOST" "$copy/sandfleet@.service" >"$copy/said" ||
    { cat "$copy/said" && exit 1; }
tail -n 1 "$copy/said"
