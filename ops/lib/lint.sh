# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Linters of contracts, as ops/lint/package-lock.json and requirements.txt pin them with their digests,
# in the user's cache.

. "$ROOT/ops/lib/sdks.sh"

LINT=$ROOT/ops/lint

# lint_tools: prints the folder with node_modules/; fails where npm cannot have it.
lint_tools() {
    local folder new
    folder=$CACHE/lint-$(sha256sum <"$LINT/package-lock.json" | cut -c1-16)
    if [ ! -d "$folder" ]; then
        new=$folder.new.$$
        mkdir -p "$new"
        cp "$LINT/package.json" "$LINT/package-lock.json" "$new"
        if ! npm ci --prefix "$new" --ignore-scripts --no-audit --no-fund >"$CACHE/lint.log" 2>&1 </dev/null ||
            ! mv -T "$new" "$folder" 2>/dev/null; then
            rm -rf "$new" # no registry, or somebody else was first; what npm has to say stands in the log
        fi
    fi
    [ -d "$folder" ] && echo "$folder"
}

# Those that ran on somebody's database stay as they are: their checksums are stored. Left out:
# a file is one transaction and runs once, so nothing in it needs IF NOT EXISTS, and no index can
# be made or dropped CONCURRENTLY; the ledger's tables are short, and no program of another version
# works on them meanwhile; and int is wide enough for an attempt.
lint_migrations() {
    find "$ROOT/schema/migrations" -name '*.sql' | sort | awk -F/ '$NF >= "0005"' |
        xargs "$1"/node_modules/@squawk-cli/linux-x64/bin/squawk --assume-in-transaction --pg-version 15 --reporter gcc \
            --exclude prefer-robust-stmts,prefer-bigint-over-int,adding-not-nullable-field \
            --exclude require-concurrent-index-creation,require-concurrent-index-deletion
}

# lint_python: prints the folder of a virtual environment; fails where PyPI is not there.
lint_python() { (sdk_python "$LINT/requirements.txt") 2>/dev/null; }

lint_openapi() { "$1/bin/python" -B "$LINT/openapi.py" "$ROOT/schema"; }

# The bill of materials of what was just built: lint_sbom TOOLS BIN
lint_sbom() {
    local made
    made=$(mktemp)
    python3 -B "$ROOT/ops/lib/sbom.py" sandfleet 0 "$2"/sandfleet* >"$made" && (cd "$1" && node "$LINT/sbom.mjs" "$made")
    local status=$?
    rm -f "$made"
    return "$status"
}

lint_asyncapi() { (cd "$1" && node "$LINT/asyncapi.mjs" "$ROOT/schema"); }
