/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/maker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/hash64.h"
#include "producer/batch/seen.h"
#include "producer/request_build.h"
#include "common/banned.h"

enum {
    NOW_FOR = 32,         /* records that one look at the clock is good for */
    HEAD_BYTES = 200,     /* of what we put before the line's own, without names and flags */
    HEAD_MAX_BYTES = 2048 /* with names */
};

struct maker {
    struct request_defaults defaults;
    char batch[RUN_NAME_MAX_BYTES + 1];
    size_t batch_n, now_n, session_n;
    struct buf flags; /* `"model":"…",…` for lines that give none of it themselves */
    uint64_t flags_fields;
    uint64_t custom_id, key, not_work, ours; /* bits of fields */
    struct buf value,
        names;        /* names: what the parser decoded of the last line that was looked at */
    unsigned now_for; /* so many records more */
    int64_t now_ms;
    int now_us;
    char now[CLOCK_TEXT];
};

/* What a line may not say itself. */
static const char *const ours[] = {"v", "run_id", "created_at", "batch_id", "tenant"};

/* --- flags --------------------------------------------------------------- */

static enum err_code put_flags(struct maker *m, struct buf *b, const struct json_member *members,
                               size_t n, struct err *err)
{
    return request_put_flags(b, &m->defaults, members, n, err);
}

/* A request of nothing but the flags must be one, else each line would be refused for them. */
static enum err_code check_flags(struct maker *m, struct err *err)
{
    struct run_request r;
    struct json_scan scan;
    struct json_member members[MAKER_MEMBERS];
    AUTO_BUF text = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    enum err_code rc;

    buf_adds(&text, "{\"prompt\":\"x\"");
    rc = put_flags(m, &text, NULL, 0, err);
    if (rc != ERR_OK)
        return rc;
    size_t head = strlen("{\"prompt\":\"x\"");
    if (text.len > head)
        buf_add(&m->flags, text.p + head + 1, text.len - head - 1);
    buf_addc(&text, '}');
    if (text.rc != ERR_OK || m->flags.rc != ERR_OK)
        return err_set(err, ERR_USAGE, "the options are over %d bytes", RUN_REQUEST_MAX_BYTES / 2);
    if (run_request_parse_draft(buf_str(&text), &r, err) != ERR_OK) {
        char why[sizeof err->msg];

        memcpy(why, err->msg, sizeof why);
        return err_set(err, ERR_USAGE, "the options are no good: %s", why);
    }
    run_request_release(&r);
    rc = json_scan(buf_str(&text), members, MAKER_MEMBERS, &scan, err);
    for (size_t i = 1; rc == ERR_OK && i < scan.n_members; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, STR_FMT, STR_ARG(members[i].key));
        m->flags_fields |= run_request_field_bit(name);
    }
    return rc;
}

enum err_code maker_new(const struct client *flags, struct maker **out, struct err *err)
{
    struct maker *m = calloc(1, sizeof(*m));

    if (!m)
        return err_set(err, ERR_NOMEM, "cannot make requests");
    m->defaults = (struct request_defaults){.flags = flags, .batch_id = m->batch};
    m->session_n = str_of(flags->session).n;
    m->flags = BUF_INIT(RUN_REQUEST_MAX_BYTES / 2);
    m->value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    m->names = BUF_INIT(4096);
    m->custom_id = run_request_field_bit("custom_id");
    m->key = run_request_field_bit("idempotency_key");
    m->not_work = m->key | run_request_field_bit("traceparent");
    for (size_t i = 0; i < COUNTOF(ours); i++)
        m->ours |= run_request_field_bit(ours[i]);
    if (check_flags(m, err) != ERR_OK) {
        maker_free(m);
        return err->code;
    }
    *out = m;
    return ERR_OK;
}

void maker_free(struct maker *m)
{
    if (!m)
        return;
    buf_release(&m->flags);
    buf_release(&m->value);
    buf_release(&m->names);
    free(m);
}

uint64_t maker_flags_hash(const struct maker *m)
{
    return hash64(m->flags.p, m->flags.len, 0);
}

enum err_code maker_set_batch(struct maker *m, const char *batch_id, struct err *err)
{
    struct str s = str_of(batch_id);

