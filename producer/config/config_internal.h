/* SPDX-License-Identifier: Apache-2.0 */
/* Inside of config.h: reading and values (config.c), names and what may not stand there
 * (config_check.c). */
#ifndef SANDFLEET_PRODUCER_CONFIG_CONFIG_INTERNAL_H
#define SANDFLEET_PRODUCER_CONFIG_CONFIG_INTERNAL_H

#include "common/ini.h"
#include "producer/config/config.h"

#define CONFIG_KAFKA   "kafka."
#define CONFIG_FILE    "-file"
#define CONFIG_PROFILE "profile"

enum {
    CONFIG_KAFKA_LEN = sizeof CONFIG_KAFKA - 1,
    CONFIG_FILE_LEN = sizeof CONFIG_FILE - 1,
    CONFIG_SHOWN_MAX = 160
};

struct config {
    struct opt_source source;
    char *path;                   /* NULL: no file */
    char shown[CONFIG_SHOWN_MAX]; /* the path, short enough for a message */
    bool open_to_others;
    struct ini ini;
    size_t profile; /* a section, 0: none */
    char where[OPT_WHERE_MAX];
    struct buf value; /* one that had to be made */
};

enum err_code config_fault(const struct config *c, int line, struct err *err, const char *fmt, ...)
    PRINTF(4, 5);
/* Is it this row's key? A secret has two: its own and the one with "-file". */
bool config_is_key(const struct opt *row, const char *key, bool *is_file);
bool config_ends_in(const char *text, const char *suffix);

/* Every key is known, stands once, and holds no secret that others can read. Makes '_' a '-'. */
enum err_code config_check(struct config *c, struct err *err) MUST_USE;

#endif
