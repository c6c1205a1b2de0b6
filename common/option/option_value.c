/* SPDX-License-Identifier: Apache-2.0 */
#include "common/option/option_value.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/secret/secret.h"
#include "common/banned.h"

enum { RANGE_TEXT = 128 };

static const struct unit {
    const char *name;
    int64_t size;
} bytes_units[] = {{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}, {"", 1}},
  ms_units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};

void *option_at(const struct opt *row, void *settings)
{
    return (char *)settings + row->at;
}

const void *option_get(const struct opt *row, const void *settings)
{
    return (const char *)settings + row->at;
}

const char *option_env(const struct opt *row, char out[OPTION_ENV_MAX])
{
    static const char prefix[] = "SANDFLEET_";
    size_t n = sizeof prefix - 1;

    if (row->env)
        return row->env;
    memcpy(out, prefix, n);
    for (const char *p = row->name; *p && n < OPTION_ENV_MAX - 1; p++)
        out[n++] = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    out[n] = '\0';
    return out;
}

const char *option_flag(const struct opt *row, char out[OPTION_FLAG_MAX])
{
    static const char suffix[] = "-file";
    size_t n = strlen(row->name);

    if (!(row->flags & OPT_SECRET))
        return row->name;
    assert(n + sizeof suffix <= OPTION_FLAG_MAX);
    memcpy(out, row->name, n);
    memcpy(out + n, suffix, sizeof suffix);
    return out;
}

/* --- text to value ------------------------------------------------------------------ */

static bool parse_int(struct str s, int64_t *out)
{
    char *end;

    if (s.n == 0 || !(isdigit((unsigned char)s.p[s.n > 1 && s.p[0] == '-'])))
        return false; /* strtoll would take white space and '+', too */
    errno = 0;
    *out = strtoll(s.p, &end, 10);
    return *end == '\0';
}

static bool parse_bytes(struct str s, int64_t *out)
{
    char *end;
    int64_t n;

    if (s.n == 0 || !isdigit((unsigned char)s.p[0]))
        return false;
    errno = 0;
    n = strtoll(s.p, &end, 10);
    for (size_t i = 0; i < COUNTOF(bytes_units); i++)
        if (strcmp(end, bytes_units[i].name) == 0) {
            if (__builtin_mul_overflow(n, bytes_units[i].size, out))
                errno = ERANGE;
            return true;
        }
    return false;
}

static bool parse_ms(struct str s, int64_t *out)
{
    bool negative = s.n > 1 && s.p[0] == '-'; /* so that the range is named, not the form */

    errno = 0;
    if (negative && parse_int(s, out))
        return true;
    return clock_parse_duration(s, out);
}

static bool parse_number(enum opt_type type, struct str s, int64_t *out)
{
    switch (type) {
    case OPT_INT:
        return parse_int(s, out);
    case OPT_MS:
        return parse_ms(s, out);
    case OPT_BYTES:
        return parse_bytes(s, out);
    case OPT_STRING:
    case OPT_BOOL:
    case OPT_MONEY:
    case OPT_LIST:
        break;
    }
    return false;
}

static const char *form_of(enum opt_type type)
{
    static const char *const forms[] = {
        [OPT_STRING] = "a text",
        [OPT_INT] = "a whole number",
        [OPT_MS] = "a duration such as 90s, 5m or 1h30m",
        [OPT_BYTES] = "a size such as 512, 64KiB or 1MiB",
        [OPT_BOOL] = "true or false",
        [OPT_MONEY] = "an amount in dollars such as 2.50",
        [OPT_LIST] = "a text",
    };

    return forms[type];
}

static enum err_code refuse_form(const struct opt *row, const char *from, const char *text,
                                 struct err *err)
{
    return err_set(err, ERR_USAGE, "%s '%.64s' is not %s", from, text, form_of(row->type));
}

static bool is_checked(const struct opt *row)
{
    return row->min != 0 || row->max != 0;
}

static enum err_code refuse_range(const struct opt *row, const char *from, const char *text,
                                  struct err *err)
{
    enum opt_type type = row->type == OPT_MONEY ? OPT_INT : row->type;
    AUTO_BUF range = BUF_INIT(RANGE_TEXT);

    if (!is_checked(row))
        return err_set(err, ERR_USAGE, "%s '%.64s' is out of range", from, text);
    option_write(&range, type, row->min);
    buf_adds(&range, " to ");
    option_write(&range, type, row->max);
    if (range.rc != ERR_OK)
        return err_set(err, range.rc, "%s", from);
    return err_set(err, ERR_USAGE, "%s '%.64s' is out of range: %s", from, text, range.p);
}

static enum err_code set_number(const struct opt *row, void *field, const char *from,
                                const char *text, struct err *err)
{
    int64_t v;

    if (!parse_number(row->type, str_of(text), &v))
        return refuse_form(row, from, text, err);
    if (errno == ERANGE || (row->type != OPT_INT && v < 0) ||
        (is_checked(row) && (v < row->min || v > row->max)))
        return refuse_range(row, from, text, err);
    *(int64_t *)field = v;
    return ERR_OK;
}

