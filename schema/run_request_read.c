/* SPDX-License-Identifier: Apache-2.0 */
/* One member of a run request, by the kind of its field. */
#include "schema/run_request_fields.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/banned.h"

enum { ENV_VALUE_MAX_BYTES = 8192 };

enum err_code run_field_refuse(const struct field *f, struct err *err, const char *fmt, ...)
{
    char text[160];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    return err_set(err, ERR_INVALID, "invalid_field: '%s' %s", f->name, text);
}

static void *slot(struct run_request *r, const struct field *f)
{
    return (char *)r + f->at;
}

/* --- scalars ------------------------------------------------------------------ */

static enum err_code read_version(const struct field *f, const cJSON *item, struct run_request *r,
                                  struct err *err)
{
    (void)r;
    if (!cJSON_IsNumber(item) || item->valuedouble != (double)RUN_REQUEST_VERSION)
        return err_set(err, ERR_INVALID, "unsupported_version: '%s' must be %d", f->name,
                       RUN_REQUEST_VERSION);
    return ERR_OK;
}

static enum err_code read_text(const struct field *f, const cJSON *item, struct run_request *r,
                               struct err *err)
{
    struct str s;

    if (!cJSON_IsString(item))
        return run_field_refuse(f, err, "must be a string");
    s = str_of(item->valuestring);
    if (s.n < (size_t)f->least || s.n > (size_t)f->most)
        return run_field_refuse(f, err, "must have %lld..%lld bytes", (long long)f->least,
                                (long long)f->most);
    if (f->ok && !f->ok(s))
        return run_field_refuse(f, err, "%s", f->rule);
    *(const char **)slot(r, f) = s.p;
    return ERR_OK;
}

static enum err_code read_prompt(const struct field *f, const cJSON *item, struct run_request *r,
                                 struct err *err)
{
    struct str s;
    enum err_code rc;

    if (!cJSON_IsString(item))
        return run_field_refuse(f, err, "must be a string");
    s = str_of(item->valuestring);
    rc = run_prompt_check(s, err);
    if (rc != ERR_OK) {
        (void)err_wrap(err, rc == ERR_TOO_BIG ? "too_large" : "empty_prompt");
        return rc;
    }
    *(const char **)slot(r, f) = s.p;
    return ERR_OK;
}

static bool is_whole(const cJSON *item, int64_t least, int64_t most)
{
    return cJSON_IsNumber(item) && item->valuedouble >= (double)least &&
           item->valuedouble <= (double)most &&
           item->valuedouble == (double)(int64_t)item->valuedouble;
}

static enum err_code read_int(const struct field *f, const cJSON *item, struct run_request *r,
                              struct err *err)
{
    if (!is_whole(item, f->least, f->most))
        return run_field_refuse(f, err, "must be a whole number in %lld..%lld", (long long)f->least,
                                (long long)f->most);
    *(int64_t *)slot(r, f) = (int64_t)item->valuedouble;
    return ERR_OK;
}

static enum err_code read_money(const struct field *f, const cJSON *item, struct run_request *r,
                                struct err *err)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble > (double)f->least) ||
        item->valuedouble > (double)f->most)
        return run_field_refuse(f, err, "must be a number above %lld, at most %lld",
                                (long long)f->least, (long long)f->most);
    *(double *)slot(r, f) = item->valuedouble;
    return ERR_OK;
}

static enum err_code read_time(const struct field *f, const cJSON *item, struct run_request *r,
                               struct err *err)
{
    char back[CLOCK_TEXT];
    int64_t ms;
    int us;

    if (!cJSON_IsString(item) || !clock_parse_rfc3339_us(str_of(item->valuestring), &ms, &us))
        return run_field_refuse(f, err, "must be an RFC 3339 time, as 2026-11-21T01:02:03Z");
    if (ms <= 0 || clock_rfc3339(ms, back)[0] == '-')
        return run_field_refuse(f, err, "must be in the years 1970..9999");
    *(int64_t *)slot(r, f) = ms;
    if (slot(r, f) == &r->created_ms)
        r->created_us = us;
    return ERR_OK;
}

/* --- lists and objects -------------------------------------------------------- */

static enum err_code read_on_busy(const struct field *f, const cJSON *item, struct run_request *r,
                                  struct err *err)
{
    for (int i = 0; cJSON_IsString(item) && i < ON_BUSY_POLICIES; i++)
        if (strcmp(item->valuestring, on_busy_name((enum on_busy)i)) == 0) {
            r->on_busy = (enum on_busy)i;
            return ERR_OK;
        }
    return run_field_refuse(f, err, "on_busy must be enqueue, reject or interrupt");
}

static enum err_code read_session(const struct field *f, const cJSON *item, struct run_request *r,
                                  struct err *err)
{
    const cJSON *member;

