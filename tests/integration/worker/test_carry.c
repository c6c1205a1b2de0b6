/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a conversation's transcript comes out of a sandbox whole, closed, and back again;
 * what is not there, too long, or not ours is said so; and it may be given up at any moment.
 * Proof: real sandboxes with files of all kinds in them; what is stored is read from outside. */
#include "fixture.h"

#include "common/log.h"
#include "worker/session/carry.h"

#include "common/banned.h"

#define TALK   "7f2a5c1e-1b1d-4c62-9d5f-0123456789ab"
#define KEY    "transcripts/t/k"
#define SECRET "canary-0123456789-canary"
#define DIR    "mkdir -p ~/.sandfleet/r/1 ~/.claude/projects/a ~/.claude/projects/b; "
#define A      "~/.claude/projects/a/" TALK ".jsonl"
#define B      "~/.claude/projects/b/" TALK ".jsonl"

enum { FREE_MOMENTS = 40 };

static struct {
    char path[512];
    struct store *store;
    struct secret *seal, *other_seal;
    struct redactor *redactor;
    struct carry *carry;
    int told;
    struct err err;
    struct buf text;
    int64_t bytes;
    char sha256[TRANSCRIPT_HASH_TEXT];
} w;

static struct carry_store place(const struct secret *seal)
{
    return (struct carry_store){
        .loop = fx.loop, .store = w.store, .redactor = w.redactor, .seal = seal};
}

static void on_done(void *ctx, const struct carry_done *d, const struct err *e)
{
    (void)ctx;
    w.carry = NULL;
    w.told++;
    w.err = *e;
    if (e->code == ERR_OK) {
        w.bytes = d->bytes;
        memcpy(w.sha256, d->sha256, sizeof(w.sha256));
        w.text = *d->text;
        *d->text = BUF_INIT(0);
    }
    loop_stop(fx.loop);
}

static const char *out(struct sandbox *sb, const struct secret *seal, const char *talk)
{
    struct carry_from from = {.sb = sb, .run_id = "r", .attempt = 1, .claude_session = talk};
    struct carry_store s = place(seal);

    buf_release(&w.text);
    if (carry_out(&s, &from, KEY, on_done, NULL, &w.carry, &w.err) == ERR_OK)
        fx_run();
    return err_name(w.err.code);
}

static const char *in(const struct secret *seal)
{
    struct carry_store s = place(seal);

    buf_release(&w.text);
    if (carry_in(&s, KEY, w.sha256, on_done, NULL, &w.carry, &w.err) == ERR_OK)
        fx_run();
    return err_name(w.err.code);
}

static void on_ended(void *ctx, int64_t exit_code, const struct err *e)
{
    (void)ctx;
    assert_string_equal(err_name(e->code), "OK");
    assert_int_equal(exit_code, 0);
    loop_stop(fx.loop);
}

static void on_said(void *ctx, struct str bytes)
{
    (void)ctx, (void)bytes;
}

static void shell(struct sandbox *sb, const char *script)
{
    static const struct envd_stream_events ev = {.out = on_said, .ended = on_ended};
    const char *const args[] = {"-c", script, NULL};
    struct envd_stream *stream;
    struct err e;

    assert_string_equal(
        err_name(envd_run(sandbox_envd(sb), &(struct envd_command){.cmd = "/bin/sh", .args = args},
                          &ev, NULL, &stream, &e)),
        "OK");
    fx_run();
}

/* Is `text` in what is stored? */
static bool stored(const char *text)
{
    char command[1024];

    (void)snprintf(command, sizeof(command), "grep -qF -- '%s' '%s/" KEY "'", text, w.path);
    return system(command) == 0;
}

/* --- what lies in the sandbox --------------------------------------------------- */

static struct row {
    const char *name, *files;
    bool sealed;
    const char *verdict, *text; /* of the way out; what comes back, NULL: not looked at */
    const char *in_store;       /* is there, and the next is not; NULL: not looked at */
    const char *not_in_store;
    int64_t bytes; /* 0: not looked at */
} rows[] = {
    {"it goes out and comes back", DIR "echo hello >" A, false, "OK", "hello\n", "hello", NULL, 6},
    {"a secret is masked", DIR "echo '" SECRET ", said it' >" A, false, "OK",
     "************************, said it\n", "said it", SECRET, 0},
    {"sealed, nothing of it shows", DIR "echo '" SECRET ", said it' >" A, true, "OK",
     SECRET ", said it\n", "sandfleet-sealed", "said it", 0},
    {"the newest of two", DIR "echo old >" A "; touch -d '2001-01-01' " A "; echo new >" B, false,
     "OK", "new\n", NULL, NULL, 0},
    {"no such folder", "mkdir -p ~/.sandfleet/r/1", false, "NOT_FOUND", NULL, NULL, NULL, 0},
    {"another conversation's", DIR "echo x >~/.claude/projects/a/other.jsonl", false, "NOT_FOUND",
     NULL, NULL, NULL, 0},
    {"an empty one", DIR ": >" A, false, "NOT_FOUND", NULL, NULL, NULL, 0},
    {"as long as may be", DIR "truncate -s 32M " A, true, "OK", NULL, NULL, NULL, 0},
    {"longer", DIR "truncate -s 33554433 " A, false, "TOO_BIG", NULL, NULL, NULL, 0},
    {"no folder of the run's", DIR "echo x >" A "; rm -r ~/.sandfleet", false, "IO", NULL, NULL,
     NULL, 0},
};

