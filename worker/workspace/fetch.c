/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/workspace/fetch_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/net.h"
#include "common/path.h"
#include "common/banned.h"

enum { URL_MAX_BYTES = 4096, FILE_SCHEME = sizeof("file:///") - 1 };

static void release(struct fetch *f)
{
    http_cancel(f->req);
    fetch_file_free(f->file);
    free(f->url);
    free(f);
}

void fetch_free(struct fetch *f)
{
    if (f)
        release(f);
}

void fetch_end(struct fetch *f, const struct err *e)
{
    struct fetch_events ev = f->ev;
    struct err copy = *e;
    void *ctx = f->ctx;

    release(f);
    ev.done(ctx, &copy);
}

bool fetch_give(struct fetch *f, struct str piece)
{
    struct err e = ERR_INIT;

    f->bytes += (int64_t)piece.n;
    if (f->bytes > FETCH_MAX_BYTES) {
        (void)err_set(&e, ERR_INVALID, "archive: over %" PRId64 " MiB", FETCH_MAX_BYTES >> 20);
        fetch_end(f, &e);
        return false;
    }
    f->ev.data(f->ctx, piece);
    return true;
}

void fetch_hold(struct fetch *f, bool held)
{
    if (f->file)
        fetch_file_hold(f->file, held);
    else
        http_hold(f->req, held);
}

/* --- by http -------------------------------------------------------------------- */

static bool is_public(void *ctx, const struct sockaddr *to)
{
    (void)ctx;
    return !net_private(to);
}

static void on_data(void *ctx, struct str piece)
{
    (void)fetch_give(ctx, piece);
}

static enum err_code ask(struct fetch *f, struct err *err);

/* False: it is none that is followed, and *e says so. */
static bool redirected(struct fetch *f, const struct http_answer *a, struct err *e)
{
    const char *location = http_answer_header(a, "Location");
    AUTO_BUF url = BUF_INIT(URL_MAX_BYTES);
    bool secure = str_starts(str_of(f->url), "https:");

    if (++f->redirects > FETCH_REDIRECTS)
        (void)err_set(e, ERR_INVALID, "archive: over %d redirects", FETCH_REDIRECTS);
    else if (!location)
        (void)err_set(e, ERR_PROTOCOL, "archive: a redirect to nowhere");
    else if (http_resolve(f->url, location, &url, e) == ERR_OK &&
             !str_starts(buf_str(&url), secure ? "https://" : "http"))
        (void)err_set(e, ERR_INVALID, "archive: a redirect to another scheme");
    if (e->code != ERR_OK)
        return false;
    free(f->url);
    f->url = buf_take(&url);
    f->req = NULL;
    return (f->url ? ask(f, e) : err_set(e, ERR_NOMEM, "archive")) == ERR_OK;
}

static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct fetch *f = ctx;
    struct err why = *e;

    f->req = NULL;
    if (why.code == ERR_OK && a->status / 100 == 3 && redirected(f, a, &why))
        return;
    if (why.code == ERR_OK && a->status / 100 != 2)
        (void)err_set(&why, a->status == 404 || a->status == 410 ? ERR_NOT_FOUND : ERR_UNAVAILABLE,
                      "archive: HTTP status %d", a->status);
    fetch_end(f, &why);
}

static enum err_code ask(struct fetch *f, struct err *err)
{
    static const struct http_events ev = {.data = on_data, .done = on_done};
    const struct http_call call = {.method = "GET",
                                   .url = f->url,
                                   .total_ms = FETCH_MAX_MS,
                                   .silence_ms = FETCH_SILENCE_MS,
                                   .bulk = true,
                                   .once = true,
                                   .allowed = f->policy->allow_private ? NULL : is_public};

    return http_start(f->policy->http, &call, &ev, f, &f->req, err);
}

/* --- start ---------------------------------------------------------------------- */

enum err_code fetch_local_path(const char *folder, const char *url, const char **out,
                               struct err *err)
{
    const char *path = url + FILE_SCHEME - 1;
    size_t n = folder ? strlen(folder) : 0;

    while (n > 1 && folder[n - 1] == '/')
        n--;
    if (!folder)
        return err_set(err, ERR_INVALID, "file: addresses are not taken (--local-files)");
    if (strncmp(path, folder, n) != 0 || path[n] != '/' || path_fault(str_of(path + n + 1)))
        return err_set(err, ERR_INVALID, "a file: address outside of --local-files");
    *out = path + n + 1;
    return ERR_OK;
}

static enum err_code start(struct fetch *f, struct err *err)
{
    const char *path = NULL;

    if (!f->url)
        return err_set(err, ERR_NOMEM, "archive");
    if (!str_starts(str_of(f->url), "file:///"))
        return ask(f, err);
    if (fetch_local_path(f->policy->local_files, f->url, &path, err) != ERR_OK)
        return err->code;
    return fetch_file_start(f, path, err);
}

enum err_code fetch_start(const struct fetch_policy *policy, const char *url,
                          const struct fetch_events *ev, void *ctx, struct fetch **out,
                          struct err *err)
{
    struct fetch *f = calloc(1, sizeof(*f));

    if (!f)
        return err_set(err, ERR_NOMEM, "archive");
    *f = (struct fetch){.policy = policy, .ev = *ev, .ctx = ctx, .url = str_dup(str_of(url))};
    if (start(f, err) != ERR_OK) {
        release(f);
        return err->code;
    }
    *out = f;
    return ERR_OK;
}
