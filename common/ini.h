/* SPDX-License-Identifier: Apache-2.0 */
/* Text of a configuration file: `key = value` lines, some of them in [sections]. Pure.
 *
 *   # a comment, also ;                 brokers = a:9092,b:9092
 *   [prod]                              tenant = "with # and \"quotes\"\n"
 *                                       path = 'nothing \ is special here'
 *
 * Keys and sections are of A-Z a-z 0-9 . _ - only. What is not understood is refused with its
 * line; nothing is guessed: a comment behind a value needs the value in quotes. */
#ifndef SANDFLEET_COMMON_INI_H
#define SANDFLEET_COMMON_INI_H

#include <stddef.h>

#include "common/buf.h"
#include "common/err.h"

enum { INI_MAX_BYTES = 1 << 20, INI_MAX_ENTRIES = 10000, INI_NAME_MAX_BYTES = 64 };

struct ini_entry {
    size_t section; /* its index in sections; 0: above all of them */
    char *key, *value;
    int line;
};

struct ini_section {
    char *name; /* "" of the first one, which every file has */
    int line;
};

struct ini {
    struct ini_entry *entries; /* in the order of the file; a key may come again */
    struct ini_section *sections;
    size_t n_entries, n_sections;
};

/* `name` is for messages: "name:7: …". ERR_CONFIG, ERR_NOMEM; *out is empty then. */
enum err_code ini_parse(const char *name, struct str text, struct ini *out,
                        struct err *err) MUST_USE;
void ini_release(struct ini *i);

/* Appends the value as it can be written: in quotes where it needs them. */
void ini_put_value(struct buf *out, struct str value);

#endif
