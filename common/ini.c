/* SPDX-License-Identifier: Apache-2.0 */
#include "common/ini.h"

#include <ctype.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

struct reader {
    const char *name;
    struct ini *out;
    int line;
    struct err *err;
};

static enum err_code refuse(const struct reader *r, const char *why)
{
    return err_set(r->err, ERR_CONFIG, "%s:%d: %s", r->name, r->line, why);
}

static enum err_code no_memory(const struct reader *r)
{
    return err_set(r->err, ERR_NOMEM, "%s: out of memory", r->name);
}

/* --- names ------------------------------------------------------------------------ */

static bool is_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && !memchr("._-", s.p[i], 3))
            return false;
    return s.n > 0 && s.n <= INI_NAME_MAX_BYTES;
}

static bool is_comment(struct str s)
{
    return s.n == 0 || s.p[0] == '#' || s.p[0] == ';';
}

/* One row more in an array that grows by doubling. */
static bool grow(void *array, size_t n, size_t size)
{
    void **at = array, *more;

    if (n & (n - 1)) /* there is room up to the next power of two */
        return true;
    more = realloc(*at, (n ? 2 * n : 1) * size); /* n has a ceiling */
    if (more)
        *at = more;
    return more != NULL;
}

static enum err_code add_section(struct reader *r, struct str name)
{
    struct ini *o = r->out;

    for (size_t i = 1; i < o->n_sections; i++)
        if (str_is(name, o->sections[i].name))
            return err_set(r->err, ERR_CONFIG, "%s:%d: section '%s' stands in line %d already",
                           r->name, r->line, o->sections[i].name, o->sections[i].line);
    if (o->n_sections > INI_MAX_ENTRIES)
        return refuse(r, "too many sections");
    char *copy = str_dup(name);
    if (!copy || !grow(&o->sections, o->n_sections, sizeof *o->sections)) {
        free(copy);
        return no_memory(r);
    }
    o->sections[o->n_sections++] = (struct ini_section){copy, r->line};
    return ERR_OK;
}

static enum err_code read_section(struct reader *r, struct str line)
{
    const char *close = memchr(line.p, ']', line.n);
    size_t n = close ? (size_t)(close - line.p) : 0;

    if (!close || !is_comment(str_trim((struct str){close + 1, line.n - n - 1})))
        return refuse(r, "a section is written [name], alone on its line");
    struct str name = str_trim((struct str){line.p + 1, n - 1});
    if (!is_name(name))
        return refuse(r, "a section's name is of letters, digits, '.', '_' and '-', 64 at most");
    return add_section(r, name);
}

/* --- values ------------------------------------------------------------------------- */

static int escaped(char c)
{
    static const char from[] = "\"\\nt", to[] = "\"\\\n\t";
    const char *at = memchr(from, c, sizeof from - 1);

    return at ? (unsigned char)to[at - from] : -1;
}

/* Behind the opening quote: appends up to the closing one; what is left goes to *rest. */
static enum err_code read_quoted(const struct reader *r, struct str text, char quote,
                                 struct buf *out, struct str *rest)
{
    for (size_t i = 0; i < text.n; i++) {
        int c = (unsigned char)text.p[i];

        if (c == quote) {
            *rest = (struct str){text.p + i + 1, text.n - i - 1};
            return ERR_OK;
        }
        if (c == '\\' && quote == '"' && (i + 1 == text.n || (c = escaped(text.p[++i])) < 0))
            return refuse(r, "within \"…\" a backslash stands before \\ \" n or t only");
        buf_addc(out, (char)c);
    }
    return refuse(r, "the quote is not closed");
}

static bool has_comment(struct str value)
{
    for (size_t i = 1; i < value.n; i++)
        if (value.p[i] == '#' && (value.p[i - 1] == ' ' || value.p[i - 1] == '\t'))
            return true;
    return false;
}

static enum err_code read_value(const struct reader *r, struct str text, struct buf *out)
{
    struct str rest = {0};

    if (text.n > 0 && (text.p[0] == '"' || text.p[0] == '\'')) {
        struct str behind = {text.p + 1, text.n - 1};

        if (read_quoted(r, behind, text.p[0], out, &rest) != ERR_OK)
            return ERR_CONFIG;
        return is_comment(str_trim(rest)) ? ERR_OK
                                          : refuse(r, "something stands behind the closing quote");
    }
    if (has_comment(text))
        return refuse(r, "a comment behind a value, or a '#' in it, needs the value in quotes");
    buf_addstr(out, text);
    return ERR_OK;
}

