/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet config show`: every setting, and who said so. */
#include <string.h>

#include "common/json/json.h"
#include "common/option/option_value.h"
#include "producer/command.h"
#include "producer/config/config.h"
#include "producer/mask.h"
#include "producer/verbs/cmd_config.h"
#include "common/banned.h"

enum { ANSWER_MAX_BYTES = 16 << 20 };

static const char *source_name(enum opt_from from)
{
    static const char *const names[] = {[OPT_FROM_NOWHERE] = "unset",
                                        [OPT_FROM_DEFAULT] = "default",
                                        [OPT_FROM_SOURCE] = "file",
                                        [OPT_FROM_ENV] = "environment",
                                        [OPT_FROM_FLAG] = "flag"};

    return names[from];
}

/* --- values, as one may see them ------------------------------------------------------ */

static void put_list(const struct opt *row, const struct opt_list *list, struct buf *out)
{
    for (size_t i = 0; i < list->n; i++) {
        buf_adds(out, i ? "," : "");
        if (strcmp(row->name, "kafka-prop") == 0)
            mask_prop(out, list->items[i]);
        else
            buf_adds(out, list->items[i]);
    }
}

static void put_value(const struct opt *row, const void *settings, struct buf *out)
{
    if (option_is_empty(row, settings))
        return;
    if (row->flags & OPT_SECRET)
        buf_adds(out, "***");
    else if (row->type == OPT_LIST)
        put_list(row, option_get(row, settings), out);
    else if (strcmp(row->name, "database") == 0)
        mask_conninfo(out, *(char *const *)option_get(row, settings));
    else
        option_put(row, settings, out);
}

/* --- the answer ----------------------------------------------------------------------- */

static void put_text(const struct opt *row, const struct opt_origin *o, const char *value,
                     struct buf *out)
{
    const char *where = o->where[0] ? o->where : source_name(o->from);

    buf_addf(out, "%-16s %-32s %s\n", row->name, o->from == OPT_FROM_NOWHERE ? "" : value,
             o->from == OPT_FROM_NOWHERE ? "not set" : where);
}

static void put_json(const struct opt *row, const struct opt_origin *o, const char *value,
                     struct buf *out)
{
    json_key(out, row->name);
    buf_addc(out, '{');
    if (o->from != OPT_FROM_NOWHERE)
        json_kv(out, "value", value);
    json_kv(out, "source", source_name(o->from));
    if (o->where[0])
        json_kv(out, "where", o->where);
    buf_addc(out, '}');
}

static void put_head(const struct config *c, struct buf *out)
{
    const char *name;

    buf_addf(out, "configuration    %s\n", config_path(c) ? config_path(c) : "no file");
    if (config_path(c))
        buf_addf(out, "profile          %s\n", config_profile(c) ? config_profile(c) : "none");
    for (size_t i = 0; (name = config_profile_at(c, i)); i++)
        buf_addf(out, "%s%s", i ? ", " : "profiles         ", name);
    buf_adds(out, config_profile_at(c, 0) ? "\n\n" : "\n");
}

static void put_head_json(const struct config *c, struct buf *out)
{
    const char *name;

    buf_addc(out, '{');
    json_kv(out, "file", config_path(c));
    json_kv(out, "profile", config_profile(c));
    json_key(out, "profiles");
    buf_addc(out, '[');
    for (size_t i = 0; (name = config_profile_at(c, i)); i++) {
        buf_adds(out, i ? "," : "");
        json_put_string(out, str_of(name));
    }
    buf_addc(out, ']');
    json_key(out, "settings");
    buf_addc(out, '{');
}

int command_config_show(struct client *c, int n, char **words)
{
    const struct call *call = c->call;
    AUTO_BUF out = BUF_INIT(ANSWER_MAX_BYTES);
    bool json = c->output != OUTPUT_TEXT, gone = false;
    struct err err = ERR_INIT;

    (void)n, (void)words;
    (json ? put_head_json : put_head)(call->config, &out);
    for (size_t i = 0; i < call->n_rows; i++) {
        AUTO_BUF value = BUF_INIT(ANSWER_MAX_BYTES);

        if (!config_has(&call->rows[i]))
            continue;
        put_value(&call->rows[i], c, &value);
        (json ? put_json : put_text)(&call->rows[i], &call->origins[i], value.p ? value.p : "",
                                     &out);
    }
    buf_adds(&out, json ? "}}\n" : "");
    if (out.rc != ERR_OK)
        err_set(&err, out.rc, "the settings");
    return out.rc == ERR_OK && client_put(out.p, out.len, &gone, &err) ? EXIT_OK
                                                                       : client_fail(&err);
}