    if (!cJSON_IsObject(item))
        return run_field_refuse(f, err, "must be an object");
    cJSON_ArrayForEach(member, item)
    {
        if (strcmp(member->string, "on_busy") == 0) {
            enum err_code rc = read_on_busy(f, member, r, err);

            if (rc != ERR_OK)
                return rc;
        } else if (strcmp(member->string, "id") != 0) {
            return run_field_refuse(f, err, "has an unknown member; it may have id, on_busy");
        } else if (!cJSON_IsString(member) || !run_name_ok(str_of(member->valuestring))) {
            return run_field_refuse(f, err, "id must be a name of 1..%d bytes", RUN_NAME_MAX_BYTES);
        } else {
            r->session_id = member->valuestring;
        }
    }
    return r->session_id ? ERR_OK : run_field_refuse(f, err, "needs an id");
}

static enum err_code read_warn(const struct field *f, const cJSON *item, struct run_request *r,
                               struct err *err)
{
    int64_t least = f->least;
    const cJSON *entry;

    r->n_warn = 0;
    if (!cJSON_IsArray(item))
        return run_field_refuse(f, err, "must be an array");
    cJSON_ArrayForEach(entry, item)
    {
        if (r->n_warn == RUN_WARN_MAX || !is_whole(entry, least, f->most))
            return run_field_refuse(f, err, "must be at most %d rising whole numbers in %lld..%lld",
                                    RUN_WARN_MAX, (long long)f->least, (long long)f->most);
        r->warn_at_s[r->n_warn++] = (int64_t)entry->valuedouble;
        least = (int64_t)entry->valuedouble + 1;
    }
    return r->n_warn > 0 ? ERR_OK : run_field_refuse(f, err, "must have an entry");
}

static enum err_code check_count(const struct field *f, const cJSON *list, struct err *err)
{
    int n = cJSON_GetArraySize(list);

    if (n < f->least || n > f->most)
        return run_field_refuse(f, err, "has %d entries, at most %lld are allowed", n,
                                (long long)f->most);
    return ERR_OK;
}

static enum err_code read_texts(const struct field *f, const cJSON *item, struct run_request *r,
                                struct err *err)
{
    const cJSON *entry;
    int n = 0;

    if (!cJSON_IsArray(item))
        return run_field_refuse(f, err, "must be an array of strings");
    cJSON_ArrayForEach(entry, item)
    {
        if (!cJSON_IsString(entry))
            return run_field_refuse(f, err, "entry %d must be a string", n);
        if (!f->ok(str_of(entry->valuestring)))
            return run_field_refuse(f, err, "entry %d %s", n, f->rule);
        n++;
    }
    *(const cJSON **)slot(r, f) = item;
    return check_count(f, item, err);
}

static bool env_name_ok(const char *s)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";
    size_t n = strlen(s);

    return n > 0 && n <= RUN_NAME_MAX_BYTES && strspn(s, letters) == n &&
           (s[0] < '0' || s[0] > '9');
}

static enum err_code read_env(const struct field *f, const cJSON *item, struct run_request *r,
                              struct err *err)
{
    const cJSON *entry;
    int n = 0;

    if (!cJSON_IsObject(item))
        return run_field_refuse(f, err, "must be an object of strings");
    cJSON_ArrayForEach(entry, item)
    {
        if (!env_name_ok(entry->string))
            return run_field_refuse(f, err, "name %d must match [A-Za-z_][A-Za-z0-9_]*", n);
        if (!cJSON_IsString(entry) || strlen(entry->valuestring) > ENV_VALUE_MAX_BYTES)
            return run_field_refuse(f, err, "value %d must be a string of at most %d bytes", n,
                                    ENV_VALUE_MAX_BYTES);
        n++;
    }
    *(const cJSON **)slot(r, f) = item;
    return check_count(f, item, err);
}

static enum err_code read_object(const struct field *f, const cJSON *item, struct run_request *r,
                                 struct err *err)
{
    if (!cJSON_IsObject(item))
        return run_field_refuse(f, err, "must be an object");
    *(const cJSON **)slot(r, f) = item;
    return ERR_OK;
}

static enum err_code read_unsupported(const struct field *f, const cJSON *item,
                                      struct run_request *r, struct err *err)
{
    (void)item;
    (void)r;
    return run_field_refuse(f, err,
                            "is not taken in a request: `sandfleet webhook add` names who is told");
}

enum err_code run_field_read(const struct field *f, const cJSON *item, struct run_request *r,
                             struct err *err)
{
    static enum err_code (*const read[])(const struct field *, const cJSON *, struct run_request *,
                                         struct err *) = {
        [FIELD_VERSION] = read_version, [FIELD_TEXT] = read_text,
        [FIELD_PROMPT] = read_prompt,   [FIELD_INT] = read_int,
        [FIELD_MONEY] = read_money,     [FIELD_TIME] = read_time,
        [FIELD_SESSION] = read_session, [FIELD_WARN] = read_warn,
        [FIELD_TEXTS] = read_texts,     [FIELD_ENV] = read_env,
        [FIELD_OBJECT] = read_object,   [FIELD_UNSUPPORTED] = read_unsupported,
        [FIELD_FILES] = run_files_read, [FIELD_ARCHIVE] = run_archive_read,
        [FIELD_REPO] = run_repo_read,   [FIELD_ARTIFACTS] = run_artifacts_read,
    };

    return read[f->kind](f, item, r, err);
}