    if (!run_name_ok(s))
        return err_set(err, ERR_USAGE,
                       "--batch must be 1..%d of A-Z a-z 0-9 . _ : @ / + - and not begin with - "
                       "or .",
                       RUN_NAME_MAX_BYTES);
    memcpy(m->batch, s.p, s.n);
    m->batch[s.n] = '\0';
    m->batch_n = s.n;
    return ERR_OK;
}

const char *maker_batch(const struct maker *m)
{
    return m->batch;
}

/* --- looking ------------------------------------------------------------- */

/* By the members as they stand, whatever their order and the space between them. */
static uint64_t work_of(const struct maker *m, const struct look *l)
{
    bool all = l->plain && !(l->fields & m->not_work);
    uint64_t sum = 0;

    for (size_t i = 0; i < l->n; i++) {
        struct str key = l->members[i].key, value = l->members[i].value;

        if (all || (!str_is(key, "idempotency_key") && !str_is(key, "traceparent")))
            sum += hash64(value.p, value.n, hash64(key.p, key.n, 0));
    }
    return sum;
}

static enum err_code own_only(const struct look *l, struct err *err)
{
    for (size_t i = 0; i < COUNTOF(ours); i++)
        if (json_member(l->members, l->n, ours[i]).n)
            return err_set(err, ERR_INVALID, "invalid_field: '%s' is not for a line to say%s",
                           ours[i], strcmp(ours[i], "batch_id") == 0 ? "; use --batch" : "");
    return ERR_OK;
}

/* Between its quotes, when it is a text without escapes. */
static struct str plain_text(const struct look *l, const char *key)
{
    struct str s = json_member(l->members, l->n, key);

    return s.n > 2 && s.p[0] == '"' ? (struct str){s.p + 1, s.n - 2} : (struct str){0};
}

static struct str kept(struct maker *m, const char *cstr)
{
    size_t at = m->names.len;

    if (!cstr)
        return (struct str){0};
    buf_adds(&m->names, cstr);
    return m->names.rc == ERR_OK ? (struct str){m->names.p + at, m->names.len - at}
                                 : (struct str){0};
}

static struct str session_of(const struct maker *m)
{
    return (struct str){m->defaults.flags->session, m->session_n};
}

static enum err_code put_record(struct maker *m, const struct look *l, struct str custom_id,
                                const char *run_id, struct str key, struct buf *value,
                                struct err *err);

/* Asks the parser, about the very record that will be made. */
static enum err_code look_closely(struct maker *m, struct look *l, struct err *err)
{
    static const char nobody[] = "00000000-0000-8000-8000-000000000000";
    char name[AUTO_NAME_BYTES];
    struct run_request r;
    bool named = json_member(l->members, l->n, "custom_id").n > 0;

    (void)snprintf(name, sizeof name, "auto-%016d-%020d", 0, 0); /* as long as one may get */
    buf_clear(&m->value);
    if (put_record(m, l, named ? STR("x") : str_of(name), nobody, STR("x"), &m->value, err) !=
            ERR_OK ||
        run_request_parse(buf_str(&m->value), &r, err) != ERR_OK)
        return err->code;
    buf_clear(&m->names);
    (void)buf_room(&m->names, m->names.max / 2); /* it must not move while views point into it */
    l->custom_id = named ? kept(m, r.custom_id) : (struct str){0};
    l->key = json_member(l->members, l->n, "idempotency_key").n ? kept(m, r.idempotency_key)
                                                                : (struct str){0};
    l->session = kept(m, r.session_id);
    run_request_release(&r);
    return m->names.rc == ERR_OK ? ERR_OK : err_set(err, m->names.rc, "cannot read a line");
}

enum err_code look_at(struct str text, struct look *out, size_t *at, struct err *err)
{
    struct json_scan scan;

    *at = SIZE_MAX;
    if (json_scan(text, out->members, MAKER_MEMBERS, &scan, err) != ERR_OK) {
        *at = scan.error_at;
        return err->code;
    }
    if (!scan.is_object)
        return err_set(err, ERR_INVALID, "it is no object; write {\"prompt\": …}");
    out->object = text;
    out->n = scan.n_members < MAKER_MEMBERS ? scan.n_members : MAKER_MEMBERS;
    out->strict = scan.unsafe == 0 && scan.n_members <= MAKER_MEMBERS;
    return ERR_OK;
}

