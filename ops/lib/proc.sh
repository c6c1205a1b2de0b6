# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Long-running parts of a stack, known by DIR/run/NAME.pid. Beside it NAME.stamp holds the
# process's start time, so that a pid which the kernel gave to somebody else is never
# signalled, and a digest of the program and its options, so that `up` knows what changed.

pid_file() { echo "$DIR/run/$1.pid"; }
stamp_file() { echo "$DIR/run/$1.stamp"; }
log_file() { echo "$DIR/log/$1.log"; }

# Field 22 of /proc/PID/stat, counted behind the name, which may hold spaces.
proc_born() {
    local stat
    { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [ "$1" != Z ] && echo "${20}"
}

# proc_pid NAME: its pid, when it is alive and ours.
proc_pid() {
    local pid born
    { read -r pid <"$(pid_file "$1")" && read -r born _ <"$(stamp_file "$1")"; } 2>/dev/null || return 1
    [ "$(proc_born "$pid")" = "$born" ] && echo "$pid"
}

proc_alive() { proc_pid "$1" >/dev/null; }

proc_digest_was() {
    local digest
    { read -r _ digest <"$(stamp_file "$1")"; } 2>/dev/null && echo "$digest"
}

# proc_start NAME DIGEST COMMAND...: detached from the caller's session, terminal, descriptors
# and environment, with the signals that a shell ignores for its background jobs at default.
proc_start() {
    local name=$1 digest=$2 pid
    shift 2
    (
        drop_descriptors
        environ_clean
        exec setsid env --default-signal=INT,QUIT "$@" </dev/null >>"$(log_file "$name")" 2>&1
    ) &
    pid=$!
    disown "$pid"
    # Written at once: a start that is interrupted later can still be stopped by `down`.
    echo "$pid" >"$(pid_file "$name")"
    echo "$(proc_born "$pid" || echo 0) $digest" >"$(stamp_file "$name")"
}

# A part that inherited a caller's pipe would keep the caller waiting for its end.
drop_descriptors() {
    local fd
    for fd in /proc/self/fd/*; do
        fd=${fd##*/}
        if [ "$fd" -gt 2 ] && [ "$fd" != 255 ]; then eval "exec $fd>&-"; fi
    done
}

# What a server may see of the caller's environment: nothing but this. Where Claude's API is, only
# where KEEP_BASE_URL says so; a credential, never.
environ_clean() {
    local name keep=${KEEP_BASE_URL:-}
    for name in $(compgen -e); do
        case $name in
        PATH | HOME | USER | LOGNAME | TMPDIR | TZ | LANG | LC_*) ;;
        SANDFLEET_* | E2B_* | JAVA_HOME | SSL_CERT_* | *SAN_OPTIONS) ;;
        ANTHROPIC_BASE_URL) [ -n "$keep" ] || unset "$name" ;;
        *) unset "$name" 2>/dev/null || export -n "${name?}" ;;
        esac
    done
}

# proc_stop NAME SIGNAL SECONDS: SIGNAL, then after SECONDS KILL, then no pid file.
proc_stop() {
    local name=$1 signal=$2 seconds=$3 pid
    if pid=$(proc_pid "$name"); then
        kill -s "$signal" "$pid" 2>/dev/null || true
        if ! await "$seconds" proc_gone "$name"; then
            warn "$name (pid $pid) had not ended $seconds s after SIG$signal and was killed"
            proc_kill "$name"
        fi
    fi
    rm -f "$(pid_file "$name")" "$(stamp_file "$name")"
}

# A process that ended but that pid 1 has not reaped yet counts as gone; servers that look
# for their predecessor by kill(pid, 0) do not think so, hence the second, short wait.
proc_kill() {
    local pid
    pid=$(proc_pid "$1") || return 0
    kill -s KILL "$pid" 2>/dev/null || true
    await 10 proc_gone "$1" || die "$1 (pid $pid) does not end"
    await 2 proc_reaped "$pid" || true
}

proc_gone() { ! proc_alive "$1"; }
proc_reaped() { [ ! -e "/proc/$1" ]; }

# proc_names: every part with a pid file, alive or not.
proc_names() {
    local file
    for file in "$DIR"/run/*.pid; do
        [ -f "$file" ] || continue
        file=${file##*/}
        echo "${file%.pid}"
    done
}

proc_rss() { awk '/^VmRSS/ { printf "%d MiB", $2 / 1024 }' "/proc/$1/status" 2>/dev/null; }
proc_uptime() { ps -o etime= -p "$1" | tr -d ' '; }
