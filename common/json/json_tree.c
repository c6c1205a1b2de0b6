/* SPDX-License-Identifier: Apache-2.0 */
/* Trees: cJSON, which checks neither UTF-8 nor depth nor duplicates, behind our own check. */
#include "common/json/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

enum { NUMBER_MAX = 63 };

#define WHOLE_MAX 9007199254740992.0 /* 2^53: up to here a double holds every integer */

void json_delete(cJSON **tree)
{
    cJSON_Delete(*tree);
    *tree = NULL;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, so that an object of many keys costs no square of them. */
static enum err_code check_keys(const cJSON *obj, struct err *err)
{
    size_t n = (size_t)cJSON_GetArraySize(obj), i = 0;
    const char **keys, *twice = NULL;
    const cJSON *child;

    if (n < 2)
        return ERR_OK;
    keys = malloc(n * sizeof *keys);
    if (!keys)
        return err_set(err, ERR_NOMEM, "JSON object of %zu members: out of memory", n);
    cJSON_ArrayForEach(child, obj) keys[i++] = child->string;
    qsort(keys, n, sizeof *keys, by_text);
    for (i = 1; i < n && !twice; i++)
        if (strcmp(keys[i - 1], keys[i]) == 0)
            twice = keys[i];
    free(keys);
    return twice ? err_set(err, ERR_INVALID, "the key '%.64s' comes twice", twice) : ERR_OK;
}

/* Recursion is bounded: json_scan held the text to JSON_MAX_DEPTH. */
static enum err_code check_strict(const cJSON *tree, struct err *err)
{
    const cJSON *child;
    enum err_code rc;

    if (cJSON_IsNumber(tree) && !isfinite(tree->valuedouble))
        return err_set(err, ERR_INVALID, "a number is out of range");
    rc = cJSON_IsObject(tree) ? check_keys(tree, err) : ERR_OK;
    cJSON_ArrayForEach(child, tree)
    {
        if (rc != ERR_OK)
            break;
        rc = check_strict(child, err);
    }
    return rc;
}

/* Some releases of cJSON read 63 bytes of a number and go on behind them as if it had ended there:
 * inside of anything that fails, but at the top it looks like the end. */
static cJSON *parse_whole(struct str text)
{
    const char *end = NULL;
    cJSON *tree = cJSON_ParseWithLengthOpts(text.p, text.n, &end, false);

    if (tree && str_trim((struct str){end, (size_t)(text.p + text.n - end)}).n > 0)
        json_delete(&tree);
    return tree;
}

/* cJSON cuts a string at \u0000 and refuses half a surrogate pair: it gets a sanitized copy. */
static cJSON *parse_sanitized(struct str text)
{
    char *copy = str_dup(text);
    cJSON *tree;

    if (!copy)
        return NULL;
    (void)json_sanitize(copy, text.n);
    tree = parse_whole((struct str){copy, text.n});
    free(copy);
    return tree;
}

/* After json_scan, a text can fail for two reasons that cJSON does not tell apart: memory,
 * and a number longer than it reads. */
static bool has_long_number(struct str text)
{
    size_t run = 0;

    for (size_t i = 0; i < text.n; i++) {
        run = memchr("0123456789+-.eE", text.p[i], 15) ? run + 1 : 0;
        if (run >= NUMBER_MAX)
            return true;
    }
    return false;
}

enum err_code json_parse(struct str text, unsigned flags, cJSON **out, struct err *err)
{
    bool strict = (flags & JSON_STRICT) != 0;
    struct json_scan scan;
    AUTO_JSON *tree = NULL;
    enum err_code rc;

    rc = json_scan(text, NULL, 0, &scan, err);
    if (rc != ERR_OK)
        return rc;
    if (strict && scan.unsafe > 0)
        return err_set(err, ERR_INVALID, "\\u0000 or half a surrogate pair in a string");
    tree = scan.unsafe > 0 ? parse_sanitized(text) : parse_whole(text);
    if (!tree && has_long_number(text))
        return err_set(err, ERR_INVALID, "a number has %d digits or more", NUMBER_MAX);
    if (!tree)
        return err_set(err, ERR_NOMEM, "JSON of %zu bytes: out of memory", text.n);
    if (strict && (rc = check_strict(tree, err)) != ERR_OK)
        return rc;
    *out = tree;
    tree = NULL;
    return ERR_OK;
}

/* --- getters ------------------------------------------------------------------ */

const cJSON *json_get(const cJSON *obj, const char *key)
{
    return cJSON_IsObject(obj) ? cJSON_GetObjectItemCaseSensitive(obj, key) : NULL;
}

const char *json_get_string(const cJSON *obj, const char *key)
{
    return cJSON_GetStringValue(json_get(obj, key));
}

bool json_get_number(const cJSON *obj, const char *key, double *out)
{
    const cJSON *item = json_get(obj, key);

    if (!item || !cJSON_IsNumber(item))
        return false;
    *out = item->valuedouble;
    return true;
}

bool json_get_int(const cJSON *obj, const char *key, int64_t *out)
{
    double d;

    if (!json_get_number(obj, key, &d) || !(fabs(d) <= WHOLE_MAX) || trunc(d) != d)
        return false;
    *out = (int64_t)d;
    return true;
}

bool json_get_bool(const cJSON *obj, const char *key, bool *out)
{
    const cJSON *item = json_get(obj, key);

    if (!cJSON_IsBool(item))
        return false;
    *out = cJSON_IsTrue(item);
    return true;
}