static bool has(const struct look *l, uint64_t bit, const char *name)
{
    return l->plain ? (l->fields & bit) != 0 : json_member(l->members, l->n, name).n > 0;
}

static bool judge_plain(const struct maker *m, struct look *l)
{
    l->plain = l->strict && l->object.n + m->flags.len + HEAD_MAX_BYTES <= RUN_REQUEST_MAX_BYTES &&
               run_request_is_plain(l->object, l->members, l->n, &l->fields) &&
               !(l->fields & m->ours);
    l->work = work_of(m, l);
    if (!l->plain)
        return false;
    l->custom_id = l->fields & m->custom_id ? plain_text(l, "custom_id") : (struct str){0};
    l->key = l->fields & m->key ? plain_text(l, "idempotency_key") : (struct str){0};
    l->session = session_of(m);
    return true;
}

enum err_code maker_judge(struct maker *m, struct look *l, struct err *err)
{
    if (l->n == 0)
        return err_set(err, ERR_INVALID, "missing_prompt: 'prompt' must be there");
    if (judge_plain(m, l))
        return ERR_OK;
    return own_only(l, err) == ERR_OK ? look_closely(m, l, err) : err->code;
}

static bool is_known(const struct maker *m, struct str object, struct look *l)
{
    struct err err;
    size_t at;

    return object.n > 0 && object.p[0] == '{' && look_at(object, l, &at, &err) == ERR_OK &&
           judge_plain(m, l) && maker_knows(m, l);
}

void maker_glance(const struct maker *m, struct str line, struct look *l, struct glance *out)
{
    struct str object = str_trim(line);

    out->at = object.p;
    out->known = is_known(m, object, l);
    if (!out->known)
        return;
    out->name_at = (uint32_t)(l->custom_id.p - object.p);
    out->name_n = (uint32_t)l->custom_id.n;
    out->name = seen_key(l->custom_id);
    out->work = l->work;
}

/* --- making -------------------------------------------------------------- */

static void set_now(struct maker *m, int64_t ms)
{
    m->now_ms = ms;
    m->now_us = 0;
    m->now_n = strlen(clock_rfc3339_us(ms, 0, m->now));
}

/* Asking for the time of each record would cost as much as its text; each is a microsecond behind
 * the one before, so that the file's order is known (results --ordered). */
static struct str now_text(struct maker *m)
{
    int64_t ms;
    char *us;

    if (m->now_for-- == 0) {
        m->now_for = NOW_FOR;
        ms = clock_wall_ms();
        if (ms > m->now_ms)
            set_now(m, ms);
    }
    if (m->now_us > 999)
        set_now(m, m->now_ms + 1);
    us = m->now + sizeof("2026-11-21T01:02:03.004") - 1;
    us[0] = (char)('0' + m->now_us / 100);
    us[1] = (char)('0' + m->now_us / 10 % 10);
    us[2] = (char)('0' + m->now_us % 10);
    m->now_us++;
    return (struct str){m->now, m->now_n};
}

static char *put(char *to, struct str s)
{
    if (s.n > 0)
        memcpy(to, s.p, s.n);
    return to + s.n;
}

/* `{"v":1,"run_id":…`, what we put before the flags' and the line's own members; room is made.
 * custom_id and key n 0: the line has its own. */
static char *put_head(struct maker *m, struct str custom_id, const char *run_id, struct str key,
                      char *to)
{
    to = put(to, STR("{\"v\":1,\"run_id\":\""));
    to = put(to, (struct str){run_id, UUID_TEXT - 1});
    to = put(to, STR("\",\"created_at\":\""));
    to = put(to, now_text(m));
    to = put(to, STR("\",\"batch_id\":\""));
    to = put(to, (struct str){m->batch, m->batch_n});
    if (custom_id.n) {
        to = put(to, STR("\",\"custom_id\":\""));
        to = put(to, custom_id);
    }
    if (key.n) {
        to = put(to, STR("\",\"idempotency_key\":\""));
        to = put(to, key);
    }
    return put(to, STR("\""));
}

/* Puts the head; what follows has room, too, and the value no more memory than it needs. */
static void begin_record(struct maker *m, struct str object, struct str custom_id,
                         const char *run_id, struct str key, struct buf *value)
{
    size_t head = HEAD_BYTES + m->batch_n + custom_id.n + key.n;
    char *at = buf_room(value, head + m->flags.len + object.n);

    if (at)
        buf_grew(value, (size_t)(put_head(m, custom_id, run_id, key, at) - at));
}

