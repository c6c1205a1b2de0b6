# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# The vendor's own SDKs as tests/conformance/ pins them, unmodified, in the user's cache.
# Another lock makes another folder; every package is checked against the lock's digests.

SDK_LOCKS=$ROOT/tests/conformance

# sdk_folder LANGUAGE LOCK…: where what these files ask for is, or will be.
sdk_folder() { echo "$CACHE/e2b-$1-$(cat "${@:2}" | sha256sum | cut -c1-16)"; }

# sdk_javascript [LOCK]: prints the folder with node_modules/, in which bin/node is, too.
sdk_javascript() {
    local folder lock=${1:-$SDK_LOCKS/javascript}
    folder=$(sdk_folder javascript "$lock/package-lock.json")
    [ -d "$folder" ] || sdk_fetch "$folder" sdk_npm "$lock"
    echo "$folder"
}

# sdk_python [LOCK]: prints the folder of a virtual environment; its interpreter is bin/python.
sdk_python() {
    local folder lock=${1:-$SDK_LOCKS/python/requirements.txt}
    folder=$(sdk_folder python "$lock" <(python3 --version))
    [ -d "$folder" ] || sdk_fetch "$folder" sdk_pip "$lock"
    echo "$folder"
}

# sdk_fetch FOLDER HOW LOCK: all of it or nothing; standard output is the caller's.
sdk_fetch() {
    local folder=$1 how=$2 lock=$3 new=$1.new.$$
    "$ROOT/ops/install" --sdks >&2
    step "fetching what ${lock#"$ROOT"/} asks for (once)" >&2
    mkdir -p "$new"
    if ! "$how" "$new" "$lock"; then
        rm -rf "$new"
        die "not all of ${lock#"$ROOT"/} came" "the log: $CACHE/sdks.log"
    fi
    if ! mv -T "$new" "$folder" 2>/dev/null; then rm -rf "$new"; fi # somebody else was first
}

# Debian 12's Node is older than the SDK asks for: the lock brings one, the tests use that.
sdk_npm() {
    cp "$2/package.json" "$2/package-lock.json" "$1" &&
        quietly "$CACHE/sdks.log" npm ci --prefix "$1" --ignore-scripts --no-audit --no-fund &&
        mkdir "$1/bin" && (cd "$1/bin" && ln -s ../node_modules/node-linux-*/bin/node node) &&
        quietly "$CACHE/sdks.log" "$1/bin/node" --version
}

sdk_pip() {
    quietly "$CACHE/sdks.log" python3 -m venv "$1" &&
        quietly "$CACHE/sdks.log" "$1/bin/python" -m pip install --disable-pip-version-check \
            --only-binary :all: --require-hashes -r "$2"
}
