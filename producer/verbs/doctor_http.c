/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of the API and of the sandbox service. Blocks; whoever calls has a deadline. */
#include <string.h>

#include "common/http/http.h"
#include "common/json/json.h"
#include "common/loop.h"
#include "common/secret/secret.h"
#include "producer/api/api_client.h"
#include "producer/verbs/doctor.h"
#include "common/banned.h"

struct asked { /* one GET */
    struct loop *loop;
    int status;
    struct buf body;
    struct err err;
};

static void on_done(void *ctx, const struct http_answer *a, const struct err *e)
{
    struct asked *q = ctx;

    q->status = a->status;
    q->err = *e;
    buf_addstr(&q->body, a->body);
    loop_stop(q->loop);
}

/* ERR_OK: an answer came, of whatever status. */
static enum err_code get(const char *url, const char *header, const char *ca_file, struct asked *q)
{
    static const struct http_events events = {.done = on_done};
    const struct http_opts opts = {.ca_file = ca_file};
    const struct http_call call = {
        .method = "GET", .url = url, .headers = &header, .n_headers = header ? 1 : 0};
    struct http *http = NULL;
    struct http_req *req = NULL;

    *q = (struct asked){.err = ERR_INIT, .body = BUF_INIT(64 << 10)};
    if (loop_new(&q->loop, &q->err) != ERR_OK ||
        http_new(q->loop, &opts, &http, &q->err) != ERR_OK ||
        http_start(http, &call, &events, q, &req, &q->err) != ERR_OK)
        return q->err.code;
    loop_run(q->loop); /* and nothing is freed: the process ends with the check */
    return q->err.code;
}

static const char *api_url(const struct doctor_settings *s)
{
    return s->client.api_url ? s->client.api_url : API_URL_DEFAULT;
}

/* url and path, with one slash between. */
static const char *join(struct buf *out, const char *url, const char *path)
{
    size_t n = strlen(url);

    while (n > 0 && url[n - 1] == '/')
        n--;
    buf_add(out, url, n);
    buf_adds(out, path);
    return out->p ? out->p : "";
}

/* --- the API ------------------------------------------------------------------------------ */

/* "database_down, kafka_down": the reasons of /readyz. */
static void put_not_ready(struct str body, struct buf *out)
{
    AUTO_JSON *tree = NULL;
    struct err err;

    if (json_parse(body, 0, &tree, &err) != ERR_OK)
        return;
    for (const cJSON *m = cJSON_GetArrayItem(json_get(tree, "reasons"), 0); m; m = m->next)
        if (cJSON_IsString(m))
            buf_addf(out, "%s%s", out->len ? ", " : "", m->valuestring);
}

void doctor_api(const struct doctor_settings *s, struct doctor_result *r)
{
    AUTO_BUF url = BUF_INIT(8192), lacks = BUF_INIT(256);
    struct asked q;

    if (get(join(&url, api_url(s), "/readyz"), NULL, s->client.api_ca_file, &q) != ERR_OK) {
        doctor_failed(r, q.err.code, "%s", q.err.msg);
        doctor_next(
            r, "start sandfleet-api, or say where it is: --api-url (SANDFLEET_API_URL) is %.200s",
            api_url(s));
    } else if (q.status == 200) {
        doctor_ok(r, "%.400s", api_url(s));
    } else if (q.status == 503) {
        put_not_ready(buf_str(&q.body), &lacks);
        doctor_failed(r, ERR_UNAVAILABLE, "it is there but not ready: %s",
                      lacks.p ? lacks.p : "it does not say why");
        doctor_next(r, "Kafka and the database have checks of their own above; its log says more");
    } else {
        doctor_failed(r, ERR_PROTOCOL, "%.200s answers with status %d", url.p, q.status);
        doctor_next(r, "is that sandfleet-api? --api-url (SANDFLEET_API_URL)");
    }
}

void doctor_api_key(const struct doctor_settings *s, struct doctor_result *r)
{
    struct api_client *api = NULL;
    AUTO_JSON *list = NULL;
    struct err err = ERR_INIT;

    if (api_client_new(&s->client, &api, &err) == ERR_OK &&
        api_get(api, "/v1/runs?limit=1", &list, &err) == ERR_OK) {
        doctor_ok(r, s->client.api_key ? "it may read" : "none is needed to read");
    } else if (err.code == ERR_UNAUTHORIZED && !s->client.api_key) {
        doctor_failed(r, err.code, "it asks for a key, and none is given");
        doctor_next(r,
                    "--api-key-file FILE, SANDFLEET_API_KEY, or a line api-key-file in the "
                    "configuration; who may reach the database makes one: sandfleet keys create");
    } else {
        doctor_failed(r, err.code, "%s", err.msg);
        doctor_next(r, err.code == ERR_UNAUTHORIZED
                           ? "sandfleet keys list tells those that count, and what they may do; "
                             "sandfleet keys create makes another"
                           : "the API's log, which has the request by its id");
    }
}

/* --- the sandbox service ------------------------------------------------------------------- */

static const char *service_url(const struct doctor_settings *s, struct buf *out)
{
    if (s->e2b_api_url)
        return s->e2b_api_url;
    buf_addf(out, "https://api.%s", s->e2b_domain);
    return out->p ? out->p : "";
}

void doctor_sandboxes(const struct doctor_settings *s, struct doctor_result *r)
{
    AUTO_BUF base = BUF_INIT(8192), url = BUF_INIT(8192), header = BUF_INIT(8192);
    const char *service = service_url(s, &base);
    struct asked q;

    if (!s->e2b_api_key) {
        doctor_skipped(r, "as no E2B_API_KEY is given: the workers have it; give it here, and "
                          "E2B_API_URL, to have it asked");
        return;
    }
    buf_addf(&header, "X-API-Key: " STR_FMT, STR_ARG(secret_value(s->e2b_api_key)));
    if (get(join(&url, service, "/v2/sandboxes?limit=1"), header.p, s->ca_file, &q) != ERR_OK) {
        doctor_failed(r, q.err.code, "%s", q.err.msg);
        doctor_next(r, "is sandfleet-sandboxd or E2B reachable at %.200s? E2B_API_URL, E2B_DOMAIN",
                    service);
    } else if (q.status == 401 || q.status == 403) {
        doctor_failed(r, ERR_UNAUTHORIZED, "%.200s refuses the key", service);
        doctor_next(r, "E2B_API_KEY, or --e2b-api-key-file; the workers need one that counts, too");
    } else if (q.status >= 200 && q.status < 300) {
        doctor_ok(r, "%.400s", service);
    } else {
        doctor_failed(r, q.status >= 500 ? ERR_UNAVAILABLE : ERR_PROTOCOL,
                      "%.200s answers with status %d", service, q.status);
        doctor_next(r, "its own log or status page; runs wait meanwhile (sandbox_service_down)");
    }
}
