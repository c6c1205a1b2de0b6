/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what the database has to be told goes in order, one statement at a time and within its
 * ceilings; a note is told until the database has it, nobody waits for one that is away, and one
 * that it refuses keeps no other back; an audit row that it did not take is in the log. Proof: a
 * database that answers what the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/api_internal.h"
#include "api/audit.h"
#include "api/intake/note.h"
#include "common/log.h"

#include "common/banned.h"

static struct {
    struct api api;
    struct telling *t;
    int away; /* so many times no connection is up */
    int sent;
    char rows[64]; /* of the last statement */
    pg_fn fn;
    void *ctx;
    char heard[64]; /* "a+ b- ": told, not told */
    int log;
} w;

struct pg *__wrap_api_db(const struct api *a);
enum err_code __wrap_pg_send(struct pg *p, const struct pg_cmd *cmd, pg_fn fn, void *ctx,
                             struct err *err);

struct pg *__wrap_api_db(const struct api *a)
{
    (void)a;
    return w.away-- > 0 ? NULL : (struct pg *)&w;
}

enum err_code __wrap_pg_send(struct pg *p, const struct pg_cmd *cmd, pg_fn fn, void *ctx,
                             struct err *err)
{
    (void)p;
    (void)err;
    assert_null(w.fn); /* one at a time */
    assert_true(strlen(cmd->v[0]) < sizeof(w.rows));
    memcpy(w.rows, cmd->v[0], strlen(cmd->v[0]) + 1);
    w.sent++;
    w.fn = fn;
    w.ctx = ctx;
    return ERR_OK;
}

/* --- one of them ----------------------------------------------------------------- */

static int setup(void **state)
{
    struct err err = ERR_INIT;

    (void)state;
    memset(&w, 0, sizeof(w));
    w.log = memfd_create("log", MFD_CLOEXEC);
    log_setup(LOG_WARN, LOG_TEXT, w.log);
    return w.log >= 0 && loop_new(&w.api.loop, &err) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    telling_free(w.t);
    loop_free(w.api.loop);
    return close(w.log);
}

static void of(const struct telling_kind *kind)
{
    w.t = telling_new(&w.api, kind);
    assert_non_null(w.t);
}

static void hear(void *ctx, bool told)
{
    char said[3] = {*(const char *)ctx, told ? '+' : '-', '\0'};

    assert_true(strlen(w.heard) + sizeof(said) <= sizeof(w.heard));
    memcpy(w.heard + strlen(w.heard), said, sizeof(said));
}

/* Somebody waits for it. */
static void add(const char *row)
{
    static const char names[] = "abcdefgh";

    assert_true(telling_add(w.t, str_of(row), hear, (void *)(uintptr_t)strchr(names, row[0])));
}

/* The loop has no more to do: what was to be sent is, and is so. */
static void sends(const char *rows)
{
    int before = w.sent;

    loop_run(w.api.loop);
    assert_int_equal(w.sent, before + (rows != NULL));
    if (rows)
        assert_string_equal(w.rows, rows);
}

static void answer(enum err_code rc)
{
    pg_fn fn = w.fn;
    struct err err = ERR_INIT;

    assert_non_null(fn);
    if (rc != ERR_OK)
        (void)err_set(&err, rc, "as the test says");
    w.fn = NULL;
    fn(w.ctx, NULL, &err);
}

static void heard(const char *want)
{
    assert_string_equal(w.heard, want);
}

static void logged(const char *want)
{
    char text[4096] = "";

    assert_true(pread(w.log, text, sizeof(text) - 1, 0) >= 0);
    if (!strstr(text, want))
        fail_msg("no '%s' in '%s'", want, text);
}

/* --- what is so of all of them ------------------------------------------------------ */

static void one_statement_at_a_time(void **state)
{
    (void)state;
    of(&note_telling);
    assert_true(telling_idle(w.t));
    add("a");
    add("b");
    assert_false(telling_idle(w.t));
    sends("[a,b]");
    add("c");
    sends(NULL);
    heard("");
    answer(ERR_OK);
    heard("a+b+");
    sends("[c]");
    answer(ERR_OK);
    heard("a+b+c+");
    sends(NULL);
    assert_true(telling_idle(w.t));
}

static void take_all(struct telling *t, const struct err *e)
{
    while (!TAILQ_EMPTY(&t->flying))
        telling_end(t, e->code == ERR_OK);
}

static void within_its_ceilings(void **state)
{
    static const struct telling_kind small = {.sql = "SELECT 1",
                                              .row_max = 16,
                                              .at_once = 2,
                                              .at_once_bytes = 11,
                                              .waiting_bytes = 24,
                                              .landed = take_all};

    (void)state;
    of(&small);
    add("a");
    add("b");
    add("c-345");
    add("d-345");
    add("e-3456789012");
    assert_false(telling_add(w.t, str_of("f"), hear, NULL)); /* 24 bytes wait */
    sends("[a,b]");
    answer(ERR_OK);
    add("f");
    sends("[c-345]"); /* 11 bytes would be reached */
    answer(ERR_OK);
    sends("[d-345]");
    answer(ERR_OK);
    sends("[e-3456789012]"); /* alone it may be longer */
    answer(ERR_OK);
    sends("[f]");
    answer(ERR_OK);
    heard("a+b+c+d+e+f+");
}

/* --- notes ------------------------------------------------------------------------- */

static void a_note_is_told_until_the_database_has_it(void **state)
{
    (void)state;
    of(&note_telling);
    add("a");
    add("b");
    sends("[a,b]");
    answer(ERR_UNAVAILABLE);
    heard("b-a-"); /* at once */
    logged("api.not_noted");
    add("c");
    sends("[a,b,c]");
    answer(ERR_OK);
    heard("b-a-c+");
    assert_true(telling_idle(w.t));
}

static void there_is_no_connection(void **state)
{
    (void)state;
    of(&note_telling);
    w.away = 3;
    add("a");
    sends("[a]"); /* the fourth time */
    assert_int_equal(w.away, -1);
    heard("a-");
    answer(ERR_OK);
    heard("a-");
}

static void a_refused_note_keeps_no_other_back(void **state)
{
    (void)state;
    of(&note_telling);
    add("a");
    add("b");
    add("c");
    sends("[a,b,c]");
    answer(ERR_INVALID);
    heard("");
    sends("[a]");
    answer(ERR_OK);
    sends("[b]");
    answer(ERR_INVALID);
    logged("api.note_refused");
    sends("[c]");
    answer(ERR_OK);
    heard("a+b-c+");
    add("d");
    add("e");
    sends("[d,e]");
}

/* --- audit rows --------------------------------------------------------------------- */

static void an_audit_row_is_in_the_database_or_in_the_log(void **state)
{
    (void)state;
    of(&audit_telling);
    add("a");
    sends("[a]");
    add("b");
    answer(ERR_UNAVAILABLE);
    logged("event=audit.not_stored row=a why=\"as the test says\"");
    sends("[b]"); /* and a no more */
    answer(ERR_OK);
    assert_true(telling_idle(w.t));
    add("c");
    sends("[c]");
    add("d");
    telling_free(w.t);
    w.t = NULL;
    logged("row=c why=\"the server is stopping\"");
    logged("row=d why=\"the server is stopping\"");
    heard("a-b+");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(one_statement_at_a_time),
        T(within_its_ceilings),
        T(a_note_is_told_until_the_database_has_it),
        T(there_is_no_connection),
        T(a_refused_note_keeps_no_other_back),
        T(an_audit_row_is_in_the_database_or_in_the_log),
    };
    return cmocka_run_group_tests_name("telling", tests, NULL, NULL);
}
