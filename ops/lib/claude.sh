# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Which program the sandboxes find as `claude`.

SANDBOX_USER=sandfleet # whose processes the sandboxes are when we are root

# Sets CLAUDE to the program's real path, and says which it is.
claude_choose() {
    if [ -n "$CLAUDE" ]; then
        CLAUDE=$(command -v -- "$CLAUDE" || true)
        [ -n "$CLAUDE" ] || die "--claude: there is no such program"
        note "Claude: $CLAUDE"
        credential_given || note "        no credential is set: the real one would not be logged in"
    elif command -v claude >/dev/null && credential_given; then
        CLAUDE=$(command -v claude)
        note "Claude: the real one ($CLAUDE), with your credential: runs cost money"
    else
        CLAUDE=$BIN/claude-simulated
        note "Claude: SIMULATED, nothing is sent anywhere. For real runs: have \`claude\` on PATH"
        note "        and set CLAUDE_CODE_OAUTH_TOKEN or ANTHROPIC_API_KEY"
    fi
    CLAUDE=$(readlink -f "$CLAUDE")
    [ -x "$CLAUDE" ] || die "'$CLAUDE' cannot be executed"
    if is_root; then sandbox_user_make; fi # sandboxd puts the program within that user's reach
}

credential_given() { [ -n "${CLAUDE_CODE_OAUTH_TOKEN:-}${ANTHROPIC_API_KEY:-}" ]; }

sandbox_user_make() {
    id -u "$SANDBOX_USER" >/dev/null 2>&1 && return 0
    note "adding the system user $SANDBOX_USER: the sandboxes' processes are its"
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$SANDBOX_USER"
}
