/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet events`: a run's events as the database has them, page by page, and gaps. */
#include <inttypes.h>
#include <string.h>

#include "common/json/json.h"
#include "common/pg/pg_once.h"
#include "common/uuid.h"
#include "producer/show/term_text.h"
#include "producer/verbs/cmd_runs.h"
#include "common/banned.h"

enum {
    PAGE = 256,                /* rows at a time: an event may have a megabyte */
    PAGE_MAX_BYTES = 512 << 20 /* of one page, written out */
};

#define TIME "to_char(time AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')"

/* $1 run, $2 behind which sequence, $3 how many */
static const char events_sql[] =
    "SELECT sequence, attempt, epoch, line, type, " TIME ", tool, data FROM fleet.events"
    " WHERE run_id = $1::uuid AND sequence > $2::bigint"
    " AND run_day = (SELECT run_day FROM fleet.runs WHERE run_id = $1::uuid)"
    " ORDER BY sequence LIMIT $3::bigint";
enum { COL_SEQUENCE, COL_ATTEMPT, COL_EPOCH, COL_LINE, COL_TYPE, COL_TIME, COL_TOOL, COL_DATA };

/* $1 run or NULL, $2, $3 as above */
static const char gaps_sql[] =
    "SELECT g.run_id, g.sequence, g.attempt, g.from_line, g.to_line, r.tenant"
    " FROM fleet.gaps AS g LEFT JOIN fleet.runs AS r USING (run_id)"
    " WHERE g.sequence > $2::bigint AND ($1::uuid IS NULL OR g.run_id = $1::uuid)"
    " ORDER BY g.run_id, g.sequence LIMIT $3::bigint";

static const char run_sql[] = "SELECT FROM fleet.runs WHERE run_id = $1::uuid";

/* --- rows out ------------------------------------------------------------------ */

/* As it came, on one line: between its members there may be anything that JSON allows. */
static void add_data(struct buf *b, const char *data)
{
    size_t from = b->len;

    json_kv_raw(b, "data", str_of(data));
    for (size_t i = from; i < b->len; i++)
        if (b->p[i] == '\n' || b->p[i] == '\r')
            b->p[i] = ' ';
}

static void event_json(struct buf *b, const PGresult *res, int row)
{
    buf_addc(b, '{');
    json_kv_int(b, "sequence", pg_int(res, row, COL_SEQUENCE));
    json_kv_int(b, "attempt", pg_int(res, row, COL_ATTEMPT));
    json_kv_int(b, "epoch", pg_int(res, row, COL_EPOCH));
    if (pg_text(res, row, COL_LINE))
        json_kv_int(b, "line", pg_int(res, row, COL_LINE));
    json_kv(b, "type", pg_text(res, row, COL_TYPE));
    json_kv(b, "time", pg_text(res, row, COL_TIME));
    json_kv(b, "tool", pg_text(res, row, COL_TOOL));
    add_data(b, pg_text(res, row, COL_DATA));
    buf_addc(b, '}');
}

static void event_text(struct buf *b, const PGresult *res, int row)
{
    const char *line = pg_text(res, row, COL_LINE), *tool = pg_text(res, row, COL_TOOL);

    buf_addf(b, "%8s  %s  %s:%-6s  %s", pg_text(res, row, COL_SEQUENCE),
             pg_text(res, row, COL_TIME), pg_text(res, row, COL_ATTEMPT), line ? line : "-",
             pg_text(res, row, COL_TYPE));
    if (tool)
        buf_adds(b, "  ");
    if (tool)
        term_text_safe(b, str_of(tool)); /* whatever the agent calls its tools */
}

static void gap_json(struct buf *b, const PGresult *res, int row)
{
    buf_addc(b, '{');
    json_kv(b, "run_id", pg_text(res, row, 0));
    json_kv_int(b, "sequence", pg_int(res, row, 1));
    json_kv_int(b, "attempt", pg_int(res, row, 2));
    json_kv_int(b, "from_line", pg_int(res, row, 3));
    json_kv_int(b, "to_line", pg_int(res, row, 4));
    json_kv(b, "tenant", pg_text(res, row, 5));
    buf_addc(b, '}');
}

static void gap_text(struct buf *b, const PGresult *res, int row)
{
    buf_addf(b, "%s  attempt %s: lines %s to %s are missing before event %s", pg_text(res, row, 0),
             pg_text(res, row, 2), pg_text(res, row, 3), pg_text(res, row, 4),
             pg_text(res, row, 1));
}

/* --- pages --------------------------------------------------------------------- */

static const struct listing {
    const char *sql, *name; /* name: of the array in a JSON page */
    void (*json)(struct buf *b, const PGresult *res, int row);
    void (*text)(struct buf *b, const PGresult *res, int row);
    bool paged; /* by sequence; else all at once */
} listings[] = {
    {events_sql, "events", event_json, event_text, true},
    {gaps_sql, "gaps", gap_json, gap_text, false},
};

struct reader {
    const struct client *c;
    const struct listing *what;
    PGconn *conn;
    const char *run;    /* NULL: all */
    int64_t next, told; /* the sequence behind which the next page begins; rows so far */
    bool more, gone;    /* there is more behind the limit; nobody reads us any more */
};

static void add_rows(struct reader *r, const PGresult *res, int n, struct buf *b)
{
    for (int row = 0; row < n; row++, r->told++) {
        if (r->c->output == OUTPUT_JSON && r->told > 0)
            buf_addc(b, ',');
        (r->c->output == OUTPUT_TEXT ? r->what->text : r->what->json)(b, res, row);
        if (r->c->output != OUTPUT_JSON)
            buf_addc(b, '\n');
    }
}

/* One row more than is wanted says whether there is more. *done: it was the last page. */
static enum err_code page(struct reader *r, bool *done, struct err *err)
{
    AUTO_BUF b = BUF_INIT(PAGE_MAX_BYTES);
    AUTO_RES *res = NULL;
    int64_t left = r->c->limit - r->told;
    int64_t want = r->what->paged && left > PAGE ? PAGE : left;
    char since[24], limit[24];
    const char *const v[] = {r->run, since, limit};
    int n;

    snprintf(since, sizeof(since), "%" PRId64, r->next);
    snprintf(limit, sizeof(limit), "%" PRId64, want + 1);
    if (pg_once(r->conn, r->what->sql, COUNTOF(v), v, &res, err) != ERR_OK)
        return err->code;
    r->more = PQntuples(res) > want;
    n = r->more ? (int)want : PQntuples(res);
    add_rows(r, res, n, &b);
    if (n > 0 && r->what->paged)
        r->next = pg_int(res, n - 1, COL_SEQUENCE);
    *done = !r->more || r->told >= r->c->limit;
    if (b.rc != ERR_OK)
        return err_set(err, b.rc, "a page of events");
    return client_put(b.p ? b.p : "", b.len, &r->gone, err) ? ERR_OK : err->code;
}

static enum err_code put(struct reader *r, const struct buf *b, struct err *err)
{
    return client_put(b->p, b->len, &r->gone, err) ? ERR_OK : err->code;
}

static enum err_code read_all(struct reader *r, struct err *err)
{
    AUTO_BUF head = BUF_INIT(64), foot = BUF_INIT(128);
    bool json = r->c->output == OUTPUT_JSON, done = false;
    enum err_code rc = ERR_OK;

    buf_addf(&head, "{\"%s\":[", r->what->name);
    if (json)
        rc = put(r, &head, err);
    while (rc == ERR_OK && !done && !r->gone)
        rc = page(r, &done, err);
    if (r->what->paged)
        buf_addf(&foot, "],\"nextSequence\":%" PRId64 ",\"hasMore\":%s}\n", r->next,
                 r->more ? "true" : "false");
    else
        buf_addf(&foot, "],\"hasMore\":%s}\n", r->more ? "true" : "false");
    if (rc == ERR_OK && json)
        rc = put(r, &foot, err);
    if (rc == ERR_OK && r->told == 0 && r->c->output == OUTPUT_TEXT && !r->c->quiet)
        client_note("there are no %s", r->what->name);
    if (rc == ERR_OK && !json && r->more)
        client_note("there is more: --limit, or --since %" PRId64, r->next);
    return rc;
}

static enum err_code know_run(const struct reader *r, struct err *err)
{
    const char *const v[] = {r->run};
    AUTO_RES *res = NULL;

    if (!r->run)
        return ERR_OK;
    if (pg_once(r->conn, run_sql, 1, v, &res, err) != ERR_OK)
        return err->code;
    return PQntuples(res) > 0 ? ERR_OK : err_set(err, ERR_NOT_FOUND, "no run '%s'", r->run);
}

static enum err_code check(const struct client *c, int n, char **words, struct err *err)
{
    if (!c->database)
        return err_set(err, ERR_USAGE, "%s",
                       c->gaps ? "--database is missing: give it, or set SANDFLEET_DATABASE"
                               : "--api-url and --database are missing: give one of them");
    if (n == 0 && !c->gaps)
        return err_set(err, ERR_USAGE,
                       "events takes a run id, as run and submit print it, or --gaps");
    if (n > 0 && !uuid_valid(str_of(words[0])))
        return err_set(err, ERR_USAGE, "'%.40s' is no run id", words[0]);
    return ERR_OK;
}

int command_events(struct client *c, int n, char **words)
{
    AUTO_CONN *conn = NULL;
    struct err err = ERR_INIT;

    if (c->api_url && !c->gaps) {
        if (runs_check_ids(n, words, &err) != ERR_OK)
            return client_fail(&err);
        return runs_events_by_api(c, words[0]);
    }
    if (check(c, n, words, &err) != ERR_OK ||
        pg_once_open(c->database, "sandfleet events", &conn, &err) != ERR_OK)
        return client_fail(&err);
    struct reader r = {.c = c,
                       .what = &listings[c->gaps],
                       .conn = conn,
                       .run = n > 0 ? words[0] : NULL,
                       .next = c->since};
    return know_run(&r, &err) == ERR_OK && read_all(&r, &err) == ERR_OK ? 0 : client_fail(&err);
}
