/* SPDX-License-Identifier: Apache-2.0 */
/* The rows, the rules of their texts, and the nearest name. */
#include "schema/run_request_fields.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/uuid.h"
#include "common/banned.h"

/* Printable, in any language. */
static bool line_ok(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return false;
    return true;
}

/* Becomes an argument of the agent's command line. */
static bool tool_ok(struct str s)
{
    return s.n > 0 && s.n <= 256 && s.p[0] != '-' && line_ok(s);
}

static bool model_ok(struct str s)
{
    static const char also[] = "._:@/[]-";

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              memchr(also, c, sizeof(also) - 1)))
            return false;
    }
    return s.p[0] != '-';
}

static bool dir_ok(struct str s)
{
    struct str rest = s, part;

    if (s.p[0] == '/' || s.p[0] == '-' || !line_ok(s))
        return false;
    while (str_next(&rest, '/', &part))
        if (str_is(part, ".."))
            return false;
    return true;
}

#define NAME_RULE    "must be 1..128 of A-Z a-z 0-9 . _ : @ / + - and not begin with - or ."
#define AT(member)   offsetof(struct run_request, member)
#define NAME(member) AT(member), 1, RUN_NAME_MAX_BYTES, run_name_ok, NAME_RULE

// clang-format off
const struct field run_fields[] = {
    {"v",               FIELD_VERSION, 0, 0, 0, NULL, NULL, FIELD_NOT_WORK},
    {"run_id",          FIELD_TEXT,    AT(run_id), 1, 64, uuid_valid, "must be a UUID in lower case", FIELD_NOT_WORK},
    {"tenant",          FIELD_TEXT,    NAME(tenant), 0},
    {"batch_id",        FIELD_TEXT,    NAME(batch_id), 0},
    {"custom_id",       FIELD_TEXT,    NAME(custom_id), 0},
    {"idempotency_key", FIELD_TEXT,    AT(idempotency_key), 1, RUN_KEY_MAX_BYTES, line_ok, "must be printable", FIELD_NOT_WORK},
    {"prompt",          FIELD_PROMPT,  AT(prompt), 1, RUN_PROMPT_MAX_BYTES, NULL, NULL, 0},
    {"session",         FIELD_SESSION, AT(session_id), 0, 0, NULL, NULL, 0},
    {"project_id",      FIELD_TEXT,    NAME(project_id), 0},
    {"user_id",         FIELD_TEXT,    NAME(user_id), 0},
    {"credential",      FIELD_TEXT,    NAME(credential), 0},
    {"model",           FIELD_TEXT,    AT(model), 1, RUN_NAME_MAX_BYTES, model_ok, "must be of A-Z a-z 0-9 . _ : @ / [ ] - and not begin with -", 0},
    {"max_turns",       FIELD_INT,     AT(max_turns), 1, RUN_TURNS_MAX, NULL, NULL, 0},
    {"max_budget_usd",  FIELD_MONEY,   AT(max_budget_usd), 0, RUN_BUDGET_MAX_USD, NULL, NULL, 0},
    {"system_prompt",   FIELD_TEXT,    AT(system_prompt), 1, RUN_SYSTEM_PROMPT_MAX_BYTES, NULL, NULL, 0},
    {"allowed_tools",   FIELD_TEXTS,   AT(allowed_tools), 0, RUN_LIST_MAX, tool_ok, "must be 1..256 printable bytes and not begin with -", 0},
    {"json_schema",     FIELD_OBJECT,  AT(json_schema), 0, 0, NULL, NULL, 0},
    {"working_dir",     FIELD_TEXT,    AT(working_dir), 1, 256, dir_ok, "must be relative, printable, without '..', and not begin with -", 0},
    {"template",        FIELD_TEXT,    NAME(template), 0},
    {"env",             FIELD_ENV,     AT(env), 0, RUN_LIST_MAX, NULL, NULL, 0},
    {"files",           FIELD_FILES,   AT(files), 1, RUN_FILES_MAX, NULL, NULL, 0},
    {"archive",         FIELD_ARCHIVE, AT(archive), 0, 0, NULL, NULL, 0},
    {"repo",            FIELD_REPO,    AT(repo), 0, 0, NULL, NULL, 0},
    {"artifacts",       FIELD_ARTIFACTS, AT(artifacts), 0, 0, NULL, NULL, 0},
    {"timeout_s",       FIELD_INT,     AT(timeout_s), 1, RUN_TIMEOUT_MAX_S, NULL, NULL, 0},
    {"warn_at_s",       FIELD_WARN,    AT(warn_at_s), 1, RUN_TIMEOUT_MAX_S, NULL, NULL, 0},
    {"max_attempts",    FIELD_INT,     AT(max_attempts), 1, RUN_ATTEMPTS_MAX, NULL, NULL, 0},
    {"created_at",      FIELD_TIME,    AT(created_ms), 0, 0, NULL, NULL, FIELD_NOT_WORK},
    {"not_before",      FIELD_TIME,    AT(not_before_ms), 0, 0, NULL, NULL, 0},
    {"expires_at",      FIELD_TIME,    AT(expires_ms), 0, 0, NULL, NULL, 0},
    {"priority",        FIELD_INT,     AT(priority), 0, 9, NULL, NULL, 0},
    {"fairness_key",    FIELD_TEXT,    NAME(fairness_key), 0},
    {"tags",            FIELD_TEXTS,   AT(tags), 0, RUN_LIST_MAX, run_name_ok, NAME_RULE, 0},
    {"webhook",         FIELD_UNSUPPORTED, AT(webhook), 0, 0, NULL, NULL, 0},
    {"metadata",        FIELD_OBJECT,  AT(metadata), 0, 0, NULL, NULL, 0},
    {"traceparent",     FIELD_TEXT,    AT(traceparent), 1, 64, run_traceparent_ok, "must be 00-<32 hex>-<16 hex>-<2 hex>", FIELD_NOT_WORK},
};
// clang-format on
const size_t run_n_fields = COUNTOF(run_fields);

const struct field *run_field_find(const char *name)
{
    for (size_t i = 0; i < run_n_fields; i++)
        if (strcmp(name, run_fields[i].name) == 0)
            return &run_fields[i];
    return NULL;
}

enum { NEAR_MAX = 24 }; /* no field name is longer, so what is longer is not near */

static size_t least_of(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;

    return least < c ? least : c;
}

/* Levenshtein's distance, letters in either case; b has at most NEAR_MAX bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t row[NEAR_MAX + 1], n = strlen(b);

    for (size_t i = 0; i <= n; i++)
        row[i] = i;
    for (size_t i = 0; a[i]; i++) {
        size_t diagonal = row[0];

        row[0] = i + 1;
        for (size_t j = 0; j < n; j++) {
            size_t change = diagonal + (strncasecmp(a + i, b + j, 1) != 0);

            diagonal = row[j + 1];
            row[j + 1] = least_of(row[j + 1] + 1, row[j] + 1, change);
        }
    }
    return row[n];
}

const struct field *run_field_nearest(const char *name)
{
    const struct field *nearest = NULL;
    size_t best = strlen(name) / 3 + 2; /* a third of it, and one letter, may be wrong */

    if (strlen(name) > NEAR_MAX)
        return NULL;
    for (size_t i = 0; i < run_n_fields; i++) {
        size_t d = distance(name, run_fields[i].name);

        if (run_fields[i].kind != FIELD_UNSUPPORTED && d < best) {
            best = d;
            nearest = &run_fields[i];
        }
    }
    return nearest;
}
