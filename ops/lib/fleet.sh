# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Our own parts of a stack: sandboxd, sink, API, webhooks and workers.

# The kinds of our own parts that are wanted, each once.
fleet_kinds() {
    local name
    for name in $(parts_wanted); do family "$name"; done | grep -xE 'sandboxd|sink|api|webhook|worker' | sort -u || true
}

# Topics and tables before the first part that needs them; both do nothing when all is there.
FLEET_SET_UP=no
fleet_setup() {
    [ "$FLEET_SET_UP" = no ] || return 0
    fleet_run topics apply
    DB_ROLE='' fleet_run migrate
    quietly "$DIR/log/setup.log" postgres_logins || die "the processes' logins could not be made" "see $DIR/log/setup.log"
    fleet_limits
    fleet_credential
    FLEET_SET_UP=yes
}

# The caller's credential, sealed in the ledger: no part of ours has it in its environment. Again only
# when it is another one.
fleet_credential() {
    local kind=api_key stamp=$DIR/credential now
    credential_given || return 0
    if [ -n "${CLAUDE_CODE_OAUTH_TOKEN:-}" ]; then kind=oauth; fi
    now=$(printf '%s\n' "$kind" "${CLAUDE_CODE_OAUTH_TOKEN:-$ANTHROPIC_API_KEY}" | digest)
    [ "$now" != "$(cat "$stamp" 2>/dev/null)" ] || return 0
    # by a file: an argument list can be read by everybody
    printf %s "${CLAUDE_CODE_OAUTH_TOKEN:-$ANTHROPIC_API_KEY}" | write_file 600 "$DIR/secret/credential"
    fleet_run cred add default --replace --kind "$kind" --secret-file "$DIR/secret/credential"
    rm -f "$DIR/secret/credential"
    echo "$now" >"$stamp"
}

# The ledger's limits are those of a plan of E2B's; here nobody counts. Once, so that what is set
# by hand afterwards stays.
fleet_limits() {
    [ ! -f "$DIR/limits_lifted" ] || return 0
    fleet_run limits set fleet concurrency none
    fleet_run limits set fleet starts_per_minute none
    touch "$DIR/limits_lifted"
}

# DB_ROLE: who does it; operators' work when not set, the owner's when empty.
fleet_run() {
    (
        DB_ROLE=${DB_ROLE-client} fleet_environ
        quietly "$DIR/log/setup.log" "$BIN/sandfleet" "$@"
    ) || die "'sandfleet $*' failed" "what runs: ops/dev status --dir $DIR"
}

# The stack's addresses and key, for a part of ours or the client. They go by environment:
# an argument list can be read by every user of the machine.
fleet_environ() {
    local sandboxd=http://127.0.0.1:${PORT[sandboxd]:-1}
    unset E2B_DOMAIN # the caller's own account is none of our business
    export SANDFLEET_BROKERS=127.0.0.1:${PORT[kafka]:-1} SANDFLEET_PREFIX=$PREFIX
    if [ "$TLS" = yes ]; then export SANDFLEET_KAFKA_CONFIG=$DIR/tls/kafka.conf; else unset SANDFLEET_KAFKA_CONFIG; fi
    export E2B_API_URL=$sandboxd E2B_SANDBOX_URL=$sandboxd
    export SANDFLEET_STORE=${SANDFLEET_STORE-$DIR/store}
    # `down` shall not wait long for runs that go on: the next `up` takes them up where they are.
    export SANDFLEET_DRAIN=${SANDFLEET_DRAIN:-3s}
    # Each part comes as what it is: that its rights are enough is seen here.
    SANDFLEET_DATABASE=$(postgres_conninfo "${DB_ROLE:-}")
    E2B_API_KEY=$(secret_of e2b)
    # only there the sandboxes' way out is a proxy that adds them
    if [ "${ISOLATION:-}" = strong ]; then export SANDFLEET_CREDENTIAL_MODE=${SANDFLEET_CREDENTIAL_MODE:-prefer}; fi
    secret_of master >/dev/null
    export SANDFLEET_MASTER_KEY_FILE=$DIR/secret/master
    export SANDFLEET_DATABASE E2B_API_KEY
}

# fleet_digest PROGRAM WORD…: what a part was started from. The stamp keeps 64 bits of a
# SHA-256 over all of it: nothing of a credential can be read back from that.
fleet_digest() {
    {
        stat -L -c '%i %s %Y' "$1"
        printf '%s\n' "$@"
        fleet_environ
        environ_clean
        env | grep -E '^(SANDFLEET|E2B|CLAUDE|ANTHROPIC)_' | grep -vE '^SANDFLEET_(BIN|BUILD_DIR)=' | sort
    } | digest
}

