/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet doctor`: what was found, for people and for programs. */
#include <stdlib.h>
#include <unistd.h>

#include "common/json/json.h"
#include "producer/show/term_text.h"
#include "producer/show/terminal.h"
#include "producer/verbs/doctor.h"
#include "common/banned.h"

enum { ANSWER_MAX_BYTES = 256 << 10, FOUND_AT = 20 };

static const char *const state_names[] = {"ok", "failed", "skipped"};

/* --- for people ------------------------------------------------------------------------- */

/* Text behind the columns of state and name, in rows. */
static void put_rows(struct buf *out, const char *lead, const char *text, int columns)
{
    AUTO_BUF whole = BUF_INIT(2048), safe = BUF_INIT(4096);
    struct term_rows rows = {.columns = columns - FOUND_AT};
    struct str row;
    bool first = true;

    buf_addf(&whole, "%s%s", lead, text);
    term_text_safe(&safe, buf_str(&whole));
    rows.rest = buf_str(&safe);
    for (; term_rows_next(&rows, &row); first = false)
        buf_addf(out, "%*s%*s" STR_FMT "\n", first ? 0 : FOUND_AT, "", first ? 0 : rows.indent, "",
                 STR_ARG(row));
}

static void put_text(struct buf *out, const struct doctor_check *c, const struct doctor_result *r,
                     const struct terminal *t)
{
    static const char *const styles[] = {"green", "red", "yellow"};

    buf_addf(out, "%s%-8s%s%-12s", terminal_style(t, styles[r->state]), state_names[r->state],
             terminal_style(t, "plain"), c->name);
    put_rows(out, "", r->found, t->columns);
    if (r->next[0]) {
        buf_addf(out, "%*s", FOUND_AT, "");
        put_rows(out, t->unicode ? "→ " : "-> ", r->next, t->columns);
    }
}

/* --- for programs ----------------------------------------------------------------------- */

static void put_json(struct buf *out, const struct doctor_check *c, const struct doctor_result *r)
{
    buf_addc(out, '{');
    json_kv(out, "check", c->name);
    json_kv(out, "what", c->what);
    json_kv(out, "state", state_names[r->state]);
    json_kv(out, "found", r->found);
    json_kv(out, "next", r->next[0] ? r->next : NULL);
    json_kv_int(out, "ms", r->ms);
    buf_addc(out, '}');
}

/* ----------------------------------------------------------------------------------------- */

static void put_all(struct buf *out, const struct doctor_result *results, enum output form)
{
    struct terminal t = terminal_of(STDOUT_FILENO);

    buf_adds(out, form == OUTPUT_JSON ? "[" : "");
    for (size_t i = 0; i < doctor_checks_n; i++) {
        if (form == OUTPUT_TEXT) {
            put_text(out, &doctor_checks[i], &results[i], &t);
            continue;
        }
        buf_adds(out, form == OUTPUT_JSON && i ? "," : "");
        put_json(out, &doctor_checks[i], &results[i]);
        buf_adds(out, form == OUTPUT_JSON ? "" : "\n");
    }
    buf_adds(out, form == OUTPUT_JSON ? "]\n" : "");
}

int command_doctor(struct client *c, int n, char **words)
{
    const struct doctor_settings *s = (const struct doctor_settings *)c;
    struct doctor_result *results = calloc(doctor_checks_n, sizeof *results);
    AUTO_BUF out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err err = ERR_INIT;
    int status = EXIT_OK;
    bool gone = false;

    (void)n, (void)words;
    if (!results) {
        err_set(&err, ERR_NOMEM, "out of memory");
        return client_fail(&err);
    }
    doctor_run(s, results);
    if (!c->quiet || c->output != OUTPUT_TEXT)
        put_all(&out, results, c->output);
    for (size_t i = 0; i < doctor_checks_n && status == EXIT_OK; i++)
        if (results[i].state == DOCTOR_FAILED)
            status = (int)exit_status_of(results[i].code);
    free(results);
    if (!client_put(out.p ? out.p : "", out.len, &gone, &err))
        return client_fail(&err);
    return status;
}
