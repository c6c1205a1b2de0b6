/* SPDX-License-Identifier: Apache-2.0 */
/* The log: one line an event on stderr, `event=run.started run=r1 ms=812`.
 * Level says what the reader must do. Never blocks the data path: what stderr
 * does not take at once is dropped and counted. Single-threaded. */
#ifndef SANDFLEET_COMMON_LOG_H
#define SANDFLEET_COMMON_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"

enum log_level {
    LOG_ERROR, /* act */
    LOG_WARN,  /* we went on */
    LOG_INFO,  /* life cycle */
    LOG_DEBUG, /* off by default */
    LOG_LEVELS
};

enum log_format { LOG_TEXT, LOG_JSON };

/* One field. Make them with the macros below. */
struct log_field {
    const char *key;
    enum { LOG_F_END, LOG_F_STR, LOG_F_INT, LOG_F_ERR, LOG_F_USER } kind;
    struct str s;
    int64_t i;
    const struct err *e;
};

#define LF(k, cstr)     ((struct log_field){.key = (k), .kind = LOG_F_STR, .s = str_of(cstr)})
#define LF_STR(k, view) ((struct log_field){.key = (k), .kind = LOG_F_STR, .s = (view)})
#define LF_INT(k, n)    ((struct log_field){.key = (k), .kind = LOG_F_INT, .i = (int64_t)(n)})
#define LF_ERR(err)     ((struct log_field){.key = "error", .kind = LOG_F_ERR, .e = (err)})
/* User data: printed as length and hash unless log_user_data(true). */
#define LF_USER(k, view) ((struct log_field){.key = (k), .kind = LOG_F_USER, .s = (view)})

/* log_event(LOG_INFO, "run.started", LF("run", id), LF_INT("ms", 812)); */
#define log_event(level, event, ...)                                                               \
    log_write(level, event, (struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.kind = LOG_F_END}})

void log_write(enum log_level level, const char *event, const struct log_field *fields);

void log_setup(enum log_level least, enum log_format format, int fd);
void log_user_data(bool show);
bool log_parse_level(struct str s, enum log_level *out); /* "info" */
/* To standard error, as the options --log-level and --log-format say; ERR_USAGE names the bad one.
 */
enum err_code log_setup_as(const char *level, const char *format, struct err *err) MUST_USE;
uint64_t log_dropped(void);

#endif
