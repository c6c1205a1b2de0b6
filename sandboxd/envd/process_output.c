/* SPDX-License-Identifier: Apache-2.0 */
/* What a process writes: read by the pump, handed to who follows it, left in its pipe while one of
 * them does not read. And the terminal, which is one thing for both ways. */
#include "sandboxd/envd/process_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/log.h"

#include "common/banned.h"

/* A read of so much says that there may be more: a terminal gives at most 4095 bytes at once. */
enum { TERMINAL_MUCH = 2048, PIPE_MUCH = PROCESS_READ_BYTES / 2, DRAIN_READS = 16 };

static void watch_end(struct pipe_end *e, bool on)
{
    struct err err = ERR_INIT;

    if (e->end.fd >= 0 && pump_set(e->p->sb->fleet->pump, &e->end, on, &err) != ERR_OK)
        log_event(LOG_ERROR, "process.deaf", LF_INT("pid", e->p->pid), LF_ERR(&err));
}

void process_watch_output(struct process *p)
{
    bool on = !subscribers_full(&p->readers);

    watch_end(&p->out, on);
    watch_end(&p->err, on);
}

void pipe_close(struct pipe_end *e)
{
    if (e->end.fd < 0)
        return;
    pump_off(e->p->sb->fleet->pump, &e->end);
    (void)close(e->end.fd);
    e->end.fd = -1;
}

void process_give_up_output(struct process *p)
{
    if (!p->killed || !p->exited || !subscribers_full(&p->readers))
        return;
    pipe_close(&p->out);
    pipe_close(&p->err);
}

static void output_ended(struct pipe_end *e)
{
    struct process *p = e->p;
    struct err gone = ERR_INIT;

    pipe_close(e);
    (void)err_set(&gone, ERR_GONE, "the terminal is closed");
    if (p->terminal)
        input_close(&p->in, &gone);
    process_maybe_end(p);
}

/* Reads once: how many bytes; 0: none at the moment, or no more. */
static ssize_t take_output(struct pipe_end *e)
{
    static char bytes[PROCESS_READ_BYTES];
    struct process *p = e->p;
    size_t room = p->terminal ? PROCESS_TERMINAL_BYTES : sizeof(bytes);
    ssize_t n = read(e->end.fd, bytes, room);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) { /* of a terminal the end is EIO */
        output_ended(e);
        return 0;
    }
    subscribers_output(&p->readers, e->name, (struct str){bytes, (size_t)n});
    if (subscribers_full(&p->readers))
        process_watch_output(p);
    return n;
}

/* True: there may be more. */
static bool on_output(void *ctx)
{
    struct pipe_end *e = ctx;

    return take_output(e) >= (e->p->terminal ? TERMINAL_MUCH : PIPE_MUCH);
}

void process_drain(struct process *p)
{
    struct pipe_end *const ends[] = {&p->out, &p->err};

    for (size_t i = 0; i < COUNTOF(ends); i++)
        for (int n = 0; n < DRAIN_READS && ends[i]->end.on && take_output(ends[i]) > 0; n++)
            continue;
}

void pipe_take(struct process *p, struct pipe_end *e, const char *name, int fd)
{
    *e = (struct pipe_end){.p = p, .name = name, .end = {.fd = fd, .ready = on_output, .ctx = e}};
}

/* --- terminals ---------------------------------------------------------------- */

bool process_take_terminal(struct process *p, int fd)
{
    int other = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;

    if (fd < 0)
        return false;
    (void)fcntl(fd, F_SETFL, O_NONBLOCK);
    pipe_take(p, &p->out, "pty", fd);
    if (other >= 0)
        return input_open(&p->in, other, NULL) == ERR_OK;
    pipe_close(&p->out);
    return false;
}

struct input_queue *process_input(struct process *p)
{
    return &p->in;
}

bool process_on_terminal(const struct process *p)
{
    return p->terminal;
}

enum err_code process_resize(struct process *p, const struct terminal *size, struct err *err)
{
    const struct winsize w = {.ws_col = size->cols, .ws_row = size->rows};

    if (!p->terminal)
        return err_set(err, ERR_INVALID, "tty not assigned to process");
    if (p->out.end.fd < 0 || ioctl(p->out.end.fd, TIOCSWINSZ, &w) != 0)
        return err_set(err, ERR_GONE, "the terminal is closed");
    return ERR_OK;
}
