/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/publish/terminal.h"

#include "common/json/json.h"
#include "common/banned.h"

enum { MEMBERS = 8 };

void terminal_write(const struct event *e, struct buf *out)
{
    buf_addc(out, '{');
    json_kv(out, "type", event_type_name(e->type));
    json_kv_int(out, "attempt", e->attempt);
    json_kv_int(out, "epoch", e->epoch);
    json_kv_int(out, "n", e->n);
    json_kv_int(out, "time_ms", e->time_ms);
    json_kv_raw(out, "data", e->data);
    buf_addc(out, '}');
}

static bool number(const struct json_member *m, size_t n, const char *key, int64_t *out)
{
    return str_int(json_member(m, n, key), INT64_MAX, out);
}

static bool type(struct str quoted, enum event_type *out)
{
    if (quoted.n < 2)
        return false;
    return event_type_parse((struct str){quoted.p + 1, quoted.n - 2}, out) &&
           event_is_terminal(*out);
}

enum err_code terminal_read(struct str text, struct event *out, struct err *err)
{
    struct json_member m[MEMBERS];
    struct json_scan scan;
    enum err_code rc = json_scan(text, m, COUNTOF(m), &scan, err);

    if (rc != ERR_OK)
        return err_wrap(err, "terminal record");
    size_t n = scan.n_members < COUNTOF(m) ? scan.n_members : COUNTOF(m);
    *out = (struct event){.data = json_member(m, n, "data")};
    if (!type(json_member(m, n, "type"), &out->type) || out->data.n == 0 ||
        !number(m, n, "attempt", &out->attempt) || !number(m, n, "epoch", &out->epoch) ||
        !number(m, n, "n", &out->n) || !number(m, n, "time_ms", &out->time_ms))
        return err_set(err, ERR_INVALID, "terminal record: a member is missing or wrong");
    return ERR_OK;
}