fleet_start() {
    local name=$1 digest=$2
    shift 2
    (
        fleet_environ
        proc_start "$name" "$digest" "$@"
    )
}

fleet_ready() { since "$(log_file "$1")" "$2" | grep -qE "event\"?[=:]\"?$3\.ready"; }

# --- sandboxd -------------------------------------------------------------

# Prints "" or the words that put sandboxes under a user of their own.
sandboxd_run_as() { if is_root; then echo "--run-as $SANDBOX_USER"; fi; }

# Prints the words for the level that --isolation asked for.
sandboxd_isolation() {
    echo "--isolation $ISOLATION"
    if [ "$ISOLATION" = none ]; then echo --i-know-it-is-unsafe; fi
}

sandboxd_words() {
    # shellcheck disable=SC2207
    WORDS=("$BIN/sandfleet-sandboxd" --listen "127.0.0.1:${PORT[sandboxd]}"
        --data "$(data_dir)/sandboxd" --claude "$CLAUDE" $(sandboxd_isolation) $(sandboxd_run_as))
}

sandboxd_prepare() { ports_need sandboxd sandboxd; }

# Said at each start: a restart may have come with another level.
sandboxd_says() {
    case $ISOLATION in
    none) warn "sandboxes are not isolated: what Claude runs in them can do all that its user can on this machine" ;;
    weak) warn "sandboxes are isolated weakly: they see this machine's processes and reach its network services" ;;
    medium) note "sandboxes: isolated (medium); they can reach this machine's network services" ;;
    strong) note "sandboxes: isolated (strong); the proxy is their only way out" ;;
    esac
}

sandboxd_digest() {
    sandboxd_words
    fleet_digest "${WORDS[@]}"
}

sandboxd_start() {
    sandboxd_says
    sandboxd_words
    fleet_start sandboxd "$1" "${WORDS[@]}"
}

sandboxd_ready() { fleet_ready sandboxd "$1" sandboxd; }

# --- sink -----------------------------------------------------------------

sink_prepare() { fleet_setup; }
sink_digest() { DB_ROLE=sink fleet_digest "$BIN/sandfleet-sink"; }
sink_start() { DB_ROLE=sink fleet_start sink "$1" "$BIN/sandfleet-sink"; }
sink_ready() { fleet_ready sink "$1" sink; }

# --- api ------------------------------------------------------------------

api_prepare() {
    fleet_setup
    ports_need api api
}

# The stack is one person's, on loopback: nobody is asked for a key.
api_words() { WORDS=("$BIN/sandfleet-api" --listen "127.0.0.1:${PORT[api]}" --anonymous default); }

api_digest() {
    api_words
    DB_ROLE=api fleet_digest "${WORDS[@]}"
}

api_start() {
    api_words
    DB_ROLE=api fleet_start api "$1" "${WORDS[@]}"
}

api_ready() { fleet_ready api "$1" api; }

# --- webhook --------------------------------------------------------------

webhook_prepare() {
    fleet_setup
    ports_need webhook webhook
}

# The stack is one person's, and so are the receivers on its loopback. Links lead to its API.
webhook_words() {
    WORDS=("$BIN/sandfleet-webhook" --metrics-listen "127.0.0.1:${PORT[webhook]}" --allow-net 127.0.0.0/8
        --public-url "http://127.0.0.1:${PORT[api]:-8080}")
}

webhook_digest() {
    webhook_words
    DB_ROLE=webhook fleet_digest "${WORDS[@]}"
}

webhook_start() {
    webhook_words
    DB_ROLE=webhook fleet_start webhook "$1" "${WORDS[@]}"
}

webhook_ready() { fleet_ready webhook "$1" webhook; }

# --- worker-N -------------------------------------------------------------

worker_prepare() {
    fleet_setup
    ports_need "$1" "$1"
}

worker_words() { WORDS=("$BIN/sandfleet-worker" --metrics-listen "127.0.0.1:${PORT[$1]}"); }

worker_digest() {
    worker_words "$1"
    DB_ROLE=worker KEEP_BASE_URL=yes fleet_digest "${WORDS[@]}"
}

worker_start() {
    worker_words "$2"
    DB_ROLE=worker KEEP_BASE_URL=yes fleet_start "$2" "$1" "${WORDS[@]}"
}

worker_ready() { fleet_ready "$2" "$1" worker; }

# Workers that an earlier `up` asked for and this one does not.
workers_retire() {
    local name
    [ -z "$ONLY" ] || return 0
    for name in $(proc_names | grep -E '^worker-'); do
        [ "${name#worker-}" -gt "$WORKERS" ] || continue
        note "$name: no longer wanted"
        part_stop "$name"
    done
}
