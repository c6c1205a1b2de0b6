# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Building a preset, in build/<preset> or $SANDFLEET_BUILD_DIR/<preset>. With
# SANDFLEET_BIN (CTest sets it) the programs of that folder are taken as they are.

build_dir() { echo "${SANDFLEET_BUILD_DIR:-$ROOT/build}/${1:-$PRESET}"; }
build_bin() { echo "${SANDFLEET_BIN:-$(build_dir)/bin}"; }

# build_preset PRESET LOG [TARGET…]
build_preset() {
    local preset=$1 log=$2 folder
    shift 2
    folder=$(build_dir "$preset")
    quietly "$log" cmake -S "$ROOT" --preset "$preset" -B "$folder" || return 1
    quietly "$log" cmake --build "$folder" -j "$(nproc)" ${1:+--target "$@"}
}

# build_programs KIND…: what these kinds of parts are made of, and the client.
build_programs() {
    local begun kind
    local -a programs=(sandfleet)
    for kind in "$@"; do
        programs+=("sandfleet-$kind")
        [ "$kind" != sandboxd ] || programs+=(claude-simulated)
    done
    [ -z "${SANDFLEET_BIN:-}" ] || return 0
    begun=$(now_ms)
    build_preset "$PRESET" "$DIR/log/build.log" "${programs[@]}" ||
        die "the build failed" "if a tool or a library is missing: ops/install"
    note "built ($PRESET) after $(elapsed "$begun")"
}
