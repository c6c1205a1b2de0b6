# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Runs one agent in a sandbox, detached from every stream, and keeps its output in files.
# The worker appends the job's own lines behind the marker at the end, uploads the whole as
# `job` into the attempt's folder, and calls there:  sh ./job start
# A second start is harmless: one mkdir decides. Needs coreutils and util-linux only.
umask 077

# The words of a job line: "\\" and "\n" (two characters each) stand for a backslash and a
# newline; nothing else is special, and nothing of it is ever evaluated.
decode() {
    case $1 in
    *\\*)
        value=$(printf '%b.' "$1")
        value=${value%.}
        ;;
    *) value=$1 ;;
    esac
}

give_up() {
    echo "sandfleet: $1" >>"$here/err.log"
    finish 73
}

# By rename: whoever sees rc sees all of it, and the output was complete before.
finish() {
    echo "$1" >"$here/rc.tmp" && mv "$here/rc.tmp" "$here/rc"
    exit
}

# Prints the supervisor's process id, as a receipt. The token is opened before the mkdir, so that a loser
# who removes it cannot take it from the winner.
start() {
    chmod 700 ../.. .. .
    chmod 600 job prompt
    { command exec 3<token; } 2>/dev/null
    mkdir started 2>/dev/null
    won=$?
    rm -f token
    [ -d started ] || exit 73
    if [ "$won" = 0 ]; then
        : >out.ndjson
        : >err.log
        setsid sh ./job run </dev/null >/dev/null 2>&1 &
        echo $! >pid.tmp && mv pid.tmp pid
    fi
    tries=0
    until [ -s pid ] || [ "$tries" = 40 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    cat pid
}

read_job() {
    limit=0 work=. session='' talk='' found='' piped='' proxied=''
    folder=${here%/*}
    mark=SANDFLEET_RUN=${folder##*/}/${here##*/}
    set -- env -i "PATH=$HOME/.local/bin:$PATH" "HOME=$HOME" "USER=${USER:-$(id -un)}" \
        "LANG=${LANG:-C.UTF-8}" "$mark"
    for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
        eval "value=\${$name:-}" # a name of this list
        [ -z "$value" ] || set -- "$@" "$name=$value"
    done
    while IFS= read -r line; do
        if [ -z "$found" ]; then
            [ "$line" = '#:job' ] && found=1
            continue
        fi
        decode "${line#* }"
        case $line in
        'limit '*) limit=$value ;;
        'work '*) work=$value ;;
        'session '*) session=$value ;;
        'talk '*) talk=$value ;;
        'descriptor '*)
            piped=1
            set -- "$@" "$value=3"
            ;;
        'proxied '*) proxied=${http_proxy:-} ;;
        'word SANDFLEET_RUN='*) ;; # ours alone: see end_tools
        'word ANTHROPIC_BASE_URL=https://'*)
            [ -z "$proxied" ] || value=ANTHROPIC_BASE_URL=http://${value#*://}
            set -- "$@" "$value"
            ;;
        'word '*) set -- "$@" "$value" ;; # NAME=value first, then the program and its arguments
        esac
    done <job
    agent "$@"
}

# The conversation of an earlier sandbox, to where Claude looks for it: whatever the name of the
# folder below projects. Only who won the mkdir comes here, so nothing newer is ever overwritten.
bring_talk() {
    set -- "$HOME/.claude/projects/sandfleet"
    { mkdir -p -- "$1" && chmod 600 "$here/transcript" && mv -f -- "$here/transcript" "$1/$session.jsonl"; } ||
        give_up 'cannot place the transcript'
}

# The conversation's running total, as the agent's program leaves it in the transcript when it ends,
# unless by KILL.
total() {
    grep -hs '^{"type":"cost-state",' -- "$HOME"/.claude/projects/*/"$session.jsonl" | tail -n 1
}

# Two lines: the total before this agent, and the newest. Empty: there is none.
tell_cost() {
    session=$(sed -n 's/^session //p' job)
    before=$(cat cost) && printf '%s\n%s\n' "$before" "$(total)"
}

# Tools run in sessions of their own, and some detach: all that the agent started has its mark.
end_tools() {
    rounds=20
    while tools=$(grep -lsxzF -- "$mark" /proc/[0-9]*/environ) # what we may not read fails it
        [ -n "$tools" ] && [ "$rounds" != 0 ]; do
        for tool in $tools; do
            tool=${tool#/proc/}
            kill -s KILL "${tool%/environ}" 2>/dev/null
        done
        rounds=$((rounds - 1))
        sleep 0.02
    done
}

# The agent's group leads a session of its own, so that a signal to it spares this script. The
# leader is timeout; `child` has the agent's own process id.
agent() {
    { mkdir -p -- "$HOME/$work" && cd -- "$HOME/$work"; } || give_up 'cannot make the working directory'
    [ -z "$talk" ] || bring_talk
    total >"$here/cost"
    began=$(date +%s)
    # shellcheck disable=SC2016
    set -- setsid timeout -k 10 "$limit" sh -c 'echo "$$" >"$0"; exec "$@"' "$here/child" "$@"
    if [ -n "$piped" ]; then # a pipe that was read holds nothing; a file is there for who opens it again
        cat <&3 | {
            exec 3<&0 <"$here/prompt"
            exec "$@"
        } >>"$here/out.ndjson" 2>>"$here/err.log" &
    else
        "$@" <"$here/prompt" >>"$here/out.ndjson" 2>>"$here/err.log" &
    fi
    agent=$!
    exec 3<&-
    echo "$agent" >"$here/agent.tmp" && mv "$here/agent.tmp" "$here/agent"
    trap : HUP INT TERM # a signal interrupts wait, nothing more
    while :; do
        wait "$agent"
        status=$?
        kill -0 "$agent" 2>/dev/null || break
    done
    # timeout dies by its own KILL when the agent did not heed TERM
    [ ! -e "$here/cancelled" ] || end_tools
    [ "$status" = 137 ] && [ $(($(date +%s) - began)) -ge "$limit" ] && status=124
    finish "$status"
}

here=$(pwd)
case $1 in
start) start ;;
run) read_job ;;
cost) tell_cost ;;
esac
exit
#:job
