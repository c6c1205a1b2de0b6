/* SPDX-License-Identifier: Apache-2.0 */
/* Scripted faults: where their rules come from. */
#include "sandboxd/server.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"

#include "common/banned.h"

static enum err_code take_rules(struct server *s, struct str text, struct err *err)
{
    struct faults *f = NULL;
    enum err_code rc = faults_parse(text, &f, err);

    if (rc == ERR_OK)
        rc = faults_check(f, server_routes, server_n_routes, err);
    if (rc != ERR_OK) {
        faults_free(f);
        return rc;
    }
    faults_free(s->faults);
    s->faults = f;
    log_event(LOG_WARN, "faults.scripted", LF_INT("rules", faults_count(f)),
              LF("meaning", "answers go wrong on purpose: this server is a test bench"));
    return ERR_OK;
}

enum err_code server_load_faults(struct server *s, const char *path, struct err *err)
{
    AUTO_BUF text = BUF_INIT(FAULTS_BYTES);
    FILE *f = fopen(path, "re");
    char *room;
    size_t n;

    if (f == NULL)
        return err_set(err, ERR_CONFIG, "cannot read '%s' of --faults: %s", path, strerror(errno));
    while ((room = buf_room(&text, 4096)) != NULL && (n = fread(room, 1, 4096, f)) > 0)
        buf_grew(&text, n);
    (void)fclose(f);
    enum err_code rc = text.rc == ERR_OK ? take_rules(s, buf_str(&text), err)
                                         : err_set(err, text.rc, "it is too long");
    return rc == ERR_OK ? rc : err_set(err, ERR_CONFIG, "--faults '%s': %s", path, err->msg);
}

static bool is_offered(struct request *r)
{
    const struct server *s = r->app;

    if (s->fault_endpoint)
        return true;
    request_error(r, 404, "no such path: faults are scripted over HTTP only with --fault-endpoint");
    return false;
}

void handle_faults_put(struct request *r)
{
    struct err e = ERR_INIT;

    if (!is_offered(r))
        return;
    if (take_rules(r->app, buf_str(&r->body), &e) == ERR_OK)
        request_empty(r, 204);
    else
        request_error(r, 400, "%s", e.msg);
}

void handle_faults_get(struct request *r)
{
    const struct server *s = r->app;
    AUTO_BUF body = BUF_INIT(FAULTS_BYTES);

    if (!is_offered(r))
        return;
    faults_json(s->faults, &body);
    request_json(r, 200, &body);
}
