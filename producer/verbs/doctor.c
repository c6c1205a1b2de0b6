/* SPDX-License-Identifier: Apache-2.0 */
/* The checks' processes. */
#include "producer/verbs/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/banned.h"

const struct doctor_check doctor_checks[] = {
    {"config", "The configuration file can be read", {NULL}, doctor_config},
    {"kafka", "Kafka answers", {NULL}, doctor_kafka},
    {"topics", "The topics are as topics.yaml asks", {"kafka"}, doctor_topics},
    {"database", "Postgres answers", {NULL}, doctor_database},
    {"migrations", "The tables are of this version", {"database"}, doctor_migrations},
    {"clock", "This clock and the database's agree", {"database"}, doctor_clock},
    {"workers", "A worker is alive", {"migrations"}, doctor_workers},
    {"sink", "The sink keeps up", {"migrations", "topics"}, doctor_sink},
    {"api", "The API is ready", {NULL}, doctor_api},
    {"api-key", "The API takes this key", {"api"}, doctor_api_key},
    {"sandboxes", "The sandbox service answers", {NULL}, doctor_sandboxes},
};
const size_t doctor_checks_n = COUNTOF(doctor_checks);

enum { CHECKS = COUNTOF(doctor_checks), GRACE_MS = 50 };

/* --- answers ------------------------------------------------------------------------ */

static void say(char *out, size_t size, const char *fmt, va_list ap) PRINTF(3, 0);
static void say(char *out, size_t size, const char *fmt, va_list ap)
{
    int n = vsnprintf(out, size, fmt, ap);

    for (char *p = out; *p; p++) /* a server's own words may be anything */
        *p = (unsigned char)*p < ' ' || *p == 0x7f ? ' ' : *p;
    for (size_t i = strlen(out); n > 0 && i > 0 && out[i - 1] == ' '; i--)
        out[i - 1] = '\0';
}

void doctor_ok(struct doctor_result *r, const char *fmt, ...)
{
    va_list ap;

    r->state = DOCTOR_OK;
    va_start(ap, fmt);
    say(r->found, sizeof r->found, fmt, ap);
    va_end(ap);
}

void doctor_skipped(struct doctor_result *r, const char *fmt, ...)
{
    va_list ap;

    r->state = DOCTOR_SKIPPED;
    va_start(ap, fmt);
    say(r->found, sizeof r->found, fmt, ap);
    va_end(ap);
}

void doctor_failed(struct doctor_result *r, enum err_code code, const char *fmt, ...)
{
    va_list ap;

    r->state = DOCTOR_FAILED;
    r->code = code;
    va_start(ap, fmt);
    say(r->found, sizeof r->found, fmt, ap);
    va_end(ap);
}

void doctor_next(struct doctor_result *r, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(r->next, sizeof r->next, fmt, ap);
    va_end(ap);
}

/* --- one check ------------------------------------------------------------------------ */

struct trial {
    const struct doctor_check *check;
    struct doctor_result *result;
    pid_t pid;
    int fd;           /* the result comes here; -1: not begun, or done */
    int64_t began_ms; /* 0: not yet */
    bool done;
};

static void child(const struct doctor_check *check, const struct doctor_settings *s, int fd)
{
    struct doctor_result r = {.state = DOCTOR_FAILED, .code = ERR_INTERNAL};

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    log_setup(LOG_ERROR, LOG_TEXT, 2); /* what a library has to say of a broker is in the answer */
    check->run(s, &r);
    for (ssize_t n = -1; n < 0;)
        if ((n = write(fd, &r, sizeof r)) < 0 && errno != EINTR)
            break;
    _exit(0);
}

