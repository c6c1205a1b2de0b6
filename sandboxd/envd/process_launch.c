/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/process_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/json/json.h"

#include "common/banned.h"

/* A pipe whose end `ours` (0 reads, 1 writes) does not block; the other is theirs. It belongs to
 * the sandbox's user, who could not open /dev/stdout and its like otherwise. */
static bool pipe_open(const struct process *p, int ours, int *mine, int *theirs)
{
    const struct identity *id = p->sb->fleet->identity;
    int fds[2];

    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    if (id->drop)
        (void)!fchown(fds[0], id->uid, id->gid); /* of both ends */
    *mine = fds[ours];
    *theirs = fds[1 - ours];
    (void)fcntl(*mine, F_SETFL, O_NONBLOCK);
    return true;
}

static enum err_code output_open(struct process *p, struct pipe_end *e, const char *name,
                                 int *theirs, struct err *err)
{
    int mine;

    if (!pipe_open(p, 0, &mine, theirs))
        return err_errno(err, errno, "cannot make a pipe");
    pipe_take(p, e, name, mine);
    return ERR_OK;
}

static enum err_code stdin_open(struct process *p, bool want, int *theirs, struct err *err)
{
    int mine;

    if (!want) {
        *theirs = open("/dev/null", O_RDONLY | O_CLOEXEC);
        return *theirs >= 0 ? ERR_OK : err_errno(err, errno, "cannot open '/dev/null'");
    }
    if (!pipe_open(p, 1, &mine, theirs))
        return err_errno(err, errno, "cannot make a pipe");
    return input_open(&p->in, mine, err);
}

/* NAME=value, unless an object that goes before has that name, too. */
static void add_env(struct buf *b, uint32_t *n, const char *name, const char *value,
                    const cJSON *before, const cJSON *before_that)
{
    if (json_get(before, name) != NULL || json_get(before_that, name) != NULL)
        return;
    buf_addf(b, "%s=%s", name, value);
    buf_addc(b, '\0');
    ++*n;
}

/* The request's, then the sandbox's, then our own. */
static void add_envs(struct buf *b, uint32_t *n, const struct process *p)
{
    const struct sandbox *sb = p->sb;
    const cJSON *envs = json_get(p->config, "envs"), *e;

    cJSON_ArrayForEach(e, envs) add_env(b, n, e->string, cJSON_GetStringValue(e), NULL, NULL);
    cJSON_ArrayForEach(e, sb->env) add_env(b, n, e->string, cJSON_GetStringValue(e), envs, NULL);
    for (const char *const *d = sandbox_environ(sb); *d != NULL; d += 2)
        add_env(b, n, d[0], d[1], envs, sb->env);
    if (p->terminal)
        add_env(b, n, "TERM", "xterm-256color", envs, sb->env);
}

static enum err_code make_spec(const struct process *p, const char *cwd, int *fd, struct err *err)
{
    AUTO_BUF b = BUF_INIT(PROCESS_SPEC_MAX);
    struct init_spec head = {.argc = 1};
    const cJSON *arg;
    const char *cmd;

    buf_add(&b, cwd, strlen(cwd) + 1);
    cmd = json_get_string(p->config, "cmd");
    buf_adds(&b, cmd != NULL ? cmd : "");
    buf_addc(&b, '\0');
    cJSON_ArrayForEach(arg, json_get(p->config, "args"))
    {
        buf_adds(&b, cJSON_GetStringValue(arg));
        buf_addc(&b, '\0');
        head.argc++;
    }
    add_envs(&b, &head.envc, p);
    if (b.rc != ERR_OK)
        return err_set(err, b.rc, "the command is over %d bytes", PROCESS_SPEC_MAX);
    return init_spec_fd(&head, buf_str(&b), fd, err);
}

static enum err_code pipes_open(struct process *p, bool want_stdin, int fds[INIT_FDS],
                                struct err *err)
{
    enum err_code rc = stdin_open(p, want_stdin, &fds[INIT_FD_IN], err);

    if (rc == ERR_OK)
        rc = output_open(p, &p->out, "stdout", &fds[INIT_FD_OUT], err);
    if (rc == ERR_OK)
        rc = output_open(p, &p->err, "stderr", &fds[INIT_FD_ERR], err);
    return rc;
}

/* For a terminal init sends its other end when it has started the command. */
enum err_code process_launch(struct process *p, const struct process_spec *spec, struct err *err)
{
    int fds[INIT_FDS] = {-1, -1, -1, -1};
    struct init_request q = {.op = INIT_START, .ticket = p->ticket};
    enum err_code rc = make_spec(p, spec->cwd, &fds[INIT_FD_SPEC], err);

    if (p->terminal) {
        q.flags = INIT_WITH_PTY;
        q.cols = spec->terminal->cols;
        q.rows = spec->terminal->rows;
    } else if (rc == ERR_OK) {
        rc = pipes_open(p, spec->want_stdin, fds, err);
    }
    if (rc == ERR_OK)
        rc = sandbox_ask(p->sb, &q, fds, p->terminal ? 1 : INIT_FDS, err);
    for (size_t i = 0; i < INIT_FDS; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    return rc;
}
