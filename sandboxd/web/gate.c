/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/web/gate.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandboxd/web/web_internal.h"

#include "common/banned.h"

enum { DRIP_MS = 100, BLOCK_BYTES = 32 << 10 };

struct gate {
    struct held held; /* while it holds the connection */
    struct web *web;
    struct MHD_Connection *conn;
    struct effect effect;
    int64_t left;        /* bytes that may pass now */
    struct timer *timer; /* drip: the next portion */
    struct watch *watch; /* half open: the client goes away */
    bool holding, shut;
};

static int socket_of(struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info != NULL ? info->connect_fd : -1;
}

/* A TCP socket that is connected to nothing sends a reset to the one it was connected to. */
static void reset(struct MHD_Connection *conn)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};

    (void)connect(socket_of(conn), &nobody, sizeof(nobody));
}

/* --- holding ------------------------------------------------------------------- */

static void release(struct gate *g)
{
    if (!g->holding)
        return;
    g->holding = false;
    LIST_REMOVE(&g->held, link);
    timer_stop(g->timer);
    watch_free(g->watch);
    g->watch = NULL;
    MHD_resume_connection(g->conn);
    web_kick(g->web);
}

static void on_shut(struct held *h)
{
    struct gate *g = CONTAINER_OF(h, struct gate, held);

    g->shut = true;
    release(g);
}

static void on_client(void *ctx, int events)
{
    struct gate *g = ctx;
    char c;

    (void)events;
    if (recv(socket_of(g->conn), &c, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
        watch_set(g->watch, 0); /* it talks: its end cannot be seen behind that */
    else
        on_shut(&g->held);
}

static void on_portion(void *ctx)
{
    struct gate *g = ctx;
    int64_t portion = g->effect.bytes_per_s * DRIP_MS / 1000;

    g->left = portion > 0 ? portion : 1;
    release(g);
}

static int64_t pause_ms(const struct gate *g)
{
    return g->effect.bytes_per_s * DRIP_MS >= 1000 ? DRIP_MS : 1000 / g->effect.bytes_per_s;
}

static void hold(struct gate *g)
{
    g->holding = true;
    g->held.shut = on_shut;
    web_hold(g->web, &g->held);
    MHD_suspend_connection(g->conn);
    if (g->effect.kind == FAULT_DRIP) {
        timer_start(g->timer, pause_ms(g));
        return;
    }
    g->watch = watch_new(web_loop(g->web), socket_of(g->conn), on_client, g);
    if (g->watch != NULL)
        watch_set(g->watch, WATCH_READ);
}

/* --- asking ---------------------------------------------------------------------- */

struct gate *gate_new(struct request *r)
{
    struct gate *g = r->effect.kind != FAULT_NONE ? calloc(1, sizeof(*g)) : NULL;

    if (g == NULL)
        return NULL;
    g->web = r->web;
    g->conn = r->conn;
    g->effect = r->effect;
    g->left = g->effect.after_bytes > 0 ? g->effect.after_bytes : 0;
    if (g->effect.kind == FAULT_NO_END && g->effect.after_bytes == FAULT_UNTOLD)
        g->left = INT64_MAX;
    g->timer = timer_new(web_loop(r->web), on_portion, g);
    if (g->timer != NULL)
        return g;
    free(g);
    return NULL;
}

bool gate_ask(struct gate *g, size_t *max, ssize_t *answer)
{
    if (g == NULL)
        return true;
    if (g->left > 0 && !g->shut) {
        *max = (int64_t)*max > g->left ? (size_t)g->left : *max;
        return true;
    }
    *answer = MHD_CONTENT_READER_END_WITH_ERROR;
    if (g->shut)
        return false;
    if (g->effect.kind == FAULT_CUT) {
        reset(g->conn);
    } else if (g->effect.kind == FAULT_NO_END) {
        *answer = MHD_CONTENT_READER_END_OF_STREAM;
    } else {
        *answer = 0;
        hold(g);
    }
    return false;
}

void gate_passed(struct gate *g, size_t n)
{
    if (g != NULL)
        g->left -= (int64_t)n;
}

void gate_free(struct gate *g)
{
    if (g == NULL)
        return;
    if (g->holding)
        LIST_REMOVE(&g->held, link);
    timer_free(g->timer);
    watch_free(g->watch);
    free(g);
}

bool gate_drops_end(const struct gate *g)
{
    return g != NULL && g->effect.kind == FAULT_NO_END;
}

bool gate_cuts_early(struct request *r)
{
    if (r->effect.kind != FAULT_CUT || r->effect.after_bytes != -1)
        return false;
    reset(r->conn);
    return true;
}

/* --- a body of its own -------------------------------------------------------------- */

struct body {
    struct gate *gate;
    char *text; /* or: */
    int fd;
    uint64_t from, n;
};

static ssize_t read_body(void *ctx, uint64_t pos, char *to, size_t max)
{
    struct body *b = ctx;
    ssize_t n, answer;

    if (!gate_ask(b->gate, &max, &answer))
        return answer;
    if (pos >= b->n)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (max > b->n - pos)
        max = (size_t)(b->n - pos);
    n = b->fd >= 0 ? pread(b->fd, to, max, (off_t)(b->from + pos)) : (ssize_t)max;
    if (n <= 0)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (b->fd < 0)
        memcpy(to, b->text + pos, max);
    gate_passed(b->gate, (size_t)n);
    return n;
}

static void free_body(void *ctx)
{
    struct body *b = ctx;

    gate_free(b->gate);
    free(b->text);
    if (b->fd >= 0)
        (void)close(b->fd);
    free(b);
}

struct MHD_Response *gate_response(struct request *r, char *text, int fd, uint64_t from, uint64_t n)
{
    struct body *b = calloc(1, sizeof(*b));
    struct MHD_Response *m = NULL;

    if (b != NULL) {
        *b = (struct body){.text = text, .fd = fd, .from = from, .n = n, .gate = gate_new(r)};
        m = MHD_create_response_from_callback(n, BLOCK_BYTES, read_body, b, free_body);
        if (m == NULL)
            free_body(b);
        return m;
    }
    free(text);
    if (fd >= 0)
        (void)close(fd);
    return NULL;
}
