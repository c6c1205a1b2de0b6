/* SPDX-License-Identifier: Apache-2.0 */
/* A program that the server itself runs in a sandbox. */
#include "sandboxd/sandbox/sandbox_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"

#include "common/banned.h"

enum { COMMAND_MAX = 1 << 20 };

struct command {
    uint32_t ticket;
    int pid; /* 0: not started yet */
    void (*fn)(void *ctx, int wait_status);
    void *ctx;
};

void command_forget(struct sandbox *sb)
{
    free(sb->command);
    sb->command = NULL;
}

static void command_end(struct sandbox *sb, int status)
{
    struct command c = *sb->command;

    command_forget(sb);
    c.fn(c.ctx, status);
}

bool command_report(struct sandbox *sb, const struct init_report *r)
{
    struct command *c = sb->command;
    bool about = c != NULL && (r->kind == INIT_EXITED ? c->pid != 0 && r->pid == c->pid
                                                      : r->ticket == c->ticket);

    if (!about)
        return false;
    if (r->kind == INIT_STARTED)
        c->pid = r->pid;
    else
        command_end(sb, r->kind == INIT_EXITED ? r->status : -1);
    return true;
}

static void add(struct buf *b, uint32_t *n, const char *name, const char *value)
{
    if (value == NULL)
        return;
    buf_addf(b, "%s=%s", name, value);
    buf_addc(b, '\0');
    ++*n;
}

static enum err_code spec_of(struct sandbox *sb, const char *const argv[], int *fd, struct err *err)
{
    AUTO_BUF b = BUF_INIT(COMMAND_MAX);
    struct init_spec head = {0};
    const cJSON *e;

    buf_adds(&b, sandbox_home(sb));
    buf_addc(&b, '\0');
    for (; argv[head.argc] != NULL; head.argc++)
        buf_add(&b, argv[head.argc], strlen(argv[head.argc]) + 1);
    cJSON_ArrayForEach(e, sb->env) add(&b, &head.envc, e->string, cJSON_GetStringValue(e));
    for (const char *const *d = sandbox_environ(sb); *d != NULL; d += 2)
        if (json_get(sb->env, d[0]) == NULL)
            add(&b, &head.envc, d[0], d[1]);
    if (b.rc != ERR_OK)
        return err_set(err, b.rc, "the command is over %d bytes", COMMAND_MAX);
    return init_spec_fd(&head, buf_str(&b), fd, err);
}

enum err_code sandbox_run(struct sandbox *sb, const char *const argv[],
                          void (*fn)(void *ctx, int wait_status), void *ctx, struct err *err)
{
    int fds[INIT_FDS] = {-1, -1, -1, -1};
    struct command *c = sb->command == NULL ? calloc(1, sizeof(*c)) : NULL;

    if (c == NULL)
        return err_set(err, ERR_UNAVAILABLE, "the sandbox is running a command of the server's");
    *c = (struct command){.ticket = sandbox_ticket(sb), .fn = fn, .ctx = ctx};
    enum err_code rc = spec_of(sb, argv, &fds[INIT_FD_SPEC], err);
    int null = rc == ERR_OK ? open("/dev/null", O_RDWR | O_CLOEXEC) : -1;
    fds[INIT_FD_IN] = fds[INIT_FD_OUT] = fds[INIT_FD_ERR] = null;
    if (rc == ERR_OK && null < 0)
        rc = err_errno(err, errno, "cannot open '/dev/null'");
    if (rc == ERR_OK)
        rc = sandbox_ask(sb, &(struct init_request){.op = INIT_START, .ticket = c->ticket}, fds,
                         INIT_FDS, err);
    if (fds[INIT_FD_SPEC] >= 0)
        (void)close(fds[INIT_FD_SPEC]);
    if (null >= 0)
        (void)close(null);
    if (rc == ERR_OK)
        sb->command = c;
    else
        free(c);
    return rc;
}
