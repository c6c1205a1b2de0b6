/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: every call of the daemon does what its header says.
 * Proof: a real sandboxd, whose processes and files answer. */
#include "capture_world.h"
#include "worker/e2b/envd_answer.h"

static struct seen {
    struct err e;
    struct buf body, out;
    int64_t size, pid, code;
    bool at_end, ended;
    int keepalives;
    const char *until; /* stop the loop when `out` holds this; NULL: at the end */
    char changes[64], names[256];
} seen;

static struct world w;
static struct envd *d;
static struct envd_call *call;
static struct envd_stream *stream;

static int setup(void **state)
{
    static int n;
    static char run_id[16]; /* a create of the same run gives the same sandbox */

    (void)state;
    (void)snprintf(run_id, sizeof(run_id), "envd-%d", ++n);
    fx_keepalive_s = 1;
    w = world_of(run_id, NULL);
    d = sandbox_envd(w.sb);
    seen = (struct seen){.body = BUF_INIT(4 << 20), .out = BUF_INIT(4 << 20)};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    envd_stream_free(stream);
    stream = NULL;
    buf_release(&seen.body);
    buf_release(&seen.out);
    world_end(&w);
    return 0;
}

/* --- calls ----------------------------------------------------------------------- */

static void on_answer(void *ctx, const struct envd_answer *a, const struct err *e)
{
    (void)ctx;
    seen.e = *e;
    seen.size = a->size;
    seen.at_end = a->at_end;
    buf_clear(&seen.body);
    buf_addstr(&seen.body, a->body);
    loop_stop(fx.loop);
}

/* Awaits the call just started; its code. */
static const char *code_of(enum err_code started)
{
    assert_string_equal(err_name(started), "OK");
    fx_run();
    return err_name(seen.e.code);
}

#define CALL(name, ...) code_of(name(d, __VA_ARGS__, on_answer, NULL, &call, &seen.e))

static void files_up_and_down(void **state)
{
    AUTO_BUF big = BUF_INIT(4 << 20);

    (void)state;
    for (int i = 0; i < 20000; i++)
        buf_addf(&big, "line %d of what shrinks well\n", i);
    assert_string_equal(CALL(envd_put, "~/a dir/ü&=.txt", STR("hello")), "OK");
    assert_string_equal(CALL(envd_get, "~/a dir/ü&=.txt", 0, NULL), "OK");
    assert_string_equal(seen.body.p, "hello");
    assert_true(seen.at_end);
    assert_string_equal(CALL(envd_get, "~/a dir/ü&=.txt", 2, NULL), "OK");
    assert_string_equal(seen.body.p, "llo");
    assert_int_equal(seen.size, 5);
    assert_string_equal(CALL(envd_get, "~/a dir/ü&=.txt", 5, NULL), "OK");
    assert_true(seen.at_end);
    assert_int_equal(seen.size, 5);
    assert_string_equal(CALL(envd_get, "~/none", 0, NULL), "NOT_FOUND");
    assert_string_equal(CALL(envd_put, "~/big", buf_str(&big)), "OK");
    assert_int_equal(exit_of(&w,
                             "test $(wc -c <~/big) = $(awk 'BEGIN { for (i = 0; i < 20000;"
                             " i++) printf \"line %d of what shrinks well\\n\", i }' | tee ~/want"
                             " | wc -c) && cmp ~/big ~/want"),
                     0);
}

static void on_piece(void *ctx, struct str piece)
{
    (void)ctx;
    buf_addstr(&seen.out, piece);
}

static void a_whole_file_or_none(void **state)
{
    AUTO_BUF big = BUF_INIT(4 << 20);

    (void)state;
    for (int i = 0; i < 50000; i++)
        buf_addf(&big, "%d\n", i);
    assert_string_equal(CALL(envd_put_whole, "~/deep/whole", buf_str(&big)), "OK");
    assert_string_equal(CALL(envd_put_whole, "~/deep/whole", buf_str(&big)), "OK");
    assert_int_equal(exit_of(&w, "test $(ls -A ~/deep | wc -l) = 1"), 0);
    assert_string_equal(
        code_of(envd_get(d, "~/deep/whole", 0, on_piece, on_answer, NULL, &call, &seen.e)), "OK");
    assert_true(str_eq(buf_str(&seen.out), buf_str(&big)));
    assert_int_equal(exit_of(&w, "mkdir ~/taken ~/taken/x"), 0);
    assert_string_not_equal(CALL(envd_put_whole, "~/taken", STR("x")), "OK");
}

