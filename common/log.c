/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/utf8.h"
#include "common/banned.h"

/* A pipe that polls writable takes PIPE_BUF bytes at once and in one piece:
 * a line of at most that never blocks and never mixes with another process's. */
enum { LINE_MAX_BYTES = PIPE_BUF, VALUE_MAX_BYTES = 1024, USER_TEXT = 48 };

static struct {
    enum log_level least;
    enum log_format format;
    int fd;
    bool show_user;
    uint64_t dropped, told; /* lines lost; how many of them a line has told of */
} log_to = {.least = LOG_INFO, .format = LOG_TEXT, .fd = STDERR_FILENO};

static const char *const level_names[LOG_LEVELS] = {
    [LOG_ERROR] = "error",
    [LOG_WARN] = "warn",
    [LOG_INFO] = "info",
    [LOG_DEBUG] = "debug",
};

void log_setup(enum log_level least, enum log_format format, int fd)
{
    log_to.least = least;
    log_to.format = format;
    log_to.fd = fd;
}

void log_user_data(bool show)
{
    log_to.show_user = show;
}

uint64_t log_dropped(void)
{
    return log_to.dropped;
}

bool log_parse_level(struct str s, enum log_level *out)
{
    for (unsigned i = 0; i < LOG_LEVELS; i++)
        if (str_is(s, level_names[i])) {
            *out = (enum log_level)i;
            return true;
        }
    return false;
}

enum err_code log_setup_as(const char *level, const char *format, struct err *err)
{
    enum log_level least;
    bool json = str_is(str_of(format), "json");

    if (!log_parse_level(str_of(level), &least))
        return err_set(err, ERR_USAGE, "--log-level: '%s' is none of error, warn, info, debug",
                       level);
    if (!json && !str_is(str_of(format), "text"))
        return err_set(err, ERR_USAGE, "--log-format: '%s' is neither text nor json", format);
    log_setup(least, json ? LOG_JSON : LOG_TEXT, STDERR_FILENO);
    return ERR_OK;
}

/* --- text --------------------------------------------------------------------- */

/* U+0080..U+009F: terminals take them as commands. */
static bool is_c1(const char *p, size_t len)
{
    return len == 2 && (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] < 0xa0;
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] == 0x7f || strchr("\"=\\", s.p[i]))
            return false; /* char is signed or not: bytes over 0x7f go the long way */
    return s.n > 0;
}

static void put_char(struct buf *b, const char *p, size_t len)
{
    if (*p == '\n')
        buf_adds(b, "\\n");
    else if (*p == '\t')
        buf_adds(b, "\\t");
    else if (*p == '"' || *p == '\\')
        buf_add(b, (char[2]){'\\', *p}, 2);
    else if (len == 0 || (unsigned char)*p < ' ' || *p == 0x7f || is_c1(p, len))
        for (size_t i = 0; i < (len ? len : 1); i++)
            buf_addf(b, "\\x%02x", (unsigned char)p[i]);
    else
        buf_add(b, p, len);
}

static void put_text(struct buf *b, const char *key, struct str s)
{
    const char *p = s.p, *end = s.n > 0 ? s.p + s.n : s.p;

    buf_addf(b, " %s=", key);
    if (is_plain(s)) {
        buf_addstr(b, s);
        return;
    }
    buf_addc(b, '"');
    while (p < end) {
        size_t len = utf8_len(p, end);

        put_char(b, p, len);
        p += len ? len : 1;
    }
    buf_addc(b, '"');
}

/* --- fields, in either format --------------------------------------------------- */

/* At most VALUE_MAX_BYTES of s, not in the middle of a character. */
static struct str cut(struct str s)
{
    if (s.n > VALUE_MAX_BYTES)
        for (s.n = VALUE_MAX_BYTES; s.n > 0 && (s.p[s.n] & 0xc0) == 0x80;)
            s.n--;
    return s;
}

static void put_str(struct buf *b, const char *key, struct str s)
{
    if (log_to.format == LOG_JSON)
        json_kv_str(b, key, cut(s));
    else
        put_text(b, key, cut(s));
}

static void put_int(struct buf *b, const char *key, int64_t n)
{
    if (log_to.format == LOG_JSON)
        json_kv_int(b, key, n);
    else
        buf_addf(b, " %s=%lld", key, (long long)n);
}

/* "812B#5f2c90aa": enough to find the same text again, too little to read it. */
static void put_user(struct buf *b, const char *key, struct str s)
{
    unsigned char hash[crypto_generichash_BYTES_MIN];
    char hex[2 * 4 + 1], text[USER_TEXT];

    if (log_to.show_user) {
        put_str(b, key, s);
        return;
    }
    (void)crypto_generichash(hash, sizeof hash, (const unsigned char *)s.p, s.n, NULL, 0);
    (void)sodium_bin2hex(hex, sizeof hex, hash, sizeof hex / 2);
    (void)snprintf(text, sizeof text, "%zuB#%s", s.n, hex);
    put_str(b, key, str_of(text));
}

static void put_err(struct buf *b, const char *key, const struct err *e)
{
    put_str(b, key, str_of(e->msg));
    put_str(b, "code", str_of(err_name(e->code)));
    put_str(b, "action", str_of(err_action_name(err_action(e->code))));
}

static void put_field(struct buf *b, const struct log_field *f)
{
    switch (f->kind) {
    case LOG_F_STR:
        put_str(b, f->key, f->s);
        break;
    case LOG_F_INT:
        put_int(b, f->key, f->i);
        break;
    case LOG_F_USER:
        put_user(b, f->key, f->s);
        break;
    case LOG_F_ERR:
        put_err(b, f->key, f->e);
        break;
    case LOG_F_END:
        break;
    }
}

/* --- the line ------------------------------------------------------------------- */

static void put_head(struct buf *b, enum log_level level, const char *event)
{
    char now[CLOCK_TEXT];

    (void)clock_rfc3339(clock_wall_ms(), now);
    if (log_to.format == LOG_JSON) {
        buf_addc(b, '{');
        json_kv(b, "time", now);
    } else {
        buf_addf(b, "time=%s", now);
    }
    put_str(b, "level", str_of(level_names[level]));
    put_str(b, "event", str_of(event));
    if (log_to.dropped > log_to.told)
        put_int(b, "log_dropped", (int64_t)(log_to.dropped - log_to.told));
}

/* A field that no longer fits is left out whole, and so are those behind it. */
static void put_fields(struct buf *b, const struct log_field *f)
{
    for (; f->kind != LOG_F_END; f++) {
        size_t before = b->len;

        put_field(b, f);
        if (b->rc != ERR_OK) {
            b->len = before;
            b->rc = ERR_OK;
            return;
        }
    }
}

static void send_line(struct str line)
{
    struct pollfd p = {.fd = log_to.fd, .events = POLLOUT};

    if (poll(&p, 1, 0) == 1 && (p.revents & POLLOUT) &&
        write(log_to.fd, line.p, line.n) == (ssize_t)line.n)
        log_to.told = log_to.dropped;
    else
        log_to.dropped++;
}

/* The line stands in memory of its own: also "out of memory" can be logged. */
void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    static char room[LINE_MAX_BYTES + 1];
    struct buf line = {.p = room, .cap = sizeof room, .max = LINE_MAX_BYTES - 2};

    if (level > log_to.least)
        return;
    put_head(&line, level, event);
    put_fields(&line, fields);
    line.max = LINE_MAX_BYTES; /* the last two bytes were kept for the end */
    buf_adds(&line, log_to.format == LOG_JSON ? "}\n" : "\n");
    send_line(buf_str(&line));
}
