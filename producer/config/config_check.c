/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in a configuration file. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/nearest.h"
#include "common/option/option_value.h"
#include "producer/command.h"
#include "producer/config/config_internal.h"
#include "producer/mask.h"
#include "common/banned.h"

enum err_code config_fault(const struct config *c, int line, struct err *err, const char *fmt, ...)
{
    char text[sizeof err->msg];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return err_set(err, ERR_CONFIG, "%s:%d: %s", c->shown, line, text);
}

bool config_has(const struct opt *row)
{
    static const char *const never[] = {"config", "profile"}; /* they say which file it is */

    for (size_t i = 0; i < COUNTOF(never); i++)
        if (strcmp(row->name, never[i]) == 0)
            return false;
    return !(row->flags & OPT_NO_ENV) || (row->flags & OPT_CONFIG);
}

bool config_ends_in(const char *text, const char *suffix)
{
    size_t n = strlen(text), m = strlen(suffix);

    return n > m && strcmp(text + n - m, suffix) == 0;
}

bool config_is_key(const struct opt *row, const char *key, bool *is_file)
{
    size_t n = strlen(row->name);

    *is_file = false;
    if (strncmp(key, CONFIG_KAFKA, CONFIG_KAFKA_LEN) == 0)
        return strcmp(row->name, "kafka-prop") == 0;
    if (strcmp(key, row->name) == 0)
        return true;
    *is_file = (row->flags & OPT_SECRET) && strncmp(key, row->name, n) == 0 &&
               strcmp(key + n, CONFIG_FILE) == 0;
    return *is_file;
}

static enum err_code unknown_key(const struct config *c, const struct ini_entry *e,
                                 const struct opt *rows, size_t n, struct err *err)
{
    struct nearest near = nearest_of(str_of(e->key));
    char room[OPTION_FLAG_MAX];

    for (size_t i = 0; i < n; i++)
        if (config_has(&rows[i])) {
            nearest_try(&near, rows[i].name);
            nearest_try(&near, option_flag(&rows[i], room));
        }
    if (near.name[0])
        return config_fault(c, e->line, err, "unknown key '%s': did you mean '%s'?", e->key,
                            near.name);
    return config_fault(c, e->line, err, "unknown key '%s': options' names and kafka.* are known",
                        e->key);
}

/* Does the value itself hold a secret, rather than say where it is? */
static bool holds_secret(const struct opt *row, const struct ini_entry *e, bool is_file)
{
    if (row->flags & OPT_SECRET)
        return !is_file;
    if (strcmp(row->name, "database") == 0)
        return mask_conninfo_has_secret(e->value);
    if (strncmp(e->key, CONFIG_KAFKA, CONFIG_KAFKA_LEN) == 0)
        return mask_is_secret_prop(str_of(e->key)) && !config_ends_in(e->key, CONFIG_FILE);
    if (strcmp(row->name, "kafka-prop") == 0)
        return mask_is_secret_prop((struct str){e->value, strcspn(e->value, "=")});
    return false;
}

static enum err_code check_once(const struct config *c, const struct ini_entry *e, struct err *err)
{
    for (const struct ini_entry *o = c->ini.entries; o < e; o++)
        if (o->section == e->section && strcmp(o->key, e->key) == 0)
            return config_fault(c, e->line, err, "'%s' stands in line %d already", e->key, o->line);
    return ERR_OK;
}

static enum err_code check_entry(const struct config *c, const struct ini_entry *e,
                                 const struct opt *rows, size_t n, struct err *err)
{
    for (size_t i = 0; i < n; i++) {
        bool is_file;

        if (!config_has(&rows[i]) || !config_is_key(&rows[i], e->key, &is_file))
            continue;
        if (c->open_to_others && holds_secret(&rows[i], e, is_file))
            return config_fault(
                c, e->line, err,
                "others may read this file, and '%s' holds a secret: chmod 600 it%s", e->key,
                (rows[i].flags & OPT_SECRET) ? ", or name a file: …-file" : "");
        return rows[i].type == OPT_LIST ? ERR_OK : check_once(c, e, err);
    }
    return unknown_key(c, e, rows, n, err);
}

enum err_code config_check(struct config *c, struct err *err)
{
    size_t n;
    struct opt *rows = command_all_rows(&n);
    enum err_code rc = rows ? ERR_OK : err_set(err, ERR_NOMEM, "out of memory");

    for (size_t i = 0; rc == ERR_OK && i < c->ini.n_entries; i++) {
        struct ini_entry *e = &c->ini.entries[i];

        for (char *p = e->key; *p && strncmp(e->key, CONFIG_KAFKA, CONFIG_KAFKA_LEN) != 0; p++)
            *p = *p == '_' ? '-' : *p; /* as in variables */
        if (e->section == 0 && strcmp(e->key, CONFIG_PROFILE) == 0)
            rc = check_once(c, e, err);
        else
            rc = check_entry(c, e, rows, n, err);
    }
    free(rows);
    return rc;
}