static void folders(void **state)
{
    struct envd_entries list;
    struct err e;

    (void)state;
    assert_string_equal(CALL(envd_make_dir, "~/dir"), "OK");
    assert_string_equal(CALL(envd_make_dir, "~/dir"), "CONFLICT");
    assert_string_equal(CALL(envd_put, "~/dir/one", STR("12345")), "OK");
    assert_string_equal(CALL(envd_move, "~/dir/one", "~/dir/two"), "OK");
    assert_string_equal(CALL(envd_list_dir, "~/dir", 1), "OK");
    assert_string_equal(err_name(envd_entries_parse(buf_str(&seen.body), &list, &e)), "OK");
    assert_int_equal(list.n, 1);
    assert_string_equal(list.all[0].name, "two");
    assert_int_equal(list.all[0].type, ENVD_FILE);
    assert_int_equal(list.all[0].size, 5);
    assert_true(list.all[0].modified_ms > 0);
    envd_entries_release(&list);
    assert_string_equal(CALL(envd_stat, "~/dir"), "OK");
    assert_string_equal(err_name(envd_entries_parse(buf_str(&seen.body), &list, &e)), "OK");
    assert_int_equal(list.n, 1);
    assert_int_equal(list.all[0].type, ENVD_DIRECTORY);
    envd_entries_release(&list);
    assert_string_equal(CALL(envd_remove, "~/dir"), "OK");
    assert_string_equal(CALL(envd_stat, "~/dir"), "NOT_FOUND");
    assert_string_equal(CALL(envd_remove, "~/dir"), "OK");
}

/* --- processes ------------------------------------------------------------------- */

static void on_process_started(void *ctx, int64_t pid)
{
    (void)ctx;
    seen.pid = pid;
    if (!seen.until)
        return;
    if (!*seen.until)
        loop_stop(fx.loop);
}

static void on_out(void *ctx, struct str bytes)
{
    (void)ctx;
    buf_addstr(&seen.out, bytes);
    if (seen.until && *seen.until && seen.out.p && strstr(seen.out.p, seen.until))
        loop_stop(fx.loop);
}

static void on_idle(void *ctx)
{
    (void)ctx;
    seen.keepalives++;
}

static void on_process_ended(void *ctx, int64_t exit_code, const struct err *e)
{
    (void)ctx;
    stream = NULL;
    seen.ended = true;
    seen.code = exit_code;
    seen.e = *e;
    loop_stop(fx.loop);
}

static const struct envd_stream_events process_events = {.started = on_process_started,
                                                         .out = on_out,
                                                         .err_out = on_out,
                                                         .idle = on_idle,
                                                         .ended = on_process_ended};

static void run(const char *script, struct envd_command command)
{
    const char *const args[] = {"-c", script, NULL};

    command.cmd = "/bin/sh";
    command.args = args;
    assert_string_equal(err_name(envd_run(d, &command, &process_events, NULL, &stream, &seen.e)),
                        "OK");
}

static void until(const char *text)
{
    seen.until = text;
    fx_run();
}

static void a_command_with_all_its_settings(void **state)
{
    static const char *const env[] = {"ONE=1 \"x\"", "TWO=", NULL};

    (void)state;
    run("echo $ONE,$TWO; pwd; echo bad >&2; exit 7",
        (struct envd_command){.env = env, .cwd = "/usr"});
    until(NULL);
    assert_string_equal(seen.e.msg, "");
    assert_int_equal(seen.code, 7);
    assert_non_null(strstr(seen.out.p, "1 \"x\",\n"));
    assert_non_null(strstr(seen.out.p, "/usr\n"));
    assert_non_null(strstr(seen.out.p, "bad\n"));
}

static void input_reaches_a_process(void **state)
{
    (void)state;
    run("cat; echo over", (struct envd_command){.with_stdin = true});
    until("");
    assert_string_equal(CALL(envd_send_input, seen.pid, ENVD_STDIN, STR("ping\n")), "OK");
    if (!strstr(seen.out.p ? seen.out.p : "", "ping"))
        until("ping\n");
    assert_string_equal(CALL(envd_close_stdin, seen.pid), "OK");
    seen.until = NULL;
    if (!seen.ended)
        fx_run();
    assert_string_equal(seen.out.p, "ping\nover\n");
    assert_string_equal(CALL(envd_send_input, 99999999, ENVD_STDIN, STR("x")), "NOT_FOUND");
}

static void a_terminal_has_a_size(void **state)
{
    (void)state;
    run("stty size; read go; stty size; exit 3",
        (struct envd_command){.with_stdin = true, .pty = {.cols = 91, .rows = 17}});
    until("17 91");
    assert_string_equal(CALL(envd_resize, seen.pid, ((struct envd_size){80, 25})), "OK");
    assert_string_equal(CALL(envd_send_input, seen.pid, ENVD_PTY, STR("go\n")), "OK");
    seen.until = NULL;
    while (!seen.ended)
        fx_run();
    assert_int_equal(seen.code, 3);
    assert_non_null(strstr(seen.out.p, "25 80"));
}