static void begin(struct trial *t, const struct doctor_settings *s)
{
    int ends[2];

    t->began_ms = clock_boot_ms();
    t->fd = -1;
    if (pipe2(ends, O_CLOEXEC) != 0 || (t->pid = fork()) < 0) {
        doctor_failed(t->result, ERR_INTERNAL, "cannot start the check: %s", strerror(errno));
        doctor_next(t->result, "may this user have more processes and files? ulimit -a");
        t->done = true;
        return;
    }
    if (t->pid == 0)
        child(t->check, s, ends[1]);
    (void)close(ends[1]);
    t->fd = ends[0];
}

static void finish(struct trial *t, int64_t deadline_ms, bool in_time)
{
    struct doctor_result *r = t->result;
    int status = 0;
    ssize_t n = in_time ? read(t->fd, r, sizeof *r) : 0;

    (void)kill(t->pid, SIGKILL);
    while (waitpid(t->pid, &status, 0) < 0 && errno == EINTR)
        ;
    (void)close(t->fd);
    t->fd = -1;
    t->done = true;
    if (!in_time)
        doctor_failed(r, ERR_TIMEOUT, "no answer within %lld ms", (long long)deadline_ms);
    else if (n != (ssize_t)sizeof *r)
        doctor_failed(r, ERR_INTERNAL, "the check itself ended with status %d", status);
    if (in_time && n != (ssize_t)sizeof *r)
        doctor_next(r, "that is a bug of ours");
    if (!in_time)
        doctor_next(r, "is something between here and there that swallows packets? --deadline "
                       "gives it more time");
    r->ms = clock_boot_ms() - t->began_ms;
}

/* --- all of them ------------------------------------------------------------------------ */

static struct trial *trial_of(struct trial *trials, const char *name)
{
    for (size_t i = 0; i < CHECKS; i++)
        if (strcmp(trials[i].check->name, name) == 0)
            return &trials[i];
    return NULL;
}

/* Begins what can begin; what needs something that is not well is skipped. */
static void begin_some(struct trial *trials, const struct doctor_settings *s)
{
    for (size_t i = 0; i < CHECKS; i++) {
        struct trial *t = &trials[i];
        bool wait = t->done || t->began_ms != 0;

        for (size_t k = 0; k < COUNTOF(t->check->needs) && t->check->needs[k] && !wait; k++) {
            const struct trial *other = trial_of(trials, t->check->needs[k]);

            wait = !other->done;
            if (other->done && other->result->state != DOCTOR_OK) {
                doctor_skipped(t->result, "as %s is not well", other->check->name);
                t->done = wait = true;
            }
        }
        if (!wait)
            begin(t, s);
    }
}

static bool all_done(const struct trial *trials)
{
    for (size_t i = 0; i < CHECKS; i++)
        if (!trials[i].done)
            return false;
    return true;
}

static void await(struct trial *trials, int64_t deadline_ms)
{
    struct pollfd fds[CHECKS];
    int64_t now = clock_boot_ms(), left = deadline_ms;

    for (size_t i = 0; i < CHECKS; i++) {
        int64_t own = trials[i].began_ms + deadline_ms - now;

        fds[i] = (struct pollfd){.fd = trials[i].done ? -1 : trials[i].fd, .events = POLLIN};
        if (fds[i].fd >= 0 && own < left)
            left = own > 0 ? own : 0;
    }
    (void)poll(fds, CHECKS, (int)left + GRACE_MS);
    now = clock_boot_ms();
    for (size_t i = 0; i < CHECKS; i++)
        if (fds[i].fd >= 0 && (fds[i].revents || now - trials[i].began_ms >= deadline_ms))
            finish(&trials[i], deadline_ms, fds[i].revents != 0);
}

void doctor_run(const struct doctor_settings *s, struct doctor_result *r)
{
    struct trial trials[CHECKS];

    for (size_t i = 0; i < CHECKS; i++) {
        r[i] = (struct doctor_result){0};
        trials[i] = (struct trial){.check = &doctor_checks[i], .result = &r[i], .fd = -1};
    }
    while (!all_done(trials)) {
        begin_some(trials, s);
        await(trials, s->deadline_ms);
    }
}
