# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Ports of a stack, kept in DIR/ports so that a restart finds the same ones. All lie below
# 32768: from there on the kernel lends ports to clients, and a client that retries a dead
# server's port can end up connected to itself and holding it.

declare -A PORT=()

ports_load() {
    local name port
    PORT=()
    [ -f "$DIR/ports" ] || return 0
    while IFS='=' read -r name port; do PORT[$name]=$port; done <"$DIR/ports"
}

ports_save() {
    local name
    for name in "${!PORT[@]}"; do echo "$name=${PORT[$name]}"; done | sort | write_file 644 "$DIR/ports"
}

# ports_need PART PORT_NAME...: keeps each remembered port that PART can still bind; chooses
# another where there is none yet or a stranger took it. Does nothing while PART runs.
ports_need() {
    local part=$1 name
    shift
    if proc_alive "$part"; then return 0; fi
    for name in "$@"; do
        if [ -n "${PORT[$name]:-}" ] && port_free "${PORT[$name]}"; then continue; fi
        PORT[$name]=$(port_choose)
    done
    ports_save
}

# Asks for the address as a server does, with SO_REUSEADDR: TIME_WAIT is no obstacle.
port_free() {
    python3 -c '
import socket, sys
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    s.bind(("127.0.0.1", int(sys.argv[1])))
except OSError:
    sys.exit(1)' "$1"
}

port_choose() {
    local port
    for _ in {1..100}; do
        port=$((16384 + (RANDOM * 32768 + RANDOM) % 16384))
        case " ${PORT[*]} " in *" $port "*) continue ;; esac
        if port_free "$port"; then
            echo "$port"
            return 0
        fi
    done
    die "no free port between 16384 and 32767 on 127.0.0.1"
}
