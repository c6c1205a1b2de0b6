/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/pg/pg.h"
#include "producer/command.h"
#include "producer/config/config.h"
#include "common/banned.h"

enum { CONNECT_MS = 10000 };

static const char *called = ""; /* "runs list"; "": no command was found */
static char try_help[80];

void client_called(const char *command)
{
    called = command;
}

const char *client_try_help(void)
{
    (void)snprintf(try_help, sizeof try_help, "try 'sandfleet%s%s --help'", *called ? " " : "",
                   called);
    return try_help;
}

/* What to do next, where the error's code tells. */
static const char *next_step(enum err_code code)
{
    switch (code) {
    case ERR_UNAVAILABLE:
    case ERR_TIMEOUT:
        return "nothing more was done; `sandfleet doctor` tells which part is away";
    case ERR_USAGE:
        return client_try_help();
    case ERR_OK:
    case ERR_INVALID:
    case ERR_TOO_BIG:
    case ERR_CONFLICT:
    case ERR_NOT_FOUND:
    case ERR_UNAUTHORIZED:
    case ERR_THROTTLED:
    case ERR_CAPACITY:
    case ERR_PROTOCOL:
    case ERR_GONE:
    case ERR_IO:
    case ERR_CANCELLED:
    case ERR_CONFIG:
    case ERR_NOMEM:
    case ERR_INTERNAL:
    case ERR_CODES:
        break;
    }
    return NULL;
}

int client_fail(const struct err *e)
{
    const char *next = next_step(e->code);

    fprintf(stderr, "sandfleet: %s\n", e->msg[0] ? e->msg : err_meaning(e->code));
    if (next)
        fprintf(stderr, "sandfleet: %s\n", next);
    return (int)exit_status_of(e->code);
}

int client_fail_words(const struct err *e)
{
    struct err told = *e;

    if (told.code == ERR_INVALID)
        told.code = ERR_USAGE;
    return client_fail(&told);
}

void client_note(const char *fmt, ...)
{
    va_list ap;

    fputs("sandfleet: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

enum err_code client_check(const struct client *c, struct err *err)
{
    for (size_t i = 0; i < c->call->n_rows; i++)
        if (strcmp(c->call->rows[i].name, "database") == 0 &&
            c->call->origins[i].from == OPT_FROM_FLAG && pg_conn_check(c->database, err) != ERR_OK)
            return err->code = ERR_USAGE;
    return ERR_OK;
}

struct kafka_conf client_kafka(const struct client *c)
{
    return (struct kafka_conf){.brokers = c->brokers,
                               .client_id = "sandfleet",
                               .file = c->kafka_config,
                               .props = &c->props,
                               .n_closed = c->call ? config_n_props(c->call->config) : 0};
}

enum err_code client_connect(const struct client *c, struct topics *topics,
                             struct kafka_admin **admin, struct err *err)
{
    struct kafka_conf conf = client_kafka(c);

    if (topics_load(c->prefix, topics, err) != ERR_OK)
        return err->code;
    if (kafka_admin_new(&conf, admin, err) != ERR_OK ||
        topics_check(topics, *admin, CONNECT_MS, err) != ERR_OK) {
        kafka_admin_free(*admin);
        *admin = NULL;
        topics_release(topics);
        return err->code;
    }
    return ERR_OK;
}

static bool put_all(const char *p, size_t n, bool *gone, struct err *err)
{
    while (n > 0 && !*gone) {
        ssize_t w = write(STDOUT_FILENO, p, n);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0 && errno == EPIPE) {
            *gone = true;
            return true;
        }
        if (w < 0) {
            err_set(err, ERR_IO, "cannot write to standard output: %s", strerror(errno));
            return false;
        }
        p += w;
        n -= (size_t)w;
    }
    return true;
}

/* A control character of ISO 6429's upper half as UTF-8 has it: such as CSI in one character. */
static bool is_c1(const char *p, size_t n)
{
    return n >= 2 && (unsigned char)p[0] == 0xc2 && (unsigned char)p[1] >= 0x80 &&
           (unsigned char)p[1] < 0xa0;
}

/* Text for people has none of them (term_text_safe()), and JSON has them in strings only, as they
 * are: a terminal gets them as JSON's escapes. */
bool client_put(const char *p, size_t n, bool *gone, struct err *err)
{
    size_t at = 0;

    if (!isatty(STDOUT_FILENO))
        return put_all(p, n, gone, err);
    while (at < n) {
        char escape[8];

        if (!is_c1(p + at, n - at)) {
            at++;
            continue;
        }
        snprintf(escape, sizeof escape, "\\u00%02x", (unsigned)(unsigned char)p[at + 1]);
        if (!put_all(p, at, gone, err) || !put_all(escape, strlen(escape), gone, err))
            return false;
        p += at + 2;
        n -= at + 2;
        at = 0;
    }
    return put_all(p, n, gone, err);
}

bool client_put_list(const struct client *c, const struct buf *list, const char *none,
                     struct err *err)
{
    bool gone = false;

    if (list->len == 0 && c->output == OUTPUT_TEXT && !c->quiet)
        client_note("there are no %s", none);
    return client_put(list->p ? list->p : "", list->len, &gone, err);
}
