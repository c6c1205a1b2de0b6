/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/envd_answer.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "worker/run/json_walk.h"

#include "common/banned.h"

/* --- lists ------------------------------------------------------------------- */

static const char *text_of(const cJSON *obj, const char *key)
{
    const char *s = json_get_string(obj, key);

    return s ? s : "";
}

/* A 64-bit number comes as text, a smaller one as number. */
static int64_t number_of(const cJSON *obj, const char *key)
{
    int64_t n = 0;

    if (!json_get_int(obj, key, &n) && !str_int(str_of(json_get_string(obj, key)), INT64_MAX, &n))
        return 0;
    return n;
}

/* The array `key` of the object in body, or the only object `one`: at most ENVD_LIST_MAX. A
 * missing array is an empty one. *items is the first of them. */
static enum err_code open_list(struct str body, const char *key, const char *one, cJSON **tree,
                               const cJSON **items, size_t *n, struct err *err)
{
    const cJSON *list, *single;

    if (json_parse(body, 0, tree, err) != ERR_OK || !cJSON_IsObject(*tree))
        return err_set(err, ERR_PROTOCOL, "sandbox: its answer is no JSON object");
    list = json_get(*tree, key);
    single = one ? json_get(*tree, one) : NULL;
    *n = cJSON_IsArray(list) ? (size_t)cJSON_GetArraySize(list) : cJSON_IsObject(single) ? 1 : 0;
    *items = cJSON_IsArray(list) ? list->child : single;
    if (*n > ENVD_LIST_MAX)
        return err_set(err, ERR_TOO_BIG, "sandbox: %zu entries in one answer", *n);
    return ERR_OK;
}

static struct envd_process process_of(const cJSON *item)
{
    const cJSON *config = json_get(item, "config");

    return (struct envd_process){.pid = number_of(item, "pid"),
                                 .cmd = text_of(config, "cmd"),
                                 .cwd = text_of(config, "cwd"),
                                 .tag = json_get_string(item, "tag")};
}

enum err_code envd_processes_parse(struct str body, struct envd_processes *out, struct err *err)
{
    const cJSON *item = NULL;
    size_t n = 0;

    *out = (struct envd_processes){0};
    if (open_list(body, "processes", NULL, &out->tree, &item, &n, err) == ERR_OK) {
        out->all = calloc(n + 1, sizeof(*out->all));
        if (out->all) {
            for (; item && out->n < n; item = item->next)
                out->all[out->n++] = process_of(item);
            return ERR_OK;
        }
        (void)err_set(err, ERR_NOMEM, "list of processes");
    }
    envd_processes_release(out);
    return err->code;
}

void envd_processes_release(struct envd_processes *p)
{
    free(p->all);
    json_delete(&p->tree);
    *p = (struct envd_processes){0};
}

static enum envd_type type_of(const char *name)
{
    static const char *const names[] = {[ENVD_FILE] = "FILE_TYPE_FILE",
                                        [ENVD_DIRECTORY] = "FILE_TYPE_DIRECTORY",
                                        [ENVD_SYMLINK] = "FILE_TYPE_SYMLINK"};

    for (int i = ENVD_FILE; i <= ENVD_SYMLINK; i++)
        if (strcmp(names[i], name) == 0)
            return (enum envd_type)i;
    return ENVD_OTHER;
}

static struct envd_entry entry_of(const cJSON *item)
{
    struct envd_entry e = {.type = type_of(text_of(item, "type")),
                           .name = text_of(item, "name"),
                           .path = text_of(item, "path"),
                           .owner = text_of(item, "owner"),
                           .group = text_of(item, "group"),
                           .target = json_get_string(item, "symlinkTarget"),
                           .size = number_of(item, "size"),
                           .mode = number_of(item, "mode")};

    if (!clock_parse_rfc3339(str_of(json_get_string(item, "modifiedTime")), &e.modified_ms))
        e.modified_ms = 0;
    return e;
}

enum err_code envd_entries_parse(struct str body, struct envd_entries *out, struct err *err)
{
    const cJSON *item = NULL;
    size_t n = 0;

    *out = (struct envd_entries){0};
    if (open_list(body, "entries", "entry", &out->tree, &item, &n, err) == ERR_OK) {
        out->all = calloc(n + 1, sizeof(*out->all));
        if (out->all) {
            for (; item && out->n < n; item = item->next)
                out->all[out->n++] = entry_of(item);
            return ERR_OK;
        }
        (void)err_set(err, ERR_NOMEM, "list of files");
    }
    envd_entries_release(out);
    return err->code;
}

void envd_entries_release(struct envd_entries *e)
{
    free(e->all);
    json_delete(&e->tree);
    *e = (struct envd_entries){0};
}

/* --- watch ------------------------------------------------------------------------ */

static char change_of(struct str type)
{
    static const struct {
        const char *name;
        char change;
    } names[] = {{"\"EVENT_TYPE_CREATE\"", 'c'},
                 {"\"EVENT_TYPE_WRITE\"", 'w'},
                 {"\"EVENT_TYPE_REMOVE\"", 'r'},
                 {"\"EVENT_TYPE_RENAME\"", 'm'},
                 {"\"EVENT_TYPE_CHMOD\"", 'p'}};

    for (size_t i = 0; i < COUNTOF(names); i++)
        if (str_is(type, names[i].name))
            return names[i].change;
    return '?';
}

enum err_code watch_event_parse(struct str message, struct watch_event *out, struct err *err)
{
    struct json_scan scan;
    struct json_member m;
    struct json_walk w;

    out->kind = WATCH_OTHER;
    out->change = '?';
    out->name[0] = '\0';
    if (json_scan(message, NULL, 0, &scan, NULL) != ERR_OK || !scan.is_object)
        return err_set(err, ERR_PROTOCOL, "watch event is no JSON object");
    w = json_walk(str_trim(message));
    if (!json_walk_member(&w, &m))
        return ERR_OK;
    if (str_is(m.key, "start")) {
        out->kind = WATCH_STARTED;
    } else if (str_is(m.key, "keepalive")) {
        out->kind = WATCH_KEEPALIVE;
    } else if (str_is(m.key, "filesystem")) {
        out->kind = WATCH_CHANGED;
        out->change = change_of(json_walk_get(m.value, "type"));
        json_to_text(json_walk_get(m.value, "name"), out->name, sizeof(out->name));
    }
    return ERR_OK;
}
