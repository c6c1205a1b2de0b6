/* SPDX-License-Identifier: Apache-2.0 */
/* claude-simulated: stands in for the `claude` command where no account is to be
 * had (demos, tests). It thinks nothing and runs nothing; every answer says so. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/uuid.h"
#include "sandboxd/sim/args.h"
#include "sandboxd/sim/directive.h"
#include "sandboxd/sim/lines.h"
#include "sandboxd/sim/session.h"

#include "common/banned.h"

enum { PROMPT_MAX = 10 << 20 };

static volatile sig_atomic_t interrupted;

static void on_int(int sig)
{
    (void)sig;
    interrupted = 1;
}

static void on_term(int sig)
{
    (void)sig;
    _exit(143); /* as the real one: no result line */
}

static int read_prompt(const struct settings *s, struct buf *prompt)
{
    ssize_t n = 0;

    if (s->prompt != NULL)
        buf_adds(prompt, s->prompt);
    while (s->prompt == NULL && prompt->rc == ERR_OK) {
        char *room = buf_room(prompt, 65536);

        if (room == NULL || (n = read(STDIN_FILENO, room, 65536)) <= 0)
            break;
        buf_grew(prompt, (size_t)n);
    }
    if (prompt->len > PROMPT_MAX || prompt->rc != ERR_OK)
        return complain("Error: piped stdin input exceeds 10MB. Pass large content as a file path "
                        "in your prompt instead.",
                        "");
    if (str_trim(buf_str(prompt)).n == 0)
        return complain(
            "Error: Input must be provided either through stdin or as a prompt argument "
            "when using --print",
            "");
    return 0;
}

/* --- the run ------------------------------------------------------------- */

/* Waits, unless a SIGINT came: false. The mask is open only inside ppoll. */
static bool pause_ms(int64_t ms)
{
    sigset_t open;
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)sigemptyset(&open);
    if (!interrupted)
        (void)ppoll(NULL, 0, ms < 0 ? NULL : &t, &open);
    return !interrupted;
}

static void set_signals(const struct directive *d)
{
    sigset_t held;
    struct sigaction act_int = {.sa_handler = on_int},
                     act_term = {.sa_handler = d->ignore_term ? SIG_IGN : on_term};

    (void)sigemptyset(&held);
    (void)sigaddset(&held, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &held, NULL);
    (void)sigaction(SIGINT, &act_int, NULL);
    (void)sigaction(SIGTERM, &act_term, NULL);
}

/* Tests let the agent go on until this file is there, also behind its lines. */
static bool goes_on(void)
{
    const char *path = getenv("SIM_UNTIL_FILE");

    return path != NULL && access(path, F_OK) != 0;
}

/* Tests count the starts of the agent by this file. */
static void note_start(const struct run *r)
{
    const char *path = getenv("SIM_STARTS_FILE");
    char now[CLOCK_TEXT];

    if (path == NULL)
        return;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    (void)dprintf(fd, "%s pid=%d session=%s\n", clock_rfc3339(clock_wall_ms(), now), (int)getpid(),
                  r->session_id);
    (void)close(fd);
}

static void compose(struct buf *b, const struct directive *d, const struct session *s, int64_t i)
{
    buf_clear(b);
    buf_addf(b, "This is a simulation, no model was asked (line %lld of %lld). ", (long long)i,
             (long long)d->lines);
    if (s->prompts > 0)
        buf_addf(b, "This session had %lld earlier prompt%s. ", (long long)s->prompts,
                 s->prompts == 1 ? "" : "s");
    if (d->nul)
        buf_add(b, "a NUL: \0.", 9);
    while (b->rc == ERR_OK && (int64_t)b->len < d->size)
        buf_addc(b, (char)('a' + b->len % 26));
}

