/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandboxd.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/http/listen.h"
#include "common/log.h"
#include "sandboxd/control/life.h"
#include "sandboxd/envd/process_pump.h"
#include "sandboxd/egress/hook.h"
#include "sandboxd/sandbox/data_dir.h"
#include "sandboxd/server.h"

#include "common/banned.h"

struct sandboxd {
    struct loop *loop;
    struct server server;
    struct web *web;
    struct egress *egress; /* NULL: sandboxes have a network */
    int lock;              /* on the folder */
    char data[PATH_MAX];
};

static void on_child(void *ctx)
{
    struct sandboxd *d = ctx;

    fleet_reap(&d->server.fleet);
}

static void on_emptied(void *ctx)
{
    struct sandboxd *d = ctx;

    loop_stop(d->loop);
}

static void on_stop(void *ctx, int count)
{
    struct sandboxd *d = ctx;

    log_event(LOG_INFO, "sandboxd.stopping", LF_INT("sandboxes", d->server.fleet.count));
    d->server.fleet.emptied = on_emptied;
    d->server.fleet.ctx = d;
    sandbox_kill_all(&d->server.fleet, "server stopped");
    if (d->server.fleet.count == 0 || count > 1) /* the first processes finish on their own */
        loop_stop(d->loop);
}

/* Many connections need many descriptors; commands keep the limit we were given. */
static void raise_files(struct fleet *f)
{
    struct rlimit files;

    f->max_files = 1024;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    f->max_files = files.rlim_cur;
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
}

/* Two servers in one folder would take each other's sandboxes away. The lock ends
 * with the process. */
static enum err_code lock_data(struct sandboxd *d, struct err *err)
{
    char path[PATH_MAX + 8];

    (void)snprintf(path, sizeof(path), "%s/lock", d->data);
    d->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (d->lock < 0)
        return err_set(err, ERR_CONFIG, "cannot open '%s': %s", path, strerror(errno));
    if (flock(d->lock, LOCK_EX | LOCK_NB) == 0)
        return ERR_OK;
    return err_set(err, ERR_CONFIG,
                   "another sandfleet-sandboxd works in '%s': stop it, or give --data another "
                   "folder",
                   d->data);
}

static void tell_isolation(const struct isolation *iso)
{
    log_event(*iso->warning != '\0' ? LOG_WARN : LOG_INFO, "sandboxd.isolation",
              LF("level", isolation_name(iso->want.level)), LF("mechanisms", iso->text),
              LF("warning", iso->warning));
}

static enum err_code prepare(struct sandboxd *d, const struct settings *s, struct err *err)
{
    struct server *v = &d->server;
    enum err_code rc = identity_find(s->run_as, &v->identity, err);

    if (rc != ERR_OK)
        return rc;
    if (v->identity.drop && setgroups(0, NULL) != 0)
        return err_errno(err, errno, "cannot leave root's groups");
    (void)umask(022);
    if (mkdir(s->data, 0755) != 0 && errno != EEXIST)
        return err_set(err, ERR_CONFIG, "cannot make '%s' of --data: %s", s->data, strerror(errno));
    if (realpath(s->data, d->data) == NULL)
        return err_set(err, ERR_CONFIG, "cannot find '%s' of --data: %s", s->data, strerror(errno));
    v->api_key = s->api_key;
    v->fault_endpoint = s->fault_endpoint;
    v->fleet = (struct fleet){.data = d->data,
                              .identity = &v->identity,
                              .isolation = &v->isolation,
                              .max_sandboxes = s->max_sandboxes};
    TAILQ_INIT(&v->fleet.all);
    life_hooks(&v->fleet);
    raise_files(&v->fleet);
    if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) /* what a dead init leaves comes to us */
        return err_errno(err, errno, "cannot adopt orphans");
    rc = lock_data(d, err);
    if (rc == ERR_OK)
        rc = data_dir_prepare(d->data, s->claude, &v->identity, err);
    if (rc == ERR_OK)
        rc = isolation_prepare(&s->want, &v->identity, d->data, &v->isolation, err);
    if (rc == ERR_OK)
        rc = snapshots_load(&v->snapshots, d->data, err);
    return rc;
}

static enum err_code open_doors(struct sandboxd *d, const struct settings *s, char *url,
                                struct err *err)
{
    struct web_opts opts = {.routes = server_routes,
                            .n_routes = server_n_routes,
                            .app = &d->server,
                            .upload_max =
                                s->max_upload < s->file_bytes ? s->max_upload : s->file_bytes,
                            .admit = server_admit,
                            .guess = server_guess,
                            .faults = &d->server.faults,
                            .lose = server_lose};
    enum err_code rc = listen_open("--listen", s->listen, &opts.listen_fd, url, err);

    if (rc == ERR_OK)
        rc = loop_new(&d->loop, err);
    if (rc == ERR_OK)
        rc = loop_on_stop(d->loop, on_stop, d, err);
    if (rc == ERR_OK)
        rc = loop_on_signal(d->loop, SIGCHLD, on_child, d, err);
    if (rc == ERR_OK)
        rc = web_new(d->loop, &opts, &d->web, err);
    if (rc == ERR_OK)
        rc = pump_new(d->loop, &d->server.fleet.pump, err);
    d->server.fleet.loop = d->loop;
    d->server.web = d->web;
    return rc;
}

static enum err_code open_egress(struct sandboxd *d, const struct settings *s, struct err *err)
{
    const struct egress_opts opts = {.local = &s->egress_allow, .ca_file = s->egress_ca};

    if (!(d->server.isolation.mechanisms & MECH_NETWORK))
        return ERR_OK;
    enum err_code rc = egress_new(d->loop, &opts, &d->egress, err);
    if (rc == ERR_OK)
        egress_hook(&d->server.fleet, d->egress);
    return rc;
}

enum err_code sandboxd_run(const struct settings *s, struct err *err)
{
    struct sandboxd d = {.lock = -1};
    char url[LISTEN_URL_ROOM];
    enum err_code rc = prepare(&d, s, err);

    if (rc == ERR_OK)
        rc = (d.server.created = idempotency_new()) != NULL &&
                     (d.server.lifecycle = lifecycle_new()) != NULL
                 ? ERR_OK
                 : err_set(err, ERR_NOMEM, "server");
    if (rc == ERR_OK && s->faults != NULL)
        rc = server_load_faults(&d.server, s->faults, err);
    if (rc == ERR_OK)
        rc = open_doors(&d, s, url, err);
    if (rc == ERR_OK)
        rc = open_egress(&d, s, err);
    if (rc == ERR_OK) {
        tell_isolation(&d.server.isolation);
        log_event(LOG_INFO, "sandboxd.ready", LF("url", url), LF("data", d.data));
        loop_run(d.loop);
        log_event(LOG_INFO, "sandboxd.stopped");
    }
    web_free(d.web);
    fleet_release(&d.server.fleet);
    pump_free(d.server.fleet.pump);
    egress_free(d.egress);
    if (d.loop != NULL)
        loop_free(d.loop);
    snapshots_release(&d.server.snapshots);
    lifecycle_free(d.server.lifecycle);
    faults_free(d.server.faults);
    idempotency_free(d.server.created);
    isolation_release(&d.server.isolation);
    if (d.lock >= 0)
        (void)close(d.lock);
    return rc;
}