static void goes_out_and_comes_back(void **state)
{
    const struct row *row = *state;
    const struct secret *seal = row->sealed ? w.seal : NULL;
    struct sandbox_service *s = fx_service(NULL, NULL);
    struct fx_got got = fx_create(s, "base", row->name);

    assert_non_null(got.sb);
    shell(got.sb, row->files);
    assert_string_equal(out(got.sb, seal, TALK), row->verdict);
    if (row->bytes)
        assert_int_equal(w.bytes, row->bytes);
    if (row->in_store)
        assert_true(stored(row->in_store));
    if (row->not_in_store)
        assert_false(stored(row->not_in_store));
    if (strcmp(row->verdict, "OK") == 0)
        assert_string_equal(in(seal), "OK");
    if (row->text)
        assert_string_equal(w.text.p, row->text);
    sandbox_free(got.sb);
    sandbox_service_free(s);
}

static void a_word_that_is_no_conversation_is_refused(void **state)
{
    (void)state;
    assert_string_equal(out(NULL, NULL, "x/../../../etc/passwd"), "INVALID");
    assert_string_equal(out(NULL, NULL, ""), "INVALID");
}

static void what_is_not_ours_is_not_taken(void **state)
{
    struct sandbox_service *s = fx_service(NULL, NULL);
    struct fx_got got = fx_create(s, "base", "not-ours");

    (void)state;
    assert_non_null(got.sb);
    shell(got.sb, DIR "echo hello >" A);
    assert_string_equal(out(got.sb, w.seal, TALK), "OK");
    assert_string_equal(in(w.other_seal), "CONFIG");
    assert_string_equal(in(NULL), "CONFIG");
    w.sha256[0] = w.sha256[0] == '0' ? '1' : '0';
    assert_string_equal(in(w.seal), "INVALID");
    sandbox_free(got.sb);
    sandbox_service_free(s);
}

/* --- given up -------------------------------------------------------------------- */

static void give_up(void *ctx)
{
    (void)ctx;
    carry_free(w.carry);
    w.carry = NULL;
    loop_stop(fx.loop);
}

/* At many moments of it, whatever is under way then. */
static void it_may_be_given_up_at_any_moment(void **state)
{
    struct sandbox_service *s = fx_service(NULL, NULL);
    struct fx_got got = fx_create(s, "base", "given-up");
    struct timer *early = timer_new(fx.loop, give_up, NULL);
    int gone = 0;

    (void)state;
    assert_non_null(got.sb);
    shell(got.sb, DIR "head -c 3000000 /dev/urandom >" A);
    for (int ms = 0; ms < FREE_MOMENTS; ms++) {
        w.told = 0;
        timer_start(early, ms);
        (void)out(got.sb, w.seal, TALK);
        gone += w.told == 0;
    }
    assert_true(gone > 0);
    timer_free(early);
    sandbox_free(got.sb);
    sandbox_service_free(s);
}

static int up(void **state)
{
    struct err e = ERR_INIT;

    if (fx_up(state) != 0)
        return -1;
    (void)snprintf(w.path, sizeof(w.path), "%s/store", fx.dir);
    assert_int_equal(store_new(fx.loop, w.path, &w.store, &e), ERR_OK);
    assert_int_equal(secret_new(STR("a key of thirty-two letters, one"), &w.seal, &e), ERR_OK);
    assert_int_equal(secret_new(STR("another of thirty-two letters, 2"), &w.other_seal, &e),
                     ERR_OK);
    assert_int_equal(redactor_new(&w.redactor, &e), ERR_OK);
    assert_int_equal(redactor_know(w.redactor, STR(SECRET), &e), ERR_OK);
    return 0;
}

static int down(void **state)
{
    int rc;

    store_free(w.store);
    buf_release(&w.text);
    rc = fx_down(state);
    secret_free(w.seal);
    secret_free(w.other_seal);
    redactor_free(w.redactor);
    return rc;
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows) + 3];
    size_t n = 0;

    log_setup(LOG_ERROR, LOG_TEXT, 2);
    for (; n < COUNTOF(rows); n++)
        tests[n] = (struct CMUnitTest){
            .name = rows[n].name, .test_func = goes_out_and_comes_back, .initial_state = &rows[n]};
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(a_word_that_is_no_conversation_is_refused);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(what_is_not_ours_is_not_taken);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(it_may_be_given_up_at_any_moment);
    return cmocka_run_group_tests_name("carry", tests, up, down);
}