/* The lines between init and the end; false: interrupted. `last` keeps the last text. */
static bool speak(struct run *r, const struct directive *d, const struct session *s,
                  struct buf *last)
{
    for (int64_t i = 1; i <= d->lines || goes_on(); i++) {
        if (!pause_ms(d->delay_ms))
            return false;
        compose(last, d, s, i);
        line_text(r, buf_str(last));
        if (i == 1 && d->tool.n > 0)
            line_tool(r, d->tool,
                      STR("{\"command\":\"echo simulated\",\"description\":\"Simulated\"}"),
                      STR("simulated: nothing was run"));
        if (i == 1 && d->text)
            line_raw(STR("this line is not JSON (simulated)\n"));
    }
    return !d->hang || pause_ms(-1);
}

static int finish_failed(struct run *r, const struct directive *d, const struct fail *f)
{
    for (int i = 1; i <= f->retries; i++)
        line_retry(r, f, i);
    if (f->limit)
        line_limit(r, clock_wall_ms() / 1000 + d->reset_s);
    if (f->error != NULL)
        line_api_error(r, f);
    if (f->subtype != NULL)
        line_result_failed(r, f);
    return f->subtype == NULL ? 0 : 1;
}

static int finish_interrupted(struct run *r)
{
    line_interrupted(r);
    line_result_failed(r, fail_find(STR("interrupted")));
    return 0; /* the real one's status, too */
}

static int run(struct run *r, const struct settings *s, const struct directive *d,
               struct session *session)
{
    AUTO_BUF last = BUF_INIT(SIM_LINE_MAX);
    const struct fail *f = fail_find(d->fail);
    int status = 0;

    line_init(r, s->permission_mode);
    if (d->err.n > 0)
        (void)fprintf(stderr, STR_FMT "\n", STR_ARG(d->err));
    if (!speak(r, d, session, &last)) {
        status = finish_interrupted(r);
    } else if (f != NULL) {
        status = finish_failed(r, d, f);
    } else {
        line_result(r, buf_str(&last));
    }
    session->prompts++;
    session->tokens_in += r->tokens_in;
    session->tokens_out += r->tokens_out;
    session_save(session);
    return d->exit >= 0 ? (int)d->exit : status;
}

static int help(void)
{
    (void)puts(
        "usage: claude-simulated -p --output-format stream-json --verbose [PROMPT]\n\n"
        "Stands in for Claude Code: takes its flags, calls no model, runs nothing, and prints\n"
        "what a short run would print. The prompt may hold a directive: [[sim:lines=40\n"
        "delay_ms=100 size=200 fail=overloaded exit=1 hang=1]].");
    return 0;
}

int main(int argc, char **argv)
{
    struct settings s = {.permission_mode = "bypassPermissions"};
    AUTO_BUF prompt = BUF_INIT(PROMPT_MAX + (1 << 20));
    char fresh[UUID_TEXT];

    if (!args_read(&s, argc, argv))
        return 1;
    if (s.help)
        return help();
    if (s.version) {
        (void)puts(SIM_VERSION " (Claude Code simulation)");
        return 0;
    }
    if (args_check(&s) != 0 || read_prompt(&s, &prompt) != 0)
        return 1;

    uuid_v7(clock_wall_ms(), fresh);
    struct session session = {.id = s.resume != NULL    ? s.resume
                                    : s.session != NULL ? s.session
                                                        : fresh};
    struct run r = {.session_id = session.id,
                    .started_ms = clock_wall_ms(),
                    .tokens_in = tokens_of(buf_str(&prompt))};
    struct directive d = directive_parse(buf_str(&prompt));

    set_signals(&d);
    note_start(&r);
    bool known = session_load(&session);
    if (s.resume != NULL && !known) {
        line_no_conversation(&r);
        return 1;
    }
    if (s.session != NULL && known)
        return complain("Error: Session ID is already in use.", "");
    r.session_in = session.tokens_in;
    r.session_out = session.tokens_out;
    return run(&r, &s, &d, &session);
}
