/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/web/faults.h"

#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"

#include "common/banned.h"

struct faults {
    size_t n;
    struct fault rules[]; /* n of them */
};

#define FAULT_WORD(name, word) [FAULT_##name] = word,
static const char *const words[FAULT_KINDS] = {FAULT_MAP(FAULT_WORD)};
#undef FAULT_WORD

const char *fault_word(enum fault_kind k)
{
    return words[k] != NULL ? words[k] : "";
}

/* --- one rule -------------------------------------------------------------- */

#define IF(kind) (1U << FAULT_##kind)
#define ALWAYS   (~0U)

/* Which members a rule may have, by what it does. */
static const struct member {
    const char *name;
    unsigned kinds;  /* where it may stand */
    unsigned needed; /* where it must */
    size_t at;       /* of an int64_t; 0: read elsewhere */
    int64_t least, most;
} members[] = {
    {"on", ALWAYS, ALWAYS, 0, 0, 0},
    {"do", ALWAYS, ALWAYS, 0, 0, 0},
    {"seen", ALWAYS, 0, 0, 0, 0}, /* what faults_json() adds is no mistake */
    {"fired", ALWAYS, 0, 0, 0, 0},
    {"skip", ALWAYS, 0, offsetof(struct fault, skip), 0, INT32_MAX},
    {"times", ALWAYS, 0, offsetof(struct fault, times), 0, INT32_MAX},
    {"status", IF(ANSWER), IF(ANSWER), 0, 0, 0},
    {"headers", IF(ANSWER), 0, 0, 0, 0},
    {"body", IF(ANSWER), 0, 0, 0, 0},
    {"ms", IF(DELAY), IF(DELAY), offsetof(struct fault, ms), 0, FAULT_MS_MAX},
    {"bytes_per_s", IF(DRIP), IF(DRIP), offsetof(struct fault, bytes_per_s), 1, INT32_MAX},
    {"after_bytes", IF(CUT) | IF(HALF_OPEN) | IF(NO_END), 0, offsetof(struct fault, after_bytes),
     -1, INT64_MAX >> 10},
};

