/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/api/api_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "producer/api/json_array.h"
#include "common/banned.h"

enum { PAGE = 200, OUT_MAX = 64 << 20, MEMBERS = 16 };

enum err_code api_show_put(struct str text, struct err *err)
{
    bool gone = false;

    if (!client_put(text.p, text.n, &gone, err))
        return err->code;
    if (gone)
        exit(EXIT_OK); /* nobody reads on: `| head` */
    return ERR_OK;
}

static void add_json(struct buf *out, const cJSON *doc)
{
    char *text = cJSON_PrintUnformatted(doc);

    if (text)
        buf_adds(out, text);
    else
        out->rc = ERR_NOMEM;
    cJSON_free(text);
}

/* --- lists ---------------------------------------------------------------------- */

struct listing {
    const struct client *c;
    const struct api_list *what;
    struct terminal terminal;
    struct table table;
    int64_t told;
    char cursor[1024]; /* of the next page; "": there is none */
};

static enum err_code add_item(struct listing *l, struct str text, struct buf *out, struct err *err)
{
    AUTO_JSON *item = NULL;

    if (l->c->output == OUTPUT_TEXT) {
        if (json_parse(text, 0, &item, err) != ERR_OK)
            return err->code;
        table_add(&l->table, item);
    } else {
        if (l->c->output == OUTPUT_JSON && l->told > 0)
            buf_addc(out, ',');
        buf_addstr(out, text);
        if (l->c->output == OUTPUT_JSONL)
            buf_addc(out, '\n');
    }
    l->told++;
    return ERR_OK;
}

/* "next_cursor", behind the list. */
static void keep_cursor(struct listing *l, struct str body)
{
    struct json_member m[MEMBERS];
    struct json_scan scan;
    struct err err = ERR_INIT;
    AUTO_BUF cursor = BUF_INIT(sizeof(l->cursor) - 1);

    l->cursor[0] = '\0';
    if (json_scan(body, m, MEMBERS, &scan, &err) != ERR_OK)
        return;
    struct str quoted =
        json_member(m, scan.n_members < MEMBERS ? scan.n_members : MEMBERS, "next_cursor");
    if (quoted.n && *quoted.p == '"' && json_unquote(quoted, &cursor, &err) == ERR_OK &&
        cursor.rc == ERR_OK && cursor.p)
        memcpy(l->cursor, cursor.p, cursor.len + 1);
}

static enum err_code page(struct api_client *a, struct listing *l, struct err *err)
{
    int64_t left = l->what->limit ? l->what->limit - l->told : PAGE;
    AUTO_BUF path = BUF_INIT(8192), body = BUF_INIT(API_ANSWER_MAX), out = BUF_INIT(OUT_MAX);
    struct str items, item;

    buf_adds(&path, l->what->path);
    if (l->what->paged)
        api_query_int(&path, "limit", left < PAGE ? left : PAGE);
    api_query(&path, "cursor", l->cursor);
    if (api_get_text(a, path.p, &body, "data", &items, err) != ERR_OK)
        return err->code;
    while (json_array_next(&items, &item))
        if (add_item(l, item, &out, err) != ERR_OK)
            return err->code;
    keep_cursor(l, buf_str(&body));
    table_flush(&l->table, &out);
    if (out.rc != ERR_OK || l->table.cells.rc != ERR_OK)
        return err_set(err, ERR_TOO_BIG, "a page of %s", l->what->what);
    return api_show_put(buf_str(&out), err);
}

static enum err_code finish(struct listing *l, struct err *err)
{
    AUTO_BUF foot = BUF_INIT(4096);

    if (l->c->output == OUTPUT_JSON) {
        buf_adds(&foot, "],\"next_cursor\":");
        if (l->cursor[0])
            json_put_string(&foot, str_of(l->cursor));
        else
            buf_adds(&foot, "null");
        buf_adds(&foot, "}\n");
    } else if (!l->c->quiet && l->told == 0 && l->c->output == OUTPUT_TEXT) {
        client_note("there are no %s", l->what->what);
    } else if (!l->c->quiet && l->cursor[0]) {
        client_note("there are more %s: --limit, or --limit 0 for all", l->what->what);
    }
    return api_show_put(buf_str(&foot), err);
}

enum err_code api_show_list(struct api_client *a, const struct client *c,
                            const struct api_list *list, struct err *err)
{
    struct listing l = {.c = c, .what = list, .terminal = terminal_of(STDOUT_FILENO)};
    enum err_code rc = ERR_OK;

    table_init(&l.table, list->fields, list->n_fields, &l.terminal, clock_wall_ms());
    if (c->output == OUTPUT_JSON)
        rc = api_show_put(STR("{\"data\":["), err);
    do {
        if (rc == ERR_OK)
            rc = page(a, &l, err);
    } while (rc == ERR_OK && l.cursor[0] && (!list->limit || l.told < list->limit));
    if (rc == ERR_OK)
        rc = finish(&l, err);
    table_release(&l.table);
    return rc;
}

/* --- one ------------------------------------------------------------------------ */

enum err_code api_show_doc(const struct client *c, const cJSON *doc, const struct field *fields,
                           size_t n_fields, struct err *err)
{
    struct terminal t = terminal_of(STDOUT_FILENO);
    AUTO_BUF out = BUF_INIT(OUT_MAX);

    if (c->output == OUTPUT_TEXT) {
        field_details(fields, n_fields, doc, clock_wall_ms(), &t, &out);
    } else {
        add_json(&out, doc);
        buf_addc(&out, '\n');
    }
    if (out.rc != ERR_OK)
        return err_set(err, out.rc, "what is to be printed is over %d bytes", OUT_MAX);
    return api_show_put(buf_str(&out), err);
}

enum err_code api_show_one(struct api_client *a, const struct client *c, const char *path,
                           const struct field *fields, size_t n_fields, struct err *err)
{
    AUTO_JSON *doc = NULL;

    if (api_get(a, path, &doc, err) != ERR_OK)
        return err->code;
    return api_show_doc(c, doc, fields, n_fields, err);
}
