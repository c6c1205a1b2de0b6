/* SPDX-License-Identifier: Apache-2.0 */
#include "common/err.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/banned.h"

struct row {
    const char *name, *meaning;
    enum err_action action;
    int status;
};

#define ERR_ROW(name, action, status, text) {#name, text, ERR_DO_##action, status},
static const struct row rows[] = {ERR_MAP(ERR_ROW)};

/* A code from outside the map can only be our own bug: say so instead of reading past the table. */
static const struct row *row_of(enum err_code code)
{
    return (unsigned)code < ERR_CODES ? &rows[code] : &rows[ERR_INTERNAL];
}

/* Bytes of the text's first `n` that do not end within a character (UTF-8). */
static size_t whole(const char *text, size_t n)
{
    size_t at = n;
    unsigned char c;

    while (at > 0 && n - at < 3 && ((unsigned char)text[at - 1] & 0xC0) == 0x80)
        at--;
    if (at == 0)
        return n;
    c = (unsigned char)text[at - 1];
    return c >= 0xC0 && n - at < (c >= 0xF0 ? 3u : c >= 0xE0 ? 2u : 1u) ? at - 1 : n;
}

/* vsnprintf(), but what is cut is cut between characters. */
__attribute__((format(printf, 3, 0))) static void print(char *out, size_t room, const char *fmt,
                                                        va_list ap)
{
    int n = vsnprintf(out, room, fmt, ap);

    if (n >= 0 && (size_t)n >= room)
        out[whole(out, room - 1)] = '\0';
}

enum err_code err_set(struct err *e, enum err_code code, const char *fmt, ...)
{
    char text[sizeof e->msg]; /* aside: the arguments may be the message e has */
    va_list ap;

    if (!e)
        return code;
    va_start(ap, fmt);
    print(text, sizeof text, fmt, ap);
    va_end(ap);
    e->code = code;
    e->retry_ms = 0;
    memcpy(e->msg, text, strlen(text) + 1);
    return code;
}

enum err_code err_wrap(struct err *e, const char *fmt, ...)
{
    char before[sizeof e->msg - 2];
    size_t n, keep;
    va_list ap;

    assert(e);
    va_start(ap, fmt);
    print(before, sizeof before, fmt, ap);
    va_end(ap);
    n = strlen(before);
    keep = strnlen(e->msg, sizeof e->msg - 1 - n - 2);
    if (e->msg[keep] != '\0')
        keep = whole(e->msg, keep);
    memmove(e->msg + n + 2, e->msg, keep);
    memcpy(e->msg, before, n);
    memcpy(e->msg + n, ": ", 2);
    e->msg[n + 2 + keep] = '\0';
    return e->code;
}

static enum err_code code_of_errno(int errnum)
{
    switch (errnum) {
    case ENOENT:
        return ERR_NOT_FOUND;
    case ENOMEM:
        return ERR_NOMEM;
    default:
        return ERR_IO;
    }
}

enum err_code err_errno(struct err *e, int errnum, const char *fmt, ...)
{
    enum err_code code = code_of_errno(errnum);
    char text[sizeof e->msg], reason[128];
    va_list ap;

    if (!e)
        return code;
    va_start(ap, fmt);
    print(text, sizeof text, fmt, ap);
    va_end(ap);
    (void)err_set(e, code, "%s", strerror_r(errnum, reason, sizeof reason));
    return err_wrap(e, "%s", text);
}

const char *err_name(enum err_code code)
{
    return row_of(code)->name;
}

const char *err_meaning(enum err_code code)
{
    return row_of(code)->meaning;
}

enum err_action err_action(enum err_code code)
{
    return row_of(code)->action;
}

const char *err_action_name(enum err_action action)
{
    static const char *const names[] = {
        [ERR_DO_NONE] = "none",
        [ERR_DO_RETRY] = "retry",
        [ERR_DO_REJECT] = "reject",
        [ERR_DO_STOP] = "stop",
    };

    return names[action];
}

int err_exit_status(enum err_code code)
{
    return row_of(code)->status;
}
