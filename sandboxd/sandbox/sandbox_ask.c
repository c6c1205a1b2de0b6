/* SPDX-License-Identifier: Apache-2.0 */
/* Asking a sandbox's init, and who waits for which answer. */
#include "sandboxd/sandbox/sandbox_internal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandboxd/sandbox/packet.h"

#include "common/banned.h"

struct pending {
    LIST_ENTRY(pending) link;
    uint32_t ticket;
    sandbox_done fn;
    void *ctx;
};

uint32_t sandbox_ticket(struct sandbox *sb)
{
    if (++sb->tickets == 0)
        ++sb->tickets;
    return sb->tickets;
}

enum err_code sandbox_ask(struct sandbox *sb, const struct init_request *q, const int *fds,
                          size_t n_fds, struct err *err)
{
    if (packet_send(sb->init_fd, q, sizeof(*q), fds, n_fds, MSG_DONTWAIT))
        return ERR_OK;
    return err_set(err, ERR_UNAVAILABLE, "the sandbox's first process does not answer");
}

static void forget(struct sandbox *sb, struct pending *p)
{
    LIST_REMOVE(p, link);
    sb->n_pending--;
    free(p);
}

static struct pending *find(const struct sandbox *sb, uint32_t ticket)
{
    struct pending *p;

    LIST_FOREACH(p, &sb->pending, link)
    if (p->ticket == ticket)
        return p;
    return NULL;
}

static enum err_code ask_and_wait(struct sandbox *sb, struct init_request q, int fd,
                                  struct pending want, uint32_t *ticket, struct err *err)
{
    struct pending *p = sb->n_pending < SANDBOX_PENDING_MAX ? malloc(sizeof(*p)) : NULL;

    if (p == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the sandbox has too much to do");
    *p = want;
    p->ticket = q.ticket = sandbox_ticket(sb);
    LIST_INSERT_HEAD(&sb->pending, p, link);
    sb->n_pending++;
    enum err_code rc = sandbox_ask(sb, &q, &fd, fd >= 0, err);
    if (rc != ERR_OK)
        forget(sb, p);
    else
        *ticket = q.ticket;
    return rc;
}

enum err_code sandbox_file(struct sandbox *sb, int request_fd, sandbox_done fn, void *ctx,
                           uint32_t *ticket, struct err *err)
{
    return ask_and_wait(sb, (struct init_request){.op = INIT_FILE}, request_fd,
                        (struct pending){.fn = fn, .ctx = ctx}, ticket, err);
}

enum err_code sandbox_pause(struct sandbox *sb, sandbox_done fn, void *ctx, uint32_t *ticket,
                            struct err *err)
{
    return ask_and_wait(sb, (struct init_request){.op = INIT_PAUSE}, -1,
                        (struct pending){.fn = fn, .ctx = ctx}, ticket, err);
}

enum err_code sandbox_resume(struct sandbox *sb, sandbox_done fn, void *ctx, uint32_t *ticket,
                             struct err *err)
{
    return ask_and_wait(sb, (struct init_request){.op = INIT_RESUME}, -1,
                        (struct pending){.fn = fn, .ctx = ctx}, ticket, err);
}

void sandbox_forget(struct sandbox *sb, uint32_t ticket)
{
    struct pending *p = find(sb, ticket);

    if (p != NULL)
        forget(sb, p);
}

void sandbox_answered(struct sandbox *sb, uint32_t ticket, int errnum, int fd)
{
    struct pending *p = find(sb, ticket);

    if (p == NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    const struct pending copy = *p;
    forget(sb, p);
    copy.fn(copy.ctx, errnum, fd);
}

void sandbox_answer_all(struct sandbox *sb, int errnum)
{
    struct pending *p;

    while ((p = LIST_FIRST(&sb->pending)) != NULL)
        sandbox_answered(sb, p->ticket, errnum, -1);
}
