/* SPDX-License-Identifier: Apache-2.0 */
/* A tail outlives whoever listened to it, for as long as the agent lives: those that an earlier
 * stream, or an earlier worker, left behind are ended before the next one starts. Best effort:
 * what cannot be asked or ended now is met again at the next stream, or dies with the agent. */
#include "worker/capture/capture_internal.h"

#include <stdio.h>
#include <string.h>

#include "worker/e2b/envd_answer.h"

#include "common/banned.h"

const char *capture_tail_tag(const struct capture *c, char out[CAPTURE_TAG_MAX_BYTES])
{
    (void)snprintf(out, CAPTURE_TAG_MAX_BYTES, "tail %s", c->dir);
    return out;
}

static void end_next(struct capture *c);

static void on_signalled(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct capture *c = ctx;

    (void)a, (void)e;
    c->call = NULL;
    end_next(c);
}

static void end_next(struct capture *c)
{
    struct err e;

    while (c->n_tails > 0)
        if (envd_signal(c->envd, c->tails[--c->n_tails], ENVD_KILL, on_signalled, c, &c->call,
                        &e) == ERR_OK)
            return;
    capture_open_stream(c);
}

static void on_listed(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct capture *c = ctx;
    char tag[CAPTURE_TAG_MAX_BYTES];
    struct envd_processes list;
    struct err ignored;

    c->call = NULL;
    c->n_tails = 0;
    if (e->code == ERR_OK && envd_processes_parse(a->body, &list, &ignored) == ERR_OK) {
        (void)capture_tail_tag(c, tag);
        for (size_t i = 0; i < list.n && c->n_tails < CAPTURE_TAILS; i++)
            if (list.all[i].tag && strcmp(list.all[i].tag, tag) == 0)
                c->tails[c->n_tails++] = list.all[i].pid;
        c->stray = list.n > 0 && c->n_tails == CAPTURE_TAILS;
        envd_processes_release(&list);
    }
    end_next(c);
}

void capture_end_tails(struct capture *c)
{
    struct err e;

    if (envd_list(c->envd, on_listed, c, &c->call, &e) != ERR_OK)
        capture_open_stream(c);
}
