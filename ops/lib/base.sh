# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# What every command of ops/ needs: where things are, how we talk, how we wait.
# shellcheck disable=SC2034  # ROOT, CACHE and the colours are for those who source this

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/sandfleet

bold='' dim='' plain='' red='' unred=''
if [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' plain=$'\e[0m'; fi
    if [ -t 2 ]; then red=$'\e[31m' unred=$'\e[0m'; fi # of standard error
fi

say() { printf '%s\n' "$*"; }
step() { printf '%s==>%s %s\n' "$bold" "$plain" "$*"; }
note() { printf '    %s%s%s\n' "$dim" "$*" "$plain"; }
warn() { printf '%swarning:%s %s\n' "$red" "$unred" "$*" >&2; }

# die MESSAGE [NEXT STEP]: what failed first, then what to do about it.
die() {
    printf '%serror:%s %s\n' "$red" "$unred" "$1" >&2
    [ $# -lt 2 ] || printf '       %s\n' "$2" >&2
    exit 1
}

usage_of() { sed -n '3,${ /^#/!q; s/^# \{0,1\}//p; }' "$1"; } # a script's head comment is its help

is_root() { [ "$(id -u)" = 0 ]; }

now_ms() {
    local t=${EPOCHREALTIME/[.,]/}
    echo $((t / 1000))
}

# elapsed FROM_MS: "1.3 s"
elapsed() {
    local ms=$(($(now_ms) - $1))
    printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# quietly LOG COMMAND...: output goes to LOG; on failure its tail, its path, and the status.
quietly() {
    local log=$1 from status=0
    shift
    mkdir -p "$(dirname "$log")"
    from=$(size_of "$log")
    "$@" >>"$log" 2>&1 </dev/null || status=$?
    [ "$status" = 0 ] && return 0
    tail_since "$log" "$from" >&2
    printf '%serror:%s %s failed (exit %s); all of it: %s\n' "$red" "$unred" "${1##*/}" "$status" "$log" >&2
    return "$status"
}

size_of() { if [ -f "$1" ]; then stat -c %s "$1"; else echo 0; fi; }
since() { if [ -f "$1" ]; then tail -c +$(($2 + 1)) "$1"; fi; } # FILE OFFSET: what came after it
tail_since() { since "$1" "$2" | tail -n 25 | sed 's/^/    | /'; }

# await SECONDS COMMAND...: true as soon as COMMAND is; false when the deadline passed.
await() {
    local until=$(($(now_ms) + $1 * 1000))
    shift
    until "$@"; do
        [ "$(now_ms)" -lt "$until" ] || return 1
        sleep 0.03
    done
}

# as_user USER COMMAND...: without a shell or a login in between, so that the pid stays ours.
as_user() {
    local user=$1
    shift
    if [ "$user" = "$(id -un)" ]; then "$@"; else setpriv --reuid "$user" --regid "$user" --init-groups "$@"; fi
}

# write_file MODE FILE: stdin becomes FILE in one step; a reader sees the old or the new one.
write_file() {
    local tmp="$2.new.$$"
    (umask 077 && cat >"$tmp")
    chmod "$1" "$tmp"
    mv -f "$tmp" "$2"
}
