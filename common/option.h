/* SPDX-License-Identifier: Apache-2.0 */
/* One row per setting: flag, environment variable, range check, help and
 * --print-config all come from it. Pure but for reading environ. */
#ifndef SANDFLEET_COMMON_OPTION_H
#define SANDFLEET_COMMON_OPTION_H

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
    OPT_RELOAD = 1 << 3
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

void option_help(const struct opt *rows, size_t n, FILE *to); /* the flag part of --help */
void option_print(const struct opt *rows, size_t n, const void *settings, FILE *to);
void option_release(const struct opt *rows, size_t n, void *settings);

#endif