static enum err_code set_money(const struct opt *row, void *field, const char *from,
                               const char *text, struct err *err)
{
    char *end;
    double v;

    /* strtod would take "nan", "0x1p3" and " 1", too */
    if (!*text || text[strspn(text, "0123456789.")] != '\0')
        return refuse_form(row, from, text, err);
    v = strtod(text, &end);
    if (*end != '\0' || end == text)
        return refuse_form(row, from, text, err);
    if (!isfinite(v) || (is_checked(row) && (v < (double)row->min || v > (double)row->max)))
        return refuse_range(row, from, text, err);
    *(double *)field = v;
    return ERR_OK;
}

static enum err_code set_bool(const struct opt *row, void *field, const char *from,
                              const char *text, struct err *err)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"1", true},  {"true", true},   {"yes", true}, {"on", true},
                 {"0", false}, {"false", false}, {"no", false}, {"off", false}};

    for (size_t i = 0; i < COUNTOF(words); i++)
        if (strcmp(text, words[i].word) == 0) {
            *(bool *)field = words[i].value;
            return ERR_OK;
        }
    return refuse_form(row, from, text, err);
}

static enum err_code copy_text(const struct opt *row, const char *from, const char *text,
                               char **out, struct err *err)
{
    size_t n = strlen(text);

    if (is_checked(row) && (n < (size_t)row->min || n > (size_t)row->max))
        return err_set(err, ERR_USAGE, "%s has %zu bytes: %lld to %lld are allowed", from, n,
                       (long long)row->min, (long long)row->max);
    *out = str_dup((struct str){text, n});
    return *out ? ERR_OK : err_set(err, ERR_NOMEM, "%s: out of memory", from);
}

static enum err_code set_string(const struct opt *row, void *field, const char *from,
                                const char *text, struct err *err)
{
    char *copy;
    enum err_code rc = copy_text(row, from, text, &copy, err);

    if (rc != ERR_OK)
        return rc;
    free(*(char **)field);
    *(char **)field = copy;
    return ERR_OK;
}

static enum err_code add_item(const struct opt *row, void *field, const char *from,
                              const char *text, struct err *err)
{
    struct opt_list *list = field;
    char **items = realloc(list->items, (list->n + 1) * sizeof *items);
    enum err_code rc;

    if (!items)
        return err_set(err, ERR_NOMEM, "%s: out of memory", from);
    list->items = items;
    rc = copy_text(row, from, text, &items[list->n], err);
    if (rc == ERR_OK)
        list->n++;
    return rc;
}

enum err_code option_set(const struct opt *row, void *settings, const char *from, const char *text,
                         struct err *err)
{
    void *field = option_at(row, settings);

    switch (row->type) {
    case OPT_STRING:
        return set_string(row, field, from, text, err);
    case OPT_INT:
    case OPT_MS:
    case OPT_BYTES:
        return set_number(row, field, from, text, err);
    case OPT_BOOL:
        return set_bool(row, field, from, text, err);
    case OPT_MONEY:
        return set_money(row, field, from, text, err);
    case OPT_LIST:
        return add_item(row, field, from, text, err);
    }
    return err_set(err, ERR_INTERNAL, "%s: no such type of option", from);
}

/* --- value to text, and away ----------------------------------------------------------- */

static void write_units(struct buf *out, const struct unit *u, size_t n, int64_t v)
{
    for (size_t i = 0; i < n; i++)
        if (v % u[i].size == 0) {
            buf_addf(out, "%lld%s", (long long)(v / u[i].size), u[i].name);
            return;
        }
}

void option_write(struct buf *out, enum opt_type type, int64_t v)
{
    if (v != 0 && type == OPT_MS)
        write_units(out, ms_units, COUNTOF(ms_units), v);
    else if (v != 0 && type == OPT_BYTES)
        write_units(out, bytes_units, COUNTOF(bytes_units), v);
    else
        buf_addf(out, "%lld", (long long)v);
}

void option_put(const struct opt *row, const void *settings, struct buf *out)
{
    const void *field = option_get(row, settings);
    const struct opt_list *list = field;

    if (option_is_empty(row, settings))
        return;
    switch (row->type) {
    case OPT_STRING:
        buf_adds(out, row->flags & OPT_SECRET ? "***" : *(char *const *)field);
        break;
    case OPT_LIST:
        for (size_t i = 0; i < list->n; i++)
            buf_addf(out, "%s%s", i ? "," : "", list->items[i]);
        break;
    case OPT_INT:
    case OPT_MS:
    case OPT_BYTES:
        option_write(out, row->type, *(const int64_t *)field);
        break;
    case OPT_BOOL:
        buf_adds(out, *(const bool *)field ? "true" : "false");
        break;
    case OPT_MONEY:
        buf_addf(out, "%.15g", *(const double *)field);
        break;
    }
}

void option_clear(const struct opt *row, void *settings)
{
    void *field = option_at(row, settings);

    if (row->flags & OPT_SECRET) {
        secret_free(*(struct secret **)field);
        *(struct secret **)field = NULL;
    } else if (row->type == OPT_STRING) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (row->type == OPT_LIST) {
        struct opt_list *list = field;

        for (size_t i = 0; i < list->n; i++)
            free(list->items[i]);
        free(list->items);
        *list = (struct opt_list){0};
    }
}

bool option_is_empty(const struct opt *row, const void *settings)
{
    const void *field = option_get(row, settings);

    if (row->flags & OPT_SECRET)
        return *(struct secret *const *)field == NULL;
    if (row->type == OPT_STRING)
        return *(char *const *)field == NULL;
    if (row->type == OPT_LIST)
        return ((const struct opt_list *)field)->n == 0;
    return false;
}
