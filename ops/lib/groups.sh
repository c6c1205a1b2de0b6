# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Groups of tests: each runs CTest on one preset and leaves a line for the closing table.

SUMMARY=() FAILED=0 TESTS=0

# group NAME PRESET LABELS [CTEST WORD…]: LABELS is CTest's regular expression.
group() {
    local name=$1 log begun status=0
    log=$TEST_DIR/log/$(tr -c 'a-z0-9\n' - <<<"$1").log
    begun=$(now_ms)
    step "$name"
    ctest --test-dir "$(build_dir "$2")" -L "$3" --output-on-failure --no-tests=error \
        "${@:4}" 2>&1 </dev/null | tee "$log" || status=$?
    group_done "$name" "$status" "$log" "$begun"
}

group_done() {
    local name=$1 status=$2 log=$3 line bad total
    line=$(grep -E '^[0-9]+% tests passed, [0-9]+ tests failed out of [0-9]+' "$log" | tail -n 1)
    read -r bad total < <(awk '{ print $4, $NF }' <<<"${line:-0% tests passed, 1 tests failed out of 1}")
    if [ "$status" != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
    TESTS=$((TESTS + total))
    FAILED=$((FAILED + bad))
    SUMMARY+=("$(printf '%-28s %-54s %s' "$name" "${line:-no result: $log}" "$(elapsed "$4")")")
}

# What CTest would say of all groups together. False when something failed.
groups_summary() {
    local percent=100
    echo
    printf '%s\n' "${SUMMARY[@]}"
    if [ "$FAILED" != 0 ]; then percent=$((TESTS > FAILED ? 100 * (TESTS - FAILED) / TESTS : 0)); fi
    printf '\n%d%% tests passed, %d tests failed out of %d  (%s)\n' \
        "$percent" "$FAILED" "$TESTS" "$(elapsed "$1")"
    [ "$FAILED" = 0 ] && [ "$TESTS" -gt 0 ]
}
