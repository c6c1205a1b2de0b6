/* SPDX-License-Identifier: Apache-2.0 */
/* One row per setting: flag, environment variable, range check, help and
 * --print-config all come from it. Pure but for reading environ. */
#ifndef SANDFLEET_COMMON_OPTION_OPTION_H
#define SANDFLEET_COMMON_OPTION_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/buf.h"
#include "common/err.h"

enum opt_type {
    OPT_STRING, /* char *, ours; NULL when not set */
    OPT_INT,    /* int64_t */
    OPT_MS,     /* int64_t milliseconds; typed as "90s" */
    OPT_BYTES,  /* int64_t bytes; typed as "64KiB" "1MiB" "512" */
    OPT_BOOL,   /* bool; the flag takes no argument */
    OPT_MONEY,  /* double US dollars */
    OPT_LIST    /* struct opt_list; the flag may come several times and then replaces the
                   default and the environment, which have commas between the items */
};

enum {
    OPT_REQUIRED = 1 << 0,
    OPT_SECRET = 1 << 1, /* struct secret *, of type OPT_STRING. No flag: environment (wiped
                            when read), or a file by --NAME-file; shown as *** */
    OPT_NO_ENV = 1 << 2, /* flag only (things of one call, not of an installation) */
    OPT_RELOAD = 1 << 3,
    OPT_CONFIG = 1 << 4, /* with OPT_NO_ENV: a configuration file may have it all the same */
    OPT_MERGE = 1 << 5   /* OPT_LIST: what all sources say together, the strongest last */
};

struct opt_list {
    char **items; /* ours */
    size_t n;
};

struct opt {
    const char *name; /* "run-timeout" -> --run-timeout and SANDFLEET_RUN_TIMEOUT */
    char letter;      /* 'o' -> -o; 0: none */
    enum opt_type type;
    size_t at;        /* offsetof() in the settings struct */
    const char *def;  /* as one would type it; NULL: none */
    int64_t min, max; /* in the base unit; both 0: unchecked; strings: least and most bytes */
    unsigned flags;
    const char *env;        /* another variable's name; NULL: SANDFLEET_<NAME> */
    const char *arg, *help; /* "<duration>", one full sentence */
};

/* Defaults, then environ, then argv[1..], into `settings` (zeroed by the caller).
 * Flags: --name=value, --name value, -x value, -xvalue; an empty variable counts as not set.
 * Words that are no flag, and all after "--", stay in order in argv[1..*n_words].
 * ERR_USAGE names the flag, the value, and the range or the nearest flag. */
enum err_code option_parse(const struct opt *rows, size_t n, void *settings, int argc, char **argv,
                           int *n_words, struct err *err) MUST_USE;

/* --- one more source, and who said what --------------------------------------------- */

struct opt_found {     /* a value that a source has; borrowed until the next call */
    const char *text;  /* NULL: there is no i-th one */
    const char *where; /* "/etc/x:7" */
    bool is_file;      /* of a secret: text is the path of the file that holds it */
};

/* What stands between the defaults and the environment: a configuration file. A bad value in it
 * is ERR_CONFIG. */
struct opt_source {
    void *ctx;
    /* The row's i-th value. The last one counts; of a list, all do. */
    enum err_code (*value)(void *ctx, const struct opt *row, size_t i, struct opt_found *out,
                           struct err *err);
};

enum opt_from { OPT_FROM_NOWHERE, OPT_FROM_DEFAULT, OPT_FROM_SOURCE, OPT_FROM_ENV, OPT_FROM_FLAG };
enum { OPT_WHERE_MAX = 256 };

struct opt_origin { /* of the value that a setting has; of a merged list, of its strongest part */
    enum opt_from from;
    char where[OPT_WHERE_MAX]; /* "--brokers", "SANDFLEET_BROKERS", the source's; "": default */
};

struct opt_input {
    const struct opt *rows;
    size_t n;
    void *settings;
    int argc;
    char **argv;
    const struct opt_source *source; /* NULL: none */
    struct opt_origin *origins;      /* one a row, zeroed by the caller; NULL: nobody asks */
};

enum err_code option_parse_from(const struct opt_input *in, int *n_words, struct err *err) MUST_USE;

/* Looks without reading: the value that argv[1..] has for --NAME, the last one; "" of a flag that
 * takes none; NULL: it is not there. */
const char *option_peek(const struct opt *rows, size_t n, const char *name, int argc,
                        char *const *argv);
/* How many of argv[1..] stand before the first word: flags of these rows, with their values. */
int option_leading(const struct opt *rows, size_t n, int argc, char *const *argv);

/* --- what a row says of itself -------------------------------------------------------- */

enum { OPTION_NAME_ROOM = 96 };
const char *option_variable(const struct opt *row, char room[OPTION_NAME_ROOM]);
void option_term(const struct opt *row, struct buf *out); /* "-o, --output <form>" */
void option_text(const struct opt *row, struct buf *out); /* its help, default and variable */

void option_help(const struct opt *rows, size_t n, FILE *to); /* the flag part of --help */
void option_print(const struct opt *rows, size_t n, const void *settings, FILE *to);
void option_release(const struct opt *rows, size_t n, void *settings);

#endif
