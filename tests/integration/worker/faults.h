/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts sandboxd's faults, and counts what is left. */
#ifndef SANDFLEET_TESTS_WORKER_FAULTS_H
#define SANDFLEET_TESTS_WORKER_FAULTS_H

#include <dirent.h>

#include "common/json/json.h"
#include "fixture.h"

static void faults_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    int *status = ctx;

    assert_string_equal(e->msg, "");
    *status = a->status;
    loop_stop(fx.loop);
}

/* `rules`: a JSON list; it replaces all there were. */
static void faults_set(const char *rules)
{
    static const struct http_events ev = {.done = faults_done};
    static const char *const headers[] = {"X-API-Key: " FIXTURE_KEY,
                                          "Content-Type: application/json"};
    char url[128];
    struct http *http = NULL;
    struct http_req *req = NULL;
    struct err e;
    int status = 0;

    (void)snprintf(url, sizeof(url), "%s/sandfleet/faults", fx.url);
    assert_string_equal(err_name(http_new(fx.loop, NULL, &http, &e)), "OK");
    const struct http_call call = {.method = "PUT",
                                   .url = url,
                                   .headers = headers,
                                   .n_headers = COUNTOF(headers),
                                   .body = str_of(rules),
                                   .total_ms = 10000};
    assert_string_equal(err_name(http_start(http, &call, &ev, &status, &req, &e)), "OK");
    fx_run();
    assert_int_equal(status / 100, 2);
    http_free(http);
}

/* Descriptors of this process. */
FX_HELPER int faults_handles(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;

    while (d && readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

struct faults_left {
    int n;
    char ids[256][SANDBOX_ID_MAX_BYTES];
    struct err e;
};

static void faults_each(void *ctx, const struct sandbox_info *info)
{
    struct faults_left *l = ctx;

    assert_true(l->n < (int)COUNTOF(l->ids));
    for (int i = 0; i < l->n; i++)
        assert_string_not_equal(l->ids[i], info->id);
    memcpy(l->ids[l->n++], info->id, sizeof(info->id));
}

static void faults_told(void *ctx, const struct err *e)
{
    *(struct err *)ctx = *e;
    loop_stop(fx.loop);
}

static void faults_listed(void *ctx, const struct err *e)
{
    faults_told(&((struct faults_left *)ctx)->e, e);
}

/* All sandboxes of the server. */
FX_HELPER void faults_list(struct sandbox_service *s, struct faults_left *l)
{
    static const struct sandbox_query all = {0};
    struct sandbox_list *list;
    struct err e;

    *l = (struct faults_left){0};
    assert_string_equal(err_name(sandbox_list(s, &all, faults_each, faults_listed, l, &list, &e)),
                        "OK");
    fx_run();
    assert_string_equal(l->e.msg, "");
}

/* Kills all there are; returns how many there were. */
FX_HELPER int faults_sweep(struct sandbox_service *s)
{
    static struct faults_left l;
    struct err e, told;

    faults_list(s, &l);
    for (int i = 0; i < l.n; i++) {
        assert_string_equal(err_name(sandbox_kill(s, l.ids[i], faults_told, &told, &e)), "OK");
        fx_run();
        assert_string_equal(told.msg, "");
    }
    return l.n;
}

#endif
