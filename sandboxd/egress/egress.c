/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/egress/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/log.h"
#include "sandboxd/egress/egress_internal.h"

#include "common/banned.h"

enum { BACKLOG = 64, ACCEPTS_A_TURN = 32, TELL_MS = 1000 };
#define SOCKET_NAME "egress.sock"

/* --- the server's exceptions -------------------------------------------------- */

/* "net", "address:port", "[address]:port". */
static bool read_local(struct str s, struct local *out)
{
    const char *colon = s.n > 0 ? memrchr(s.p, ':', s.n) : NULL;
    int64_t port = 0;

    *out = (struct local){0};
    if (net_parse(s, &out->net))
        return true;
    if (colon == NULL ||
        !str_int((struct str){colon + 1, (size_t)(s.p + s.n - colon) - 1}, 65535, &port))
        return false;
    s.n = (size_t)(colon - s.p);
    if (s.n > 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        s = (struct str){s.p + 1, s.n - 2};
    out->port = (int)port;
    return port > 0 && net_parse(s, &out->net);
}

bool egress_is_local(const struct egress *g, const struct sockaddr *to)
{
    for (size_t i = 0; i < g->n_local; i++)
        if (net_has(&g->local[i].net, to) &&
            (g->local[i].port == 0 || g->local[i].port == net_port(to)))
            return true;
    return false;
}

static enum err_code read_locals(struct egress *g, const struct opt_list *list, struct err *err)
{
    g->local = calloc(list->n + 1, sizeof(*g->local));
    if (g->local == NULL)
        return err_set(err, ERR_NOMEM, "egress");
    for (size_t i = 0; i < list->n; i++) {
        if (!read_local(str_of(list->items[i]), &g->local[i]))
            return err_set(err, ERR_CONFIG,
                           "--egress-allow '%s' is not an address, address:port or network",
                           list->items[i]);
        g->n_local++;
    }
    return ERR_OK;
}

enum err_code egress_new(struct loop *l, const struct egress_opts *opts, struct egress **out,
                         struct err *err)
{
    const struct http_opts http = {.ca_file = opts->ca_file, .proxy = ""};
    struct egress *g = calloc(1, sizeof(*g));
    enum err_code rc;

    if (g == NULL)
        return err_set(err, ERR_NOMEM, "egress");
    g->loop = l;
    rc = read_locals(g, opts->local, err);
    if (rc == ERR_OK)
        rc = http_new(l, &http, &g->http, err);
    if (rc != ERR_OK) {
        egress_free(g);
        return rc;
    }
    *out = g;
    return ERR_OK;
}

void egress_free(struct egress *g)
{
    if (g == NULL)
        return;
    http_free(g->http);
    free(g->local);
    free(g);
}

/* --- a door -------------------------------------------------------------------- */

void door_tell(struct door *d, const char *event)
{
    int64_t now = loop_now_ms(d->egress->loop);

    if (d->told_ms != 0 && now - d->told_ms < TELL_MS)
        return;
    d->told_ms = now;
    log_event(LOG_WARN, event, LF("sandbox", d->sandbox));
}

static void on_knock(void *ctx, int events)
{
    struct door *d = ctx;

    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN; i++) {
        int fd = accept4(d->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0)
            return;
        if (d->n_relays < EGRESS_RELAYS_MAX) {
            relay_open(d, fd);
        } else {
            door_tell(d, "egress.full");
            (void)close(fd);
        }
    }
}

/* By its folder's descriptor: the whole path may be longer than a socket's name can be. */
static enum err_code bind_in(int folder, int fd, const struct door_opts *o, struct err *err)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    (void)snprintf(name.sun_path, sizeof(name.sun_path), "/proc/self/fd/%d/" SOCKET_NAME, folder);
    (void)unlinkat(folder, SOCKET_NAME, 0);
    if (bind(fd, (const struct sockaddr *)&name, sizeof(name)) != 0 ||
        fchmodat(folder, SOCKET_NAME, 0600, 0) != 0 ||
        (geteuid() == 0 && fchownat(folder, SOCKET_NAME, o->uid, o->gid, AT_SYMLINK_NOFOLLOW)) ||
        listen(fd, BACKLOG) != 0)
        return err_errno(err, errno, "cannot make '%s/" SOCKET_NAME "'", o->folder);
    return ERR_OK;
}

static enum err_code listen_in(struct door *d, const struct door_opts *o, struct err *err)
{
    int folder = open(o->folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    enum err_code rc;

    if (folder < 0)
        return err_errno(err, errno, "cannot open '%s'", o->folder);
    d->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    rc = d->fd < 0 ? err_errno(err, errno, "cannot make a socket") : bind_in(folder, d->fd, o, err);
    (void)close(folder);
    return rc;
}

enum err_code door_open(struct egress *g, const struct door_opts *o, struct door **out,
                        struct err *err)
{
    struct door *d = calloc(1, sizeof(*d));
    enum err_code rc;

    if (d == NULL) {
        egress_rules_free(o->rules);
        return err_set(err, ERR_NOMEM, "egress");
    }
    *d = (struct door){.egress = g, .sandbox = o->sandbox, .fd = -1, .rules = o->rules};
    rc = listen_in(d, o, err);
    if (rc == ERR_OK && (d->watch = watch_new(g->loop, d->fd, on_knock, d)) == NULL)
        rc = err_set(err, ERR_NOMEM, "egress");
    if (rc != ERR_OK) {
        door_close(d);
        return rc;
    }
    watch_set(d->watch, WATCH_READ);
    *out = d;
    return ERR_OK;
}

void door_set_rules(struct door *d, struct egress_rules *rules)
{
    egress_rules_free(d->rules);
    d->rules = rules;
}

void door_close(struct door *d)
{
    if (d == NULL)
        return;
    while (!LIST_EMPTY(&d->relays))
        relay_close(LIST_FIRST(&d->relays));
    watch_free(d->watch);
    if (d->fd >= 0)
        (void)close(d->fd);
    egress_rules_free(d->rules);
    free(d);
}
