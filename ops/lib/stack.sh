# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A stack is a folder DIR with everything of it:
#   env      to be sourced: addresses, key, the binaries on PATH        (0600)
#   options  what the last `up` was asked for        ports   which ones it has
#   run/     NAME.pid, NAME.stamp                    log/    NAME.log
#   secret/  generated password and key (0700)       data/   kafka, postgres, sandboxd
#
# Its parts are started in this order and stopped in the reverse one. Each part P has
# P_prepare, P_digest, P_start DIGEST and P_ready LOG_OFFSET; worker-1, worker-2… share worker_*.

# part: stop signal, seconds until KILL, seconds until it must be ready
declare -A PART=(
    [kafka]="TERM 20 60" [postgres]="INT 20 60" [sandboxd]="TERM 20 30" [sink]="TERM 20 60" [api]="TERM 30 30"
    [worker]="TERM 30 60" [webhook]="TERM 30 60"
)

family() { case $1 in worker-[1-9]*) echo worker ;; *) echo "$1" ;; esac; }
digest() { sha256sum | cut -c1-16; }

stack_open() {
    DIR=$(cd "$DIR" && pwd)
    mkdir -p "$DIR/run" "$DIR/log" "$DIR/secret"
    chmod 700 "$DIR/secret" "$DIR/log"
    ports_load
}

# One command at a time for a stack; the second one waits, and then sees what the first chose.
stack_lock() {
    exec {STACK_LOCK}>"$DIR/run/lock"
    if ! flock -n "$STACK_LOCK"; then
        note "another command works on $DIR: waiting for it"
        flock -w 300 "$STACK_LOCK" || die "another command holds $DIR/run/lock for 5 minutes"
    fi
    ports_load
}

# DIR/data, or, where a server's own user could not reach that, a link to a folder it can.
data_dir() { readlink -f "$DIR/data"; }

data_make() {
    local elsewhere
    if [ -e "$DIR/data" ]; then return 0; fi
    if ! is_root || others_reach "$DIR"; then
        mkdir -m 711 "$DIR/data"
        return 0
    fi
    elsewhere=/var/tmp/sandfleet-$(digest <<<"$DIR")
    note "$DIR is closed to other users: data lives in $elsewhere"
    [ -d "$elsewhere" ] || mkdir -m 711 "$elsewhere"
    [ -O "$elsewhere" ] || die "$elsewhere belongs to somebody else" "remove it, or choose another --dir"
    ln -sfn "$elsewhere" "$DIR/data"
}

others_reach() { setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$1"; }

# Only a folder that `up` made is removed.
stack_wipe() {
    [ -f "$DIR/options" ] || return 0
    rm -rf "$(data_dir)" "$DIR"
}

# secret_of NAME: made once, 0600. In hexadecimal after e2b_: older SDKs of the vendor's check that.
secret_of() {
    local file=$DIR/secret/$1
    [ -s "$file" ] || secret_make "$1" | write_file 600 "$file"
    cat "$file"
}

secret_make() {
    local bytes=20
    case $1 in
    e2b) printf 'e2b_' ;;
    master) bytes=32 ;;
    esac
    head -c "$bytes" /dev/urandom | od -An -v -tx1 | tr -d ' \n'
}

part_start() {
    local name=$1 kind from digest begun signal seconds deadline
    kind=$(family "$name")
    read -r signal seconds deadline <<<"${PART[$kind]}"
    begun=$(now_ms)
    "${kind}_prepare" "$name"
    digest=$("${kind}_digest" "$name")
    if proc_alive "$name"; then
        [ "$(proc_digest_was "$name")" != "$digest" ] || return 0
        note "$name: program or options changed, restarting"
        proc_stop "$name" "$signal" "$seconds"
    fi
    from=$(size_of "$(log_file "$name")")
    "${kind}_start" "$digest" "$name"
    if await "$deadline" part_settled "$name" "$kind" "$from" && "${kind}_ready" "$from" "$name"; then
        note "$name ready after $(elapsed "$begun")$(part_place "$name")"
        return 0
    fi
    part_failed "$name" "$from" "$deadline"
}

part_settled() { "$2_ready" "$3" "$1" || proc_gone "$1"; }

part_place() { if [ -n "${PORT[$1]:-}" ]; then echo " on 127.0.0.1:${PORT[$1]}"; fi; }

part_failed() {
    local name=$1
    tail_since "$(log_file "$name")" "$2" >&2
    if proc_alive "$name"; then
        die "$name was not ready after $3 s" "it still runs; see ops/dev logs $name, then ops/dev restart $name"
    fi
    die "$name ended while starting" "its log: $(log_file "$name")"
}

part_stop() {
    local signal seconds rest
    read -r signal seconds rest <<<"${PART[$(family "$1")]}"
    proc_stop "$1" "$signal" "$seconds"
}

part_known() {
    local kind
    kind=$(family "$1")
    if [ "$1" != worker ] && [ -n "${PART[$kind]:-}" ]; then return 0; fi
    die "no part is called '$1'" "parts: kafka postgres sandboxd sink api webhook worker-1 worker-2 …"
}

# Every part of the stack as the options say, in order of their start.
parts_wanted() {
    local i
    if [ -n "$ONLY" ]; then
        echo "${ONLY//,/ }"
        return 0
    fi
    echo kafka postgres sandboxd sink api
    if [ "$WEBHOOK" = yes ]; then echo webhook; fi
    for ((i = 1; i <= WORKERS; i++)); do echo "worker-$i"; done
}

# Every part that has a pid file, the last to start first.
parts_present() {
    local name
    proc_names | grep -E '^worker-' | sort -r || true
    for name in webhook api sink sandboxd postgres kafka; do
        if [ -f "$(pid_file "$name")" ]; then echo "$name"; fi
    done
}

env_write() {
    local name
    {
        echo "# . this file: the stack in $DIR"
        env_line SANDFLEET_BROKERS "127.0.0.1:${PORT[kafka]:-}"
        env_line SANDFLEET_DATABASE "$(postgres_conninfo "")"
        env_line SANDFLEET_PREFIX "$PREFIX"
        if [ "$TLS" = yes ]; then env_line SANDFLEET_KAFKA_CONFIG "$DIR/tls/kafka.conf"; fi
        secret_of master >/dev/null
        env_line SANDFLEET_MASTER_KEY_FILE "$DIR/secret/master"
        if [ -n "${PORT[sandboxd]:-}" ]; then
            env_line E2B_API_URL "http://127.0.0.1:${PORT[sandboxd]}"
            env_line E2B_SANDBOX_URL "http://127.0.0.1:${PORT[sandboxd]}"
            env_line E2B_API_KEY "$(secret_of e2b)"
        fi
        if [ -n "${PORT[api]:-}" ]; then # SANDFLEET_API_URL is what the client goes by
            env_line SANDFLEET_API "http://127.0.0.1:${PORT[api]}"
            env_line SANDFLEET_API_URL "http://127.0.0.1:${PORT[api]}"
        fi
        if [ -n "${PORT[webhook]:-}" ]; then
            env_line SANDFLEET_METRICS_WEBHOOK "http://127.0.0.1:${PORT[webhook]}"
        fi
        for name in "${!PORT[@]}"; do
            [[ $name != worker-* ]] || env_line "SANDFLEET_METRICS_${name#worker-}" "http://127.0.0.1:${PORT[$name]}"
        done
        # shellcheck disable=SC2016
        printf 'export PATH=%q:"$PATH"\n' "$BIN"
    } | write_file 600 "$DIR/env"
}

env_line() { printf "export %s='%s'\n" "$1" "$2"; }
