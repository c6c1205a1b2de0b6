/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet dlq …`, `sandfleet workers`, `sandfleet stats`: for those who keep the fleet running.
 */
#include "producer/verbs/cmd_fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base64.h"
#include "common/clock.h"
#include "producer/api/api_show.h"
#include "producer/verbs/cmd_runs.h"
#include "common/banned.h"

enum { OUT_MAX = 1 << 20, IDS_MAX = 1000 };

static const struct field dlq_list[] = {
    {"LETTER", "id", FIELD_TEXT, 0},      {"AGE", "at", FIELD_AGO, 0},
    {"BYTES", "bytes", FIELD_BYTES, 100}, {"REASON", "reason", FIELD_TEXT, 0},
    {"DETAIL", "detail", FIELD_TEXT, 0},
};

static const struct field dlq_get[] = {
    {"letter", "id", FIELD_TEXT, 0},
    {"topic", "topic", FIELD_TEXT, 0},
    {"partition", "partition", FIELD_TEXT, 0},
    {"offset", "offset", FIELD_TEXT, 0},
    {"reason", "reason", FIELD_TEXT, 0},
    {"detail", "detail", FIELD_TEXT, 0},
    {"at", "at", FIELD_TIME, 0},
    {"bytes", "bytes", FIELD_BYTES, 0},
    {"key (base64)", "key_base64", FIELD_TEXT, 0},
    {"headers", "headers", FIELD_TEXT, 0},
};

static const struct field worker_list[] = {
    {"WORKER", "worker_id", FIELD_TEXT, 0},  {"ALIVE", "alive", FIELD_YES, 0},
    {"RUNNING", "running", FIELD_COUNT, 0},  {"SLOTS", "slots", FIELD_COUNT, 0},
    {"UP", "started_at", FIELD_AGO, 0},      {"BEAT", "beat_at", FIELD_AGO, 0},
    {"HOST", "host", FIELD_TEXT, 0},         {"PID", "pid", FIELD_TEXT, 100},
    {"VERSION", "version", FIELD_TEXT, 100},
};

static const struct field stats_head[] = {
    {"queued", "queued", FIELD_COUNT, 0},   {"held", "held", FIELD_COUNT, 0},
    {"running", "running", FIELD_COUNT, 0}, {"oldest queued", "oldest_queued_s", FIELD_S, 0},
    {"slots", "slots", FIELD_COUNT, 0},     {"workers", "workers", FIELD_COUNT, 0},
};

static const struct field stats_groups[] = {
    {"LANE", "lane", FIELD_TEXT, 0},        {"KEY", "key", FIELD_TEXT, 0},
    {"QUEUED", "queued", FIELD_COUNT, 0},   {"HELD", "held", FIELD_COUNT, 0},
    {"RUNNING", "running", FIELD_COUNT, 0}, {"OLDEST", "oldest_queued_s", FIELD_S, 0},
};

static int list(struct client *c, const struct api_list *l)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;

    if (api_client_new(c, &a, &err) == ERR_OK)
        (void)!api_show_list(a, c, l, &err);
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

/* --- dead letters --------------------------------------------------------------- */

int command_dlq_list(struct client *c, int n, char **words)
{
    AUTO_BUF path = BUF_INIT(1024);

    (void)n;
    (void)words;
    api_path(&path, "/v1/dlq");
    api_query(&path, "reason", ((const struct fleet_client *)c)->reason);
    return list(c, &(struct api_list){.path = path.p,
                                      .fields = dlq_list,
                                      .n_fields = COUNTOF(dlq_list),
                                      .what = "dead letters",
                                      .paged = true,
                                      .limit = c->limit});
}

/* Its bytes: as text, if they are some. */
static enum err_code show_letter(const struct client *c, const cJSON *letter, struct err *err)
{
    const char *value = json_get_string(letter, "value_base64");
    struct terminal t = terminal_of(STDOUT_FILENO);
    AUTO_BUF bytes = BUF_INIT(OUT_MAX), out = BUF_INIT(2 * OUT_MAX);
    struct err unused = ERR_INIT;
    size_t bad_at;

    if (api_show_doc(c, letter, dlq_get, COUNTOF(dlq_get), err) != ERR_OK ||
        c->output != OUTPUT_TEXT || !value)
        return err->code;
    bool text = base64_decode(str_of(value), &bytes, &unused) == ERR_OK &&
                str_utf8(buf_str(&bytes), &bad_at) && !memchr(bytes.p ? bytes.p : "", 0, bytes.len);
    runs_put_section(text ? "value" : "value (base64)", text ? bytes.p : value, &t, &out);
    return api_show_put(buf_str(&out), err);
}

int command_dlq_get(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF path = BUF_INIT(2048);
    AUTO_JSON *letter = NULL;

    if (n != 1)
        err_set(&err, ERR_USAGE, "a letter's id is missing, as dlq list prints it");
    if (err.code == ERR_OK && api_client_new(c, &a, &err) == ERR_OK) {
        api_path(&path, "/v1/dlq/%s", words[0]);
        if (api_get(a, path.p, &letter, &err) == ERR_OK)
            (void)!show_letter(c, letter, &err);
    }
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

/* Ids, or a reason, or all of them: exactly one of the three. */
static enum err_code put_selection(const struct fleet_client *f, int n, char **words,
                                   struct buf *out, struct err *err)
{
    if ((n > 0) + (f->reason != NULL) + f->all != 1)
        return err_set(err, ERR_USAGE,
                       "say which: ids as dlq list prints them, --reason, or --all");
    buf_addc(out, '{');
    json_kv(out, "reason", f->reason);
    if (f->all)
        json_kv_bool(out, "all", true);
    if (n > 0) {
        json_key(out, "ids");
        buf_addc(out, '[');
        for (int i = 0; i < n; i++) {
            buf_adds(out, i ? "," : "");
            json_put_string(out, str_of(words[i]));
        }
        buf_addc(out, ']');
    }
    buf_addc(out, '}');
    return ERR_OK;
}

static int distinct(int n, char **words)
{
    int found = 0;

    for (int i = 0; i < n; i++) {
        int at = 0;

        while (strcmp(words[at], words[i]) != 0)
            at++;
        found += at == i;
    }
    return found;
}

/* Those that were named and are no letters, or none any more. */
static void check_all_were_there(int64_t count, int n, char **words, struct err *err)
{
    int64_t missing = distinct(n, words) - count;

    if (err->code == ERR_OK && missing > 0)
        err_set(err, ERR_NOT_FOUND, "%" PRId64 " of the %d is no dead letter, or none any more",
                missing, n);
}

static int act_on_letters(struct client *c, int n, char **words, const char *path, const char *done)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF body = BUF_INIT(OUT_MAX), out = BUF_INIT(OUT_MAX), line = BUF_INIT(1024);
    AUTO_JSON *doc = NULL;
    int64_t count = 0;

    if (put_selection((const struct fleet_client *)c, n, words, &body, &err) == ERR_OK &&
        api_client_new(c, &a, &err) == ERR_OK) {
        const struct api_call call = {
            .method = "POST", .path = path, .body = buf_str(&body), .once = true};
        if (api_call(a, &call, &out, NULL, &err) == ERR_OK &&
            json_parse(buf_str(&out), 0, &doc, &err) == ERR_OK) {
            json_get_int(doc, "count", &count);
            buf_addf(&line, "%" PRId64 " %s\n", count, done);
            (void)!(c->output == OUTPUT_TEXT ? api_show_put(buf_str(&line), &err)
                                             : api_show_doc(c, doc, NULL, 0, &err));
            check_all_were_there(count, n, words, &err);
        }
    }
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}

int command_dlq_redrive(struct client *c, int n, char **words)
{
    return act_on_letters(c, n, words, "/v1/dlq/redrive", "sent to where they came from");
}

int command_dlq_purge(struct client *c, int n, char **words)
{
    return act_on_letters(c, n, words, "/v1/dlq/purge", "removed");
}

/* --- workers, stats ------------------------------------------------------------- */

int command_workers(struct client *c, int n, char **words)
{
    (void)n;
    (void)words;
    return list(c, &(struct api_list){.path = "/v1/workers",
                                      .fields = worker_list,
                                      .n_fields = COUNTOF(worker_list),
                                      .what = "workers"});
}

static enum err_code show_stats(const struct client *c, const cJSON *doc, struct err *err)
{
    struct terminal t = terminal_of(STDOUT_FILENO);
    const cJSON *group, *groups = json_get(doc, "groups");
    struct table table;
    AUTO_BUF out = BUF_INIT(OUT_MAX);

    if (c->output != OUTPUT_TEXT)
        return api_show_doc(c, doc, NULL, 0, err);
    field_details(stats_head, COUNTOF(stats_head), doc, clock_wall_ms(), &t, &out);
    table_init(&table, stats_groups, COUNTOF(stats_groups), &t, clock_wall_ms());
    cJSON_ArrayForEach(group, groups) table_add(&table, group);
    if (cJSON_GetArraySize(groups) > 0)
        buf_addc(&out, '\n');
    table_flush(&table, &out);
    table_release(&table);
    return api_show_put(buf_str(&out), err);
}

int command_stats(struct client *c, int n, char **words)
{
    struct api_client *a = NULL;
    struct err err = ERR_INIT;
    AUTO_BUF path = BUF_INIT(1024);
    AUTO_JSON *doc = NULL;

    (void)n;
    (void)words;
    api_path(&path, "/v1/stats");
    api_query(&path, "scope", ((const struct fleet_client *)c)->fleet ? "fleet" : NULL);
    if (api_client_new(c, &a, &err) == ERR_OK && api_get(a, path.p, &doc, &err) == ERR_OK)
        (void)!show_stats(c, doc, &err);
    api_client_free(a);
    return err.code == ERR_OK ? EXIT_OK : api_fail(&err);
}
