#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Promise: a migration that somebody may have applied is never changed: `sandfleet migrate` compares
# checksums and refuses a database whose past is another. A new one gets a line with its checksum.
set -euo pipefail
cd "$(dirname "$0")/../../schema/migrations"
sums=../../tests/fixtures/migrations.sha256

bad=0
sha256sum --check --quiet --strict "$sums" || bad=1
for file in *.sql; do
    grep -q "  $file\$" "$sums" && continue
    echo "$file has no line in tests/fixtures/migrations.sha256: (cd schema/migrations && sha256sum $file) >>it" >&2
    bad=1
done
exit $bad
