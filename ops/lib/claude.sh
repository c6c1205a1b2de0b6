# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Which program the sandboxes find as `claude`.

SANDBOX_USER=sandfleet # whose processes the sandboxes are when we are root

# Sets CLAUDE to a program that the sandboxes' user can execute, and says which it is.
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
    if is_root; then
        sandbox_user_make
        claude_in_reach || claude_copy
    fi
}

credential_given() { [ -n "${CLAUDE_CODE_OAUTH_TOKEN:-}${ANTHROPIC_API_KEY:-}" ]; }

sandbox_user_make() {
    id -u "$SANDBOX_USER" >/dev/null 2>&1 && return 0
    note "adding the system user $SANDBOX_USER: the sandboxes' processes are its"
    useradd --system --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin "$SANDBOX_USER"
}

claude_in_reach() { as_user "$SANDBOX_USER" test -x "$CLAUDE"; }

# A program in root's home: the sandboxes get a copy. A script would miss its other files.
claude_copy() {
    local copy
    copy=$(data_dir)/claude/${CLAUDE##*/}
    [ "$(head -c 4 "$CLAUDE" | tail -c 3)" = ELF ] ||
        die "user $SANDBOX_USER cannot execute '$CLAUDE'" "install it where every user can, such as /usr/local"
    install -d -m 755 "${copy%/*}"
    cp --update --reflink=auto "$CLAUDE" "$copy.new"
    chmod 755 "$copy.new"
    mv -f "$copy.new" "$copy"
    CLAUDE=$copy
    claude_in_reach || die "user $SANDBOX_USER cannot execute '$CLAUDE'"
}