static const struct member *member_of(const char *name)
{
    for (size_t i = 0; i < COUNTOF(members); i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

static enum err_code read_kind(const cJSON *rule, struct fault *f, struct err *err)
{
    const char *word = json_get_string(rule, "do");

    if (word == NULL)
        return err_set(err, ERR_INVALID, "'do' must be a word");
    for (int k = FAULT_NONE + 1; k < FAULT_KINDS; k++)
        if (strcmp(word, words[k]) == 0)
            f->kind = (enum fault_kind)k;
    if (f->kind == FAULT_NONE)
        return err_set(err, ERR_INVALID, "'do' is '%.40s', which is no fault", word);
    return ERR_OK;
}

static enum err_code read_on(const cJSON *rule, struct fault *f, struct err *err)
{
    struct str path = str_of(json_get_string(rule, "on")), method;

    if (!str_next(&path, ' ', &method) || method.n == 0 || method.n >= sizeof(f->method) ||
        path.n == 0 || path.n >= sizeof(f->path))
        return err_set(err, ERR_INVALID, "'on' must be a method and a path, as 'GET /files'");
    memcpy(f->method, method.p, method.n);
    memcpy(f->path, path.p, path.n);
    return ERR_OK;
}

static enum err_code read_member(const cJSON *e, struct fault *f, struct err *err)
{
    const struct member *m = member_of(e->string);

    if (m == NULL || (m->kinds & (1U << f->kind)) == 0)
        return err_set(err, ERR_INVALID, "'%.40s' means nothing to '%s'", e->string,
                       words[f->kind]);
    if (m->at == 0)
        return ERR_OK;
    double d = cJSON_IsNumber(e) ? e->valuedouble : -9;
    if (d < (double)m->least || d > (double)m->most || d != (double)(int64_t)d)
        return err_set(err, ERR_INVALID, "'%s' must be a whole number from %lld", m->name,
                       (long long)m->least);
    *(int64_t *)(void *)((char *)f + m->at) = (int64_t)d;
    return ERR_OK;
}

static enum err_code read_members(const cJSON *rule, struct fault *f, struct err *err)
{
    enum err_code rc = ERR_OK;
    const cJSON *e;

    f->times = 1;
    f->after_bytes = FAULT_UNTOLD;
    cJSON_ArrayForEach(e, rule)
    {
        if (rc == ERR_OK)
            rc = read_member(e, f, err);
    }
    for (size_t i = 0; rc == ERR_OK && i < COUNTOF(members); i++)
        if ((members[i].needed & (1U << f->kind)) && json_get(rule, members[i].name) == NULL)
            rc = err_set(err, ERR_INVALID, "'%s' needs '%s'", words[f->kind], members[i].name);
    return rc;
}

/* --- the answer of a rule --------------------------------------------------- */

static bool header_ok(const cJSON *e)
{
    static const char separators[] = "()<>@,;:\\\"/[]?={} \t\r\n";

    return cJSON_IsString(e) && e->string[0] != '\0' && strpbrk(e->string, separators) == NULL &&
           strpbrk(e->valuestring, "\r\n") == NULL;
}

static enum err_code read_headers(const cJSON *rule, struct fault *f, struct err *err)
{
    const cJSON *headers = json_get(rule, "headers"), *e;

    if (headers == NULL)
        return ERR_OK;
    cJSON_ArrayForEach(e, headers)
    {
        if (!header_ok(e))
            break;
    }
    if (!cJSON_IsObject(headers) || e != NULL)
        return err_set(err, ERR_INVALID, "'headers' must be an object of header values");
    f->headers = cJSON_Duplicate(headers, true);
    return f->headers != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "faults");
}

/* A string is sent as it is, any other value as JSON. */
static enum err_code read_body(const cJSON *rule, struct fault *f, struct err *err)
{
    const cJSON *body = json_get(rule, "body");

    if (body == NULL)
        return ERR_OK;
    f->body =
        cJSON_IsString(body) ? str_dup(str_of(body->valuestring)) : cJSON_PrintUnformatted(body);
    f->type = str_dup(cJSON_IsString(body) ? STR("text/plain") : STR("application/json"));
    return f->body != NULL && f->type != NULL ? ERR_OK : err_set(err, ERR_NOMEM, "faults");
}

static enum err_code read_answer(const cJSON *rule, struct fault *f, struct err *err)
{
    int64_t status = 0;

    if (f->kind != FAULT_ANSWER)
        return ERR_OK;
    if (!json_get_int(rule, "status", &status) || status < 200 || status > 599)
        return err_set(err, ERR_INVALID, "'status' must be 200 to 599");
    f->status = (int)status;
    enum err_code rc = read_headers(rule, f, err);
    return rc == ERR_OK ? read_body(rule, f, err) : rc;
}

static enum err_code read_rule(const cJSON *rule, struct fault *f, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (!cJSON_IsObject(rule))
        return err_set(err, ERR_INVALID, "a rule must be an object");
    rc = read_kind(rule, f, err);
    if (rc == ERR_OK)
        rc = read_on(rule, f, err);
    if (rc == ERR_OK)
        rc = read_members(rule, f, err);
    return rc == ERR_OK ? read_answer(rule, f, err) : rc;
}

/* --- all of them -------------------------------------------------------------- */

enum err_code faults_parse(struct str json, struct faults **out, struct err *err)
{
    AUTO_JSON *tree = NULL;
    const cJSON *list, *rule;
    enum err_code rc = json.n <= FAULTS_BYTES
                           ? json_parse(json, JSON_STRICT, &tree, err)
                           : err_set(err, ERR_TOO_BIG, "the rules are over %d bytes", FAULTS_BYTES);

    *out = NULL;
    if (rc != ERR_OK)
        return rc;
    list = cJSON_IsObject(tree) ? json_get(tree, "rules") : tree;
    if (!cJSON_IsArray(list) || cJSON_GetArraySize(list) > FAULTS_MAX)
        return err_set(err, ERR_INVALID, "the rules must be a list of at most %d", FAULTS_MAX);
    struct faults *f =
        calloc(1, sizeof(*f) + (size_t)cJSON_GetArraySize(list) * sizeof(f->rules[0]));
    if (f == NULL)
        return err_set(err, ERR_NOMEM, "faults");
    cJSON_ArrayForEach(rule, list)
    {
        if (rc == ERR_OK && (rc = read_rule(rule, &f->rules[f->n++], err)) != ERR_OK && err != NULL)
            (void)err_wrap(err, "rule %zu", f->n - 1);
    }
    if (rc != ERR_OK) {
        faults_free(f);
        return rc;
    }
    *out = f;
    return ERR_OK;
}

void faults_free(struct faults *f)
{
    for (size_t i = 0; f != NULL && i < f->n; i++) {
        free(f->rules[i].body);
        free(f->rules[i].type);
        cJSON_Delete(f->rules[i].headers);
    }
    free(f);
}

size_t faults_count(const struct faults *f)
{
    return f != NULL ? f->n : 0;
}

static bool is_on(const struct fault *f, const char *method, const char *path)
{
    return (strcmp(f->method, "*") == 0 || strcmp(f->method, method) == 0) &&
           (strcmp(f->path, "*") == 0 || strcmp(f->path, path) == 0);
}

enum err_code faults_check(const struct faults *f, const struct route *rows, size_t n,
                           struct err *err)
{
    for (size_t i = 0; i < faults_count(f); i++) {
        size_t row = 0;

        while (row < n && !is_on(&f->rules[i], rows[row].method, rows[row].path))
            row++;
        if (row == n)
            return err_set(err, ERR_INVALID, "rule %zu: nothing answers '%s %s'", i,
                           f->rules[i].method, f->rules[i].path);
    }
    return ERR_OK;
}

const struct fault *faults_next(struct faults *f, const char *method, const char *path)
{
    for (size_t i = 0; i < faults_count(f); i++) {
        struct fault *rule = &f->rules[i];

        if (!is_on(rule, method, path) || (rule->times > 0 && rule->fired >= rule->times))
            continue;
        if (++rule->seen <= rule->skip)
            continue;
        rule->fired++;
        return rule;
    }
    return NULL;
}

void faults_json(const struct faults *f, struct buf *out)
{
    buf_adds(out, "{\"rules\":[");
    for (size_t i = 0; i < faults_count(f); i++) {
        const struct fault *r = &f->rules[i];
        AUTO_BUF on = BUF_INIT(256);

        buf_addf(&on, "%s %s", r->method, r->path);
        buf_adds(out, i > 0 ? ",{" : "{");
        json_kv_str(out, "on", buf_str(&on));
        json_kv(out, "do", words[r->kind]);
        json_kv_int(out, "skip", r->skip);
        json_kv_int(out, "times", r->times);
        json_kv_int(out, "seen", r->seen);
        json_kv_int(out, "fired", r->fired);
        buf_adds(out, "}");
    }
    buf_adds(out, "]}");
}
