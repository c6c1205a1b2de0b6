/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/files_call.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/banned.h"

enum { BUSY_RETRY_MS = 10, BUSY_MAX_MS = 30000 };

static void settle(struct file_call *c)
{
    timer_free(c->again);
    c->again = NULL;
    if (c->request_fd >= 0)
        (void)close(c->request_fd);
    c->request_fd = -1;
    c->fleet = NULL;
    c->ticket = 0;
}

static void on_done(void *ctx, int errnum, int fd)
{
    struct file_call *c = ctx;

    c->ticket = 0;
    if (errnum == EAGAIN && loop_now_ms(c->fleet->loop) < c->deadline_ms) {
        timer_start(c->again, BUSY_RETRY_MS);
        return;
    }
    settle(c);
    c->fn(c, errnum, fd);
}

static void on_again(void *ctx)
{
    struct file_call *c = ctx;

    c->sb = sandbox_find(c->fleet, str_of(c->id)); /* it may have ended meanwhile */
    if (c->sb == NULL)
        on_done(c, ESRCH, -1);
    else if (sandbox_file(c->sb, c->request_fd, on_done, c, &c->ticket, NULL) != ERR_OK)
        on_done(c, EAGAIN, -1);
}

enum err_code file_call(struct file_call *c, struct sandbox *sb, const struct file_op *op,
                        struct str strings, file_call_fn fn, struct err *err)
{
    *c = (struct file_call){
        .owner = c->owner, .fleet = sb->fleet, .sb = sb, .request_fd = -1, .fn = fn};
    (void)snprintf(c->id, sizeof(c->id), "%s", sb->id);
    c->deadline_ms = loop_now_ms(sb->fleet->loop) + BUSY_MAX_MS;
    c->again = timer_new(sb->fleet->loop, on_again, c);
    enum err_code rc = c->again == NULL ? err_set(err, ERR_NOMEM, "file operation")
                                        : file_op_fd(op, strings, &c->request_fd, err);
    if (rc == ERR_OK)
        rc = sandbox_file(sb, c->request_fd, on_done, c, &c->ticket, err);
    if (rc != ERR_OK)
        settle(c);
    return rc;
}

void file_call_cancel(struct file_call *c)
{
    if (c->fleet == NULL)
        return;
    if (c->ticket != 0)
        sandbox_forget(c->sb, c->ticket);
    settle(c);
}

static void nobody(void *ctx, int errnum, int fd)
{
    (void)ctx;
    (void)errnum;
    if (fd >= 0)
        (void)close(fd);
}

void file_call_forgotten(struct sandbox *sb, const struct file_op *op, struct str strings)
{
    uint32_t ticket;
    int fd = -1;

    if (file_op_fd(op, strings, &fd, NULL) != ERR_OK)
        return;
    (void)!sandbox_file(sb, fd, nobody, NULL, &ticket, NULL);
    (void)close(fd);
}

enum err_code file_call_text(int fd, struct buf *out, struct err *err)
{
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_OP_ANSWER_MAX)
        return err_set(err, ERR_IO, "the sandbox gave no answer");
    char *room = buf_room(out, (size_t)st.st_size);
    if (room == NULL)
        return err_set(err, out->rc, "the sandbox's answer");
    ssize_t n = pread(fd, room, (size_t)st.st_size, 0);
    if (n != st.st_size)
        return err_set(err, ERR_IO, "the sandbox's answer is cut short");
    buf_grew(out, (size_t)n);
    return ERR_OK;
}

static void path_call_gone(struct request *r)
{
    struct path_call *p = r->state;

    file_call_cancel(&p->call);
    free(p);
}

struct path_call *path_call_new(struct request *r)
{
    struct path_call *p = calloc(1, sizeof(*p));

    if (p == NULL) {
        request_error(r, 500, "out of memory");
        return NULL;
    }
    p->r = r;
    p->call.owner = p;
    r->state = p;
    r->gone = path_call_gone;
    return p;
}

void put_path(struct buf *strings, const char *path)
{
    buf_add(strings, path, strlen(path) + 1);
}

const char *errno_text(int errnum)
{
    static char text[128];

    (void)snprintf(text, sizeof(text), "%s", strerror(errnum));
    if (isupper((unsigned char)text[0]) && !isupper((unsigned char)text[1]))
        text[0] = (char)tolower((unsigned char)text[0]);
    return text;
}

bool file_refused(int64_t errnum)
{
    return errnum == EACCES || errnum == EPERM || errnum == EROFS;
}
