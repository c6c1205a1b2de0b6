/* SPDX-License-Identifier: Apache-2.0 */
/* What every program that serves has beside its work: the options that are the same in all of them,
 * and the way from argv to an exit status. */
#ifndef SANDFLEET_COMMON_PROGRAM_H
#define SANDFLEET_COMMON_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/option/option.h"

struct program_common { /* a member of the program's settings */
    char *log_level, *log_format;
    bool print_config, help, version;
};

/* Its rows; `at`: where in the settings it is. */
// clang-format off
#define PROGRAM_ROWS(at_)                                                                          \
    {.name = "log-level", .type = OPT_STRING, .def = "info",                                       \
     .at = (at_) + offsetof(struct program_common, log_level),                                     \
     .arg = "<level>", .help = "Least level that is logged: error, warn, info or debug."},         \
    {.name = "log-format", .type = OPT_STRING, .def = "text",                                      \
     .at = (at_) + offsetof(struct program_common, log_format),                                    \
     .arg = "<format>", .help = "Log lines as text or json."},                                     \
    {.name = "print-config", .type = OPT_BOOL, .flags = OPT_NO_ENV,                                \
     .at = (at_) + offsetof(struct program_common, print_config),                                  \
     .help = "Prints the settings in force and exits."},                                           \
    {.name = "help", .letter = 'h', .type = OPT_BOOL, .flags = OPT_NO_ENV,                         \
     .at = (at_) + offsetof(struct program_common, help),                                          \
     .help = "Prints this help and exits."},                                                       \
    {.name = "version", .letter = 'V', .type = OPT_BOOL, .flags = OPT_NO_ENV,                      \
     .at = (at_) + offsetof(struct program_common, version),                                       \
     .help = "Prints the version and exits."}
// clang-format on

/* It was asked for words only: settings that only work needs may be missing. */
static inline bool program_asked(const struct program_common *c)
{
    return c->print_config || c->help || c->version;
}

struct program {
    const char *name;   /* "sandfleet-sink" */
    const char *failed; /* "sink.failed": the log's event when it ends by an error */
    const char *usage;  /* --help begins with it */
    const struct opt *rows;
    size_t n;
    void *settings;                      /* zeroed, as the rows say */
    const struct program_common *common; /* in the settings */
    int words;                           /* how many words it takes, 0 or 1 */
    /* What the rows do not say. word: NULL without one. The log is set up. */
    enum err_code (*check)(void *settings, const char *word, struct err *err);
    enum err_code (*run)(const void *settings, struct err *err);
};

/* All of main(). Returns the exit status. */
int program_main(const struct program *p, int argc, char **argv);

#endif