static enum err_code add_entry(struct reader *r, struct str key, struct buf *value)
{
    struct ini *o = r->out;

    if (o->n_entries >= INI_MAX_ENTRIES)
        return refuse(r, "too many lines with a value");
    char *k = str_dup(key), *v = k ? buf_take(value) : NULL;
    if (!v || !grow(&o->entries, o->n_entries, sizeof *o->entries)) {
        free(k);
        free(v);
        return no_memory(r);
    }
    o->entries[o->n_entries++] =
        (struct ini_entry){.section = o->n_sections - 1, .key = k, .value = v, .line = r->line};
    return ERR_OK;
}

static enum err_code read_entry(struct reader *r, struct str line)
{
    const char *equals = memchr(line.p, '=', line.n);
    AUTO_BUF value = BUF_INIT(INI_MAX_BYTES);
    enum err_code rc;

    if (!equals)
        return refuse(r, "want 'key = value', '[profile]' or a comment");
    size_t n = (size_t)(equals - line.p);
    struct str key = str_trim((struct str){line.p, n});
    if (!is_name(key))
        return refuse(r, "a key is of letters, digits, '.', '_' and '-', 64 at most");
    rc = read_value(r, str_trim((struct str){equals + 1, line.n - n - 1}), &value);
    if (rc == ERR_OK)
        rc = add_entry(r, key, &value);
    if (value.p)
        sodium_memzero(value.p, value.cap); /* it may have been a secret */
    return rc;
}

/* --- the whole ---------------------------------------------------------------------- */

/* Nothing but tab below the space: such bytes are no text, and not to be seen by who looks. */
static bool is_plain(struct str line)
{
    for (size_t i = 0; i < line.n; i++)
        if (((unsigned char)line.p[i] < ' ' && line.p[i] != '\t') || line.p[i] == 0x7f)
            return false;
    return str_utf8(line, NULL);
}

static enum err_code read_line(struct reader *r, struct str line)
{
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    if (!is_plain(line))
        return refuse(r, "a control character, or not UTF-8");
    line = str_trim(line);
    if (is_comment(line))
        return ERR_OK;
    return line.p[0] == '[' ? read_section(r, line) : read_entry(r, line);
}

enum err_code ini_parse(const char *name, struct str text, struct ini *out, struct err *err)
{
    struct reader r = {.name = name, .out = out, .err = err};
    struct str line;
    enum err_code rc;

    *out = (struct ini){0};
    if (str_starts(text, "\xef\xbb\xbf")) /* as some editors begin a file */
        text = (struct str){text.p + 3, text.n - 3};
    if (text.n > INI_MAX_BYTES)
        return err_set(err, ERR_CONFIG, "%s: over %d bytes", name, INI_MAX_BYTES);
    rc = add_section(&r, STR(""));
    while (rc == ERR_OK && text.n > 0 && str_next(&text, '\n', &line)) {
        r.line++;
        rc = read_line(&r, line);
    }
    if (rc != ERR_OK)
        ini_release(out);
    return rc;
}

void ini_release(struct ini *i)
{
    for (size_t k = 0; k < i->n_entries; k++) {
        free(i->entries[k].key);
        sodium_memzero(i->entries[k].value, strlen(i->entries[k].value));
        free(i->entries[k].value);
    }
    for (size_t k = 0; k < i->n_sections; k++)
        free(i->sections[k].name);
    free(i->entries);
    free(i->sections);
    *i = (struct ini){0};
}

void ini_put_value(struct buf *out, struct str value)
{
    bool plain = str_eq(value, str_trim(value)) && !has_comment(value) &&
                 !memchr(value.p ? value.p : "", '\n', value.n) &&
                 !memchr(value.p ? value.p : "", '\t', value.n) &&
                 (value.n == 0 || (value.p[0] != '"' && value.p[0] != '\''));

    if (plain) {
        buf_addstr(out, value);
        return;
    }
    buf_addc(out, '"');
    for (size_t i = 0; i < value.n; i++) {
        char c = value.p[i];

        if (c == '"' || c == '\\')
            buf_addc(out, '\\');
        if (c == '\n' || c == '\t')
            buf_adds(out, c == '\n' ? "\\n" : "\\t");
        else
            buf_addc(out, c);
    }
    buf_addc(out, '"');
}