static void found_by_tag_joined_and_ended(void **state)
{
    struct envd_processes list;
    struct err e;
    int64_t pid = 0;

    (void)state;
    run("echo up; while sleep 0.05; do echo tick; done", (struct envd_command){.tag = "mine"});
    until("up");
    envd_stream_free(stream); /* the process goes on */
    stream = NULL;
    assert_string_equal(code_of(envd_list(d, on_answer, NULL, &call, &seen.e)), "OK");
    assert_string_equal(err_name(envd_processes_parse(buf_str(&seen.body), &list, &e)), "OK");
    for (size_t i = 0; i < list.n; i++)
        if (list.all[i].tag && strcmp(list.all[i].tag, "mine") == 0)
            pid = list.all[i].pid;
    envd_processes_release(&list);
    assert_int_equal(pid, seen.pid);
    buf_clear(&seen.out);
    assert_string_equal(err_name(envd_connect(d, pid, &process_events, NULL, &stream, &seen.e)),
                        "OK");
    until("tick");
    assert_string_equal(CALL(envd_signal, pid, ENVD_KILL), "OK");
    seen.until = NULL;
    while (!seen.ended)
        fx_run();
    assert_string_equal(seen.e.msg, "");
    assert_int_equal(seen.code, -1);
    assert_string_equal(
        err_name(envd_connect(d, 99999999, &process_events, NULL, &stream, &seen.e)), "OK");
    fx_run();
    assert_string_equal(err_name(seen.e.code), "NOT_FOUND");
}

static void silence_is_broken_by_keepalives(void **state)
{
    (void)state;
    run("sleep 4; echo late", (struct envd_command){0});
    until(NULL);
    assert_string_equal(seen.e.msg, "");
    assert_string_equal(seen.out.p, "late\n");
    assert_true(seen.keepalives >= 2);
}

/* --- watch ------------------------------------------------------------------------- */

static void on_watching(void *ctx)
{
    (void)ctx;
    loop_stop(fx.loop);
}

static bool awaited; /* a removal that comes during another call must not end that one's turn */

static void on_changed(void *ctx, char kind, const char *name)
{
    size_t n = strlen(seen.changes);

    (void)ctx;
    if (n + 1 < sizeof(seen.changes))
        seen.changes[n] = kind;
    (void)snprintf(seen.names, sizeof(seen.names), "%s", name);
    if (kind == 'r' && awaited)
        loop_stop(fx.loop);
}

static void on_watch_ended(void *ctx, const struct err *e)
{
    (void)ctx;
    stream = NULL;
    seen.e = *e;
    loop_stop(fx.loop);
}

static void changes_are_seen(void **state)
{
    static const struct envd_watch_events ev = {
        .started = on_watching, .changed = on_changed, .ended = on_watch_ended};

    (void)state;
    assert_string_equal(CALL(envd_make_dir, "~/watched"), "OK");
    assert_string_equal(err_name(envd_watch(d, "~/watched", false, &ev, NULL, &stream, &seen.e)),
                        "OK");
    fx_run();
    assert_non_null(stream);
    assert_string_equal(CALL(envd_put, "~/watched/f", STR("x")), "OK");
    assert_string_equal(CALL(envd_remove, "~/watched/f"), "OK");
    awaited = true;
    if (!strchr(seen.changes, 'r'))
        fx_run();
    assert_int_equal(seen.changes[0], 'c');
    assert_non_null(strchr(seen.changes, 'w'));
    assert_string_equal(seen.names, "f");
    envd_stream_free(stream);
    stream = NULL;
    assert_string_equal(err_name(envd_watch(d, "~/nowhere", false, &ev, NULL, &stream, &seen.e)),
                        "OK");
    fx_run();
    assert_string_equal(err_name(seen.e.code), "NOT_FOUND");
}

static void a_keepalive_of_zero_is_never_sent(void **state)
{
    const struct envd_opts opts = {.url = fx.url, .keepalive_s = -1};
    struct envd *none = NULL;
    struct err e;

    (void)state;
    assert_string_equal(err_name(envd_new(NULL, &opts, &none, &e)), "INVALID");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_up_and_down),
        TEST(a_whole_file_or_none),
        TEST(folders),
        TEST(a_command_with_all_its_settings),
        TEST(input_reaches_a_process),
        TEST(a_terminal_has_a_size),
        TEST(found_by_tag_joined_and_ended),
        TEST(silence_is_broken_by_keepalives),
        TEST(changes_are_seen),
        cmocka_unit_test(a_keepalive_of_zero_is_never_sent),
    };

    return cmocka_run_group_tests_name("envd", tests, fx_up, fx_down);
}
