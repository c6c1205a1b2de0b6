/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/process_input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/banned.h"

struct input_part {
    TAILQ_ENTRY(input_part) link;
    bool end; /* no bytes, but the end */
    struct buf bytes;
    size_t sent;
    input_done fn; /* NULL: forgotten */
    void *ctx;
};

void input_init(struct input_queue *q, struct loop *l)
{
    *q = (struct input_queue){.loop = l, .fd = -1};
    TAILQ_INIT(&q->parts);
}

static void part_done(struct input_queue *q, struct input_part *part, const struct err *e)
{
    TAILQ_REMOVE(&q->parts, part, link);
    q->waiting -= part->bytes.len;
    if (part->fn != NULL)
        part->fn(part->ctx, e);
    buf_release(&part->bytes);
    free(part);
}

void input_close(struct input_queue *q, const struct err *why)
{
    const struct err well = ERR_INIT;
    struct input_part *part;

    watch_free(q->watch);
    q->watch = NULL;
    if (q->fd >= 0)
        (void)close(q->fd);
    q->fd = -1;
    while ((part = TAILQ_FIRST(&q->parts)) != NULL)
        part_done(q, part, why != NULL ? why : &well);
}

/* How many bytes went; less than all: it would block. -1: nobody reads any more. */
static ssize_t put(int fd, const char *p, size_t n)
{
    size_t done = 0;

    while (done < n) {
        ssize_t k = write(fd, p + done, n - done);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return errno == EAGAIN ? (ssize_t)done : -1;
        done += (size_t)k;
    }
    return (ssize_t)done;
}

static void on_writable(void *ctx, int events)
{
    struct input_queue *q = ctx;
    const struct err well = ERR_INIT;
    struct input_part *part;
    struct err e = ERR_INIT;

    (void)events;
    while ((part = TAILQ_FIRST(&q->parts)) != NULL) {
        if (part->end) { /* those behind it come too late */
            part_done(q, part, &well);
            (void)err_set(&e, ERR_GONE, "stdin not enabled or closed");
            input_close(q, &e);
            return;
        }
        ssize_t n = put(q->fd, part->bytes.p + part->sent, part->bytes.len - part->sent);
        if (n < 0) {
            (void)err_set(&e, ERR_GONE, "broken pipe");
            input_close(q, &e);
            return;
        }
        part->sent += (size_t)n;
        if (part->sent < part->bytes.len)
            return;
        part_done(q, part, &well);
    }
    watch_set(q->watch, 0);
}

enum err_code input_open(struct input_queue *q, int fd, struct err *err)
{
    q->fd = fd;
    q->watch = watch_new(q->loop, fd, on_writable, q);
    return q->watch != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "input");
}

static enum err_code wait_for(struct input_queue *q, struct input_part what,
                              const struct input_want *want, struct err *err)
{
    struct input_part *part = malloc(sizeof(*part));

    if (part == NULL) {
        buf_release(&what.bytes);
        return err_set(err, ERR_NOMEM, "input");
    }
    *part = what;
    part->fn = want->fn;
    part->ctx = want->ctx;
    q->waiting += part->bytes.len;
    TAILQ_INSERT_TAIL(&q->parts, part, link);
    watch_set(q->watch, WATCH_WRITE);
    *want->waits = part;
    return ERR_OK;
}

enum err_code input_add(struct input_queue *q, struct buf *bytes, const struct input_want *want,
                        struct err *err)
{
    ssize_t n = 0;

    *want->waits = NULL;
    if (q->fd < 0)
        return err_set(err, ERR_GONE, "stdin not enabled or closed");
    if (bytes->len > INPUT_WAITING_MAX - q->waiting)
        return err_set(err, ERR_CAPACITY, "%zu bytes wait for the process to read them",
                       q->waiting);
    if (TAILQ_EMPTY(&q->parts))
        n = put(q->fd, bytes->p, bytes->len);
    if (n < 0)
        return err_set(err, ERR_GONE, "broken pipe");
    if ((size_t)n == bytes->len)
        return ERR_OK;
    struct input_part rest = {.bytes = *bytes, .sent = (size_t)n};
    *bytes = BUF_INIT(bytes->max);
    return wait_for(q, rest, want, err);
}

enum err_code input_end(struct input_queue *q, const struct input_want *want, struct err *err)
{
    *want->waits = NULL;
    if (!TAILQ_EMPTY(&q->parts))
        return wait_for(q, (struct input_part){.end = true}, want, err);
    input_close(q, NULL);
    return ERR_OK;
}

void input_forget(struct input_part *part)
{
    part->fn = NULL;
}