/* Puts the line's own members as they stand: `{` is dropped, its `}` ends ours. */
static enum err_code end_record(struct str object, struct buf *value, struct err *err)
{
    buf_addc(value, ',');
    buf_add(value, object.p + 1, object.n - 1);
    if (value->rc != ERR_OK)
        return err_set(err, value->rc, "it is over %d bytes", RUN_REQUEST_MAX_BYTES);
    return ERR_OK;
}

static void put_flags_as_they_are(const struct maker *m, struct buf *value)
{
    if (m->flags.len == 0)
        return;
    buf_addc(value, ',');
    buf_addstr(value, buf_str(&m->flags));
}

static enum err_code put_record(struct maker *m, const struct look *l, struct str custom_id,
                                const char *run_id, struct str key, struct buf *value,
                                struct err *err)
{
    const struct str none = {0};

    begin_record(m, l->object, has(l, m->custom_id, "custom_id") ? none : custom_id, run_id,
                 has(l, m->key, "idempotency_key") ? none : key, value);
    if (l->plain && !(l->fields & m->flags_fields))
        put_flags_as_they_are(m, value);
    else if (put_flags(m, value, l->members, l->n, err) != ERR_OK)
        return err->code;
    return end_record(l->object, value, err);
}

/* "<batch>/<custom_id>", with NUL. */
static struct str derive_key(const struct maker *m, struct str custom_id,
                             char key[RUN_KEY_MAX_BYTES + 1])
{
    char *end = put(key, (struct str){m->batch, m->batch_n});

    *end++ = '/';
    end = put(end, custom_id);
    *end = '\0';
    return (struct str){key, (size_t)(end - key)};
}

static void derive_id(const struct maker *m, const char *key, struct made *out)
{
    const char *tenant = m->defaults.flags->tenant;

    run_request_derive_id(tenant ? tenant : "default", key, out->run_id);
}

static void made(struct str session, struct str custom_id, struct made *out)
{
    out->key = session.n ? session : (struct str){out->run_id, UUID_TEXT - 1};
    out->custom_id = custom_id;
}

enum err_code maker_make(struct maker *m, const struct look *look, struct str custom_id,
                         struct buf *value, struct made *out, struct err *err)
{
    char text[RUN_KEY_MAX_BYTES + 1];
    struct str key = {text, look->key.n};

    if (look->key.n)
        *put(text, look->key) = '\0'; /* at most RUN_KEY_MAX_BYTES, as batch and custom_id are */
    else
        key = derive_key(m, custom_id, text);
    derive_id(m, text, out);
    if (put_record(m, look, custom_id, out->run_id, key, value, err) != ERR_OK)
        return err->code;
    made(look->session, custom_id, out);
    return ERR_OK;
}

bool maker_knows(const struct maker *m, const struct look *l)
{
    return l->plain && l->custom_id.n > 0 && l->key.n == 0 && !(l->fields & m->flags_fields);
}

enum err_code maker_make_known(struct maker *m, struct str object, struct str custom_id,
                               struct buf *value, struct made *out, struct err *err)
{
    char text[RUN_KEY_MAX_BYTES + 1];
    struct str key = derive_key(m, custom_id, text);

    derive_id(m, text, out);
    begin_record(m, object, (struct str){0}, out->run_id, key, value);
    put_flags_as_they_are(m, value);
    if (end_record(object, value, err) != ERR_OK)
        return err->code;
    made(session_of(m), custom_id, out);
    return ERR_OK;
}

void auto_name(struct str text, uint64_t times, char out[AUTO_NAME_BYTES])
{
    unsigned char digest[crypto_generichash_BYTES_MIN];
    char hex[17];

    crypto_generichash(digest, sizeof digest, (const unsigned char *)text.p, text.n, NULL, 0);
    sodium_bin2hex(hex, sizeof hex, digest, 8);
    if (times > 1)
        (void)snprintf(out, AUTO_NAME_BYTES, "auto-%s-%llu", hex, (unsigned long long)times);
    else
        (void)snprintf(out, AUTO_NAME_BYTES, "auto-%s", hex);
}
