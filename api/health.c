/* SPDX-License-Identifier: Apache-2.0 */
/* This process, for whoever looks after it, and the contract that it keeps. */
#include "api/api_internal.h"
#include "api/auth/keys.h"
#include "api/seen.h"

#include "common/json/json.h"
#include "common/banned.h"

extern const char openapi_yaml[]; /* embedded: schema/openapi.yaml */
extern const size_t openapi_yaml_len;

/* That it is answered at all says that the loop turns. */
void health_get(struct call *c)
{
    struct buf body = BUF_INIT(64);

    buf_adds(&body, "{\"alive\":true}\n");
    call_json(c, 200, &body);
}

void ready_get(struct call *c)
{
    const struct api *a = c->api;
    const struct {
        bool holds;
        const char *word;
    } reasons[] = {{!api_db(a) || (a->keys && !keys_up(a->keys)), "database_down"},
                   {!producer_is_up(a->producer), "kafka_down"},
                   {a->stopping, "draining"}};
    struct buf body = BUF_INIT(256);
    bool ready = true;

    for (size_t i = 0; i < COUNTOF(reasons); i++)
        ready = ready && !reasons[i].holds;
    buf_adds(&body, "{");
    json_kv_bool(&body, "ready", ready);
    json_key(&body, "reasons");
    buf_addc(&body, '[');
    for (size_t i = 0; i < COUNTOF(reasons); i++)
        if (reasons[i].holds)
            buf_addf(&body, "%s\"%s\"", body.p[body.len - 1] == '[' ? "" : ",", reasons[i].word);
    buf_adds(&body, "]}\n");
    call_json(c, ready ? 200 : 503, &body);
}

void contract_get(struct call *c)
{
    struct buf body = BUF_INIT(API_ANSWER_MAX);

    buf_add(&body, openapi_yaml, openapi_yaml_len);
    if (call_is_open(c))
        http_answer(c->http, 200, "application/yaml", &body);
    buf_release(&body);
}

void metrics_get(struct call *c)
{
    struct buf body = BUF_INIT(API_ANSWER_MAX);

    seen_write(c->api, &body);
    http_reply_header(c->http, "Cache-Control", "no-store");
    http_answer(c->http, 200, METRICS_CONTENT_TYPE, &body);
}
