# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Ends an attempt's agent, and sees to it that none is started later. May be called again at any
# time, also beside itself: what is done already is found, not done twice.
#   $1 the attempt's folder below the home
#   $2 $3 so many tenths of a second to heed INT and TERM; then KILL
# INT goes to the agent alone, so that it ends its turn with a result line, which tells the cost.
umask 077

# As a shell says it of an interrupt; by rename, as the supervisor does it.
never_started() {
    rm -f token
    : >>out.ndjson
    : >>err.log
    echo 130 >rc.tmp && mv rc.tmp rc
}

# Somebody was there before us. What he did not get done within two seconds, he never will.
wait_for_agent() {
    tries=40
    until [ -s agent ] || [ -e rc ] || [ "$tries" = 0 ]; do
        sleep 0.05
        tries=$((tries - 1))
    done
    [ -s agent ] || [ -e rc ] && return
    [ -s pid ] && read -r supervisor <pid && kill -s KILL -- "-$supervisor"
    never_started
}

# $1 signal $2 whom $3 how long. True: it ended.
try() {
    [ -e rc ] && return
    kill -s "$1" -- "$2" 2>/dev/null
    tries=$3
    until [ -e rc ] || [ "$tries" = 0 ]; do
        sleep 0.1
        tries=$((tries - 1))
    done
    [ -e rc ]
}

end_agent() {
    [ -s agent ] && read -r group <agent || return
    agent=-$group
    [ -s child ] && read -r agent <child
    try INT "$agent" "$1" || try TERM "-$group" "$2" || try KILL "-$group" 20
}

{ mkdir -p -- "$HOME/$1" && cd -- "$HOME/$1"; } || exit 73
if mkdir started 2>/dev/null; then # one mkdir decides, as for a start
    never_started
    exit
fi
: >cancelled # so the supervisor ends what the agent leaves behind, before it writes rc
wait_for_agent
end_agent "$2" "$3"
[ -e rc ]
