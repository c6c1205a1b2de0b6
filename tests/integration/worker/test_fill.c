/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: the agent finds in its working directory what the request wants there, and nothing that
 * was refused gets there or anywhere else; who takes over in the middle does it again, and nobody
 * does once an agent has started. Proof: a real sandboxd with real tar and git in its sandboxes, an
 * owner that is lost at many moments, archives each with one thing wrong. */
#include "capture_world.h"
#include "web.h"

#include "schema/run_request.h"
#include "worker/workspace/fill.h"

static struct web web;
static struct http *http;
static struct fetch_policy policy;

struct filling {
    struct run_request request;
    struct fill *fill;
    enum fill_end end;
    struct err e;
    bool ended, stops;
};

static void on_filled(void *ctx, enum fill_end end, const struct err *e)
{
    struct filling *f = ctx;

    assert_false(f->ended);
    f->ended = true;
    f->end = end;
    f->e = *e;
    if (f->stops)
        loop_stop(fx.loop);
}

static void begin_filling(struct filling *f, const struct world *w, int64_t epoch,
                          const char *members)
{
    AUTO_BUF text = BUF_INIT(1 << 20);
    const struct fill_want want = {
        .request = &f->request, .run_id = w->run_id, .attempt = 1, .epoch = epoch};
    struct err e = ERR_INIT;

    buf_addf(&text,
             "{\"v\":1,\"run_id\":\"018f2f6e-7b1c-7abc-8def-0123456789ab\",\"prompt\":\"x\",%s}",
             members);
    *f = (struct filling){.stops = true};
    if (run_request_parse(buf_str(&text), &f->request, &e) != ERR_OK ||
        fill_start(&policy, w->sb, &want, on_filled, f, &f->fill, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static void filled(const struct world *w, int64_t epoch, const char *members, enum fill_end end,
                   const char *why)
{
    struct filling f;

    begin_filling(&f, w, epoch, members);
    fx_run();
    if (f.end != end || !strstr(f.e.msg, why))
        fail_msg("%d, not %d; '%s', not '%s'", f.end, end, f.e.msg, why);
    run_request_release(&f.request);
}

static void in_sandbox(const struct world *w, const char *script)
{
    if (exit_of(w, script) != 0)
        fail_msg("not so in the sandbox: %s", script);
}

struct said {
    char *to;
    size_t room;
};

static void on_read(void *ctx, struct str bytes)
{
    struct said *s = ctx;

    (void)snprintf(s->to, s->room, STR_FMT, STR_ARG(bytes));
}

static void on_read_ended(void *ctx, int64_t exit_code, const struct err *e)
{
    (void)ctx, (void)exit_code, (void)e;
    loop_stop(fx.loop);
}

static void read_from(const struct world *w, const char *script, char *to, size_t room)
{
    static const struct envd_stream_events ev = {.out = on_read, .ended = on_read_ended};
    const char *const args[] = {"-c", script, NULL};
    struct said said = {to, room};
    struct envd_stream *stream;
    struct err e;

    assert_string_equal(err_name(envd_run(sandbox_envd(w->sb),
                                          &(struct envd_command){.cmd = "/bin/sh", .args = args},
                                          &ev, &said, &stream, &e)),
                        "OK");
    fx_run();
}

/* A script of the host's, in the web's folder. */
static void on_host(const char *script)
{
    char command[4096];

    (void)snprintf(command, sizeof(command), "cd '%s' && { %s\n}", web.dir, script);
    assert_int_equal(system(command), 0);
}

/* --- what is wanted is there ------------------------------------------------------ */

static void one_over_the_other(void **state)
{
    struct world w = world_of("018f2f6e-0000-7000-8000-000000000001", NULL);
    char members[1024];

    (void)state;
    in_sandbox(&w, "git init -q -b main o && cd o && echo repo >r && echo repo >both && "
                   "git add . && git -c user.name=a -c user.email=a@b commit -qm one");
    on_host("mkdir -p p/sub && echo arc >p/a && echo arc >p/both && ln -s ../a p/sub/l && "
            "ln p/a p/h && chmod 755 p/a && tar -czf a.tar.gz p");
    (void)snprintf(
        members, sizeof(members),
        "\"repo\":{\"url\":\"file:///home/user/o\",\"ref\":\"main\"},"
        "\"archive\":{\"url\":\"%s/moved/a.tar.gz\",\"strip\":1},\"working_dir\":\"w/x\","
        "\"files\":[{\"path\":\"f/-n\",\"content\":\"x\\\\n\\u00fc\"},"
        "{\"path\":\"both\",\"content_base64\":\"ZmlsZQ==\",\"mode\":\"0700\"}]",
        web.url);
    policy.local_files = "/home/user";
    filled(&w, 1, members, FILL_DONE, "");
    in_sandbox(&w,
               "cd w/x && [ \"$(cat r a h sub/l)\" = \"$(printf 'repo\\narc\\narc\\narc')\" ] && "
               "[ -x a ] && [ -L sub/l ] && [ a -ef h ]");
    in_sandbox(&w, "cd w/x && [ \"$(cat both)\" = file ] && [ -x both ] && [ ! -x r ] && "
                   "[ \"$(cat f/-n)\" = 'x\\n\u00fc' ]");
    in_sandbox(&w, "cd w/x && [ \"$(git branch --show-current)\" = main ] && git log -1 --oneline");
    in_sandbox(
        &w, "cd .sandfleet/*/1 && [ -e filled ] && [ \"$(ls)\" = \"$(printf 'filled\\nlock')\" ]");
    policy.local_files = NULL;
    world_end(&w);
}

static void a_repo_by_branch_tag_and_commit(void **state)
{
    struct world w = world_of("018f2f6e-0000-7000-8000-000000000002", NULL);
    char id[64] = "", members[256];

    (void)state;
    in_sandbox(&w,
               "git init -q -b main o && cd o && git config user.name a && git config "
               "user.email a@b && git config uploadpack.allowAnySHA1InWant true && "
               "for i in 1 2 3; do echo $i >n; git add n; git commit -qm $i; git tag t$i; done && "
               "git checkout -q -b feature/x t2 && git checkout -q main && "
               "printf '#!/bin/sh\\ntouch $HOME/hooked\\n' >.git/hooks/post-checkout && "
               "chmod +x .git/hooks/post-checkout && git config --global init.templateDir "
               "/home/user/o/.git && git rev-parse t1 >../id");
    policy.local_files = "/home/user";
    filled(&w, 1, "\"repo\":{\"url\":\"file:///home/user/o\"}", FILL_DONE, "");
    in_sandbox(&w, "cd work && [ $(cat n) = 3 ] && [ $(git rev-list --count HEAD) = 1 ]");
    in_sandbox(&w, "rm -r .sandfleet/*/1/filled work");
    filled(&w, 2, "\"repo\":{\"url\":\"file:///home/user/o\",\"ref\":\"feature/x\",\"depth\":0}",
           FILL_DONE, "");
    in_sandbox(&w, "cd work && [ $(cat n) = 2 ] && [ $(git rev-list --count HEAD) = 2 ]");
    in_sandbox(&w, "rm -r .sandfleet/*/1/filled work");
    filled(&w, 3, "\"repo\":{\"url\":\"file:///home/user/o\",\"ref\":\"t2\",\"subdir\":\"a/b\"}",
           FILL_DONE, "");
    in_sandbox(&w, "cd work/a/b && [ $(cat n) = 2 ] && [ ! -e ~/hooked ]");
    in_sandbox(&w, "rm -r .sandfleet/*/1/filled work");
    read_from(&w, "cat id", id, sizeof(id));
    (void)snprintf(members, sizeof(members),
                   "\"repo\":{\"url\":\"file:///home/user/o\",\"ref\":\"%.40s\"}", id);
    filled(&w, 4, members, FILL_DONE, "");
    in_sandbox(&w, "cd work && [ $(cat n) = 1 ] && [ ! -e ~/hooked ]");
    in_sandbox(&w, "rm .sandfleet/*/1/filled");
    filled(&w, 5, "\"repo\":{\"url\":\"file:///home/user/o\",\"ref\":\"none\"}", FILL_SOURCE,
           "Remote branch none not found");
    policy.local_files = NULL;
    world_end(&w);
}

/* --- what is refused --------------------------------------------------------------- */

/* Each by a script that makes bad.tar.gz. */
static const struct {
    const char *make, *members, *why;
    enum fill_end end;
} bad[] = {
    {"echo x >x && tar -czPf bad.tar.gz --transform='s,^,../,' x",
     "\"archive\":{\"url\":\"%s/bad.tar.gz\"}", "member '../x' has a part '..'", FILL_REFUSED},
    {"echo x >x && tar -czPf bad.tar.gz --transform='s,^,/tmp/,' x",
     "\"archive\":{\"url\":\"%s/bad.tar.gz\"}", "member '/tmp/x' is absolute", FILL_REFUSED},
    {"ln -sf /etc l && tar -czf bad.tar.gz l", "\"archive\":{\"url\":\"%s/bad.tar.gz\"}",
     "member 'l' is a link that leads", FILL_REFUSED},
    {"rm -f p.p && mkfifo p.p && tar -czf bad.tar.gz p.p",
     "\"archive\":{\"url\":\"%s/bad.tar.gz\"}", "member 'p.p' is no plain file", FILL_REFUSED},
    {"truncate -s 1100M z && tar -cf - z 2>/dev/null | head -c 100000 | gzip >bad.tar.gz; rm z",
     "\"archive\":{\"url\":\"%s/bad.tar.gz\"}", "over 1 GiB", FILL_REFUSED},
    {"echo hello >bad.tar.gz", "\"archive\":{\"url\":\"%s/bad.tar.gz\"}", "no gzip", FILL_REFUSED},
    {"echo x >x && tar -czf whole.tar.gz x && head -c 90 whole.tar.gz >bad.tar.gz",
     "\"archive\":{\"url\":\"%s/bad.tar.gz\"}", "gzip", FILL_REFUSED},
    {"echo x >x && tar -czf bad.tar.gz x",
     "\"archive\":{\"url\":\"%s/"
     "bad.tar.gz\",\"sha256\":"
     "\"0000000000000000000000000000000000000000000000000000000000000000\"}",
     "its sha256 is", FILL_REFUSED},
    {"true", "\"archive\":{\"url\":\"%s/none.tar.gz\"}", "HTTP status 404", FILL_SOURCE},
    {"true", "\"archive\":{\"url\":\"%s/half/bad.tar.gz\"}", "", FILL_SOURCE},
    {"true", "\"archive\":{\"url\":\"%s/ftp/\"}", "another scheme", FILL_REFUSED},
    {"true", "\"archive\":{\"url\":\"http://127.0.0.1:1/a\"}", "onnect", FILL_SOURCE},
    {"true", "\"archive\":{\"url\":\"file:///etc/passwd\"}", "--local-files", FILL_REFUSED},
    {"true", "\"repo\":{\"url\":\"file:///home/user/o\"}", "--local-files", FILL_REFUSED},
    {"true", "\"repo\":{\"url\":\"http://127.0.0.1:1/o\"}", "repo: ", FILL_SOURCE},
    {"true", "\"files\":[{\"path\":\"a\",\"content\":\"\"},{\"path\":\"a/b\",\"content\":\"\"}]",
     "member 'a/b' lies below", FILL_REFUSED},
};

static void what_is_refused_leaves_nothing(void **state)
{
    struct world w = world_of("018f2f6e-0000-7000-8000-000000000003", NULL);

    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        AUTO_BUF members = BUF_INIT(4096);
        const char *mark = strstr(bad[i].members, "%s");

        buf_add(&members, bad[i].members,
                mark ? (size_t)(mark - bad[i].members) : strlen(bad[i].members));
        buf_adds(&members, mark ? web.url : "");
        buf_adds(&members, mark ? mark + 2 : "");
        on_host(bad[i].make);
        filled(&w, (int64_t)i + 1, members.p, bad[i].end, bad[i].why);
    }
    in_sandbox(&w,
               "[ ! -e work ] && [ ! -e x ] && [ ! -e .sandfleet/*/1/filled ] && [ ! -e /tmp/x ]");
    policy.allow_private = false;
    filled(&w, 99, "\"archive\":{\"url\":\"http://localhost:1/a\"}", FILL_REFUSED,
           "its address is not allowed");
    policy.allow_private = true;
    world_end(&w);
}

static void a_local_file_stays_in_its_folder(void **state)
{
    struct world w = world_of("018f2f6e-0000-7000-8000-000000000004", NULL);
    char members[512];

    (void)state;
    on_host(
        "echo x >x && tar -czf in.tar.gz x && ln -sf in.tar.gz near && ln -sf /etc/passwd far && "
        "mkdir -p d && cp in.tar.gz ../out.tar.gz && ln -sf ../../out.tar.gz d/out");
    policy.local_files = web.dir;
    (void)snprintf(members, sizeof(members), "\"archive\":{\"url\":\"file://%s/d/out\"}", web.dir);
    filled(&w, 1, members, FILL_REFUSED, "archive: ");
    (void)snprintf(members, sizeof(members), "\"archive\":{\"url\":\"file://%s/far\"}", web.dir);
    filled(&w, 2, members, FILL_REFUSED, "archive: ");
    (void)snprintf(members, sizeof(members), "\"archive\":{\"url\":\"file://%s/../out.tar.gz\"}",
                   web.dir);
    filled(&w, 3, members, FILL_REFUSED, "outside");
    (void)snprintf(members, sizeof(members), "\"archive\":{\"url\":\"file://%sx/a\"}", web.dir);
    filled(&w, 4, members, FILL_REFUSED, "outside");
    (void)snprintf(members, sizeof(members), "\"archive\":{\"url\":\"file://%s/gone\"}", web.dir);
    filled(&w, 5, members, FILL_SOURCE, "No such file");
    (void)snprintf(members, sizeof(members), "\"archive\":{\"url\":\"file://%s/near\"}", web.dir);
    filled(&w, 6, members, FILL_DONE, "");
    in_sandbox(&w, "[ $(cat work/x) = x ]");
    policy.local_files = NULL;
    world_end(&w);
}

/* --- owners --------------------------------------------------------------------------- */

static void on_lost(void *ctx)
{
    struct filling *f = ctx;

    if (!f->ended)
        fill_free(f->fill);
    loop_stop(fx.loop);
}

/* The first owner is lost after so many milliseconds; what it began in the sandbox goes on. */
static void whoever_takes_over_does_it_again(void **state)
{
    char members[512], id[64];

    (void)state;
    on_host(
        "rm -rf big && mkdir big && for i in $(seq 300); do head -c 20000 /dev/urandom >big/$i; "
        "done && (cd big && sha256sum * >../sums) && mv sums big/ && tar -czf big.tar.gz big");
    (void)snprintf(members, sizeof(members),
                   "\"archive\":{\"url\":\"%s/big.tar.gz\",\"strip\":1},"
                   "\"files\":[{\"path\":\"f\",\"content\":\"x\"}]",
                   web.url);
    for (int ms = 0; ms <= 240; ms += 40) {
        struct world w;
        struct filling first;
        struct timer *lost;

        (void)snprintf(id, sizeof(id), "018f2f6e-0000-7000-8000-0000000001%02x", ms);
        w = world_of(id, NULL);
        lost = timer_new(fx.loop, on_lost, &first);
        begin_filling(&first, &w, 1, members);
        first.stops = false;
        timer_start(lost, ms);
        fx_run();
        timer_free(lost);
        filled(&w, 2, members, FILL_DONE, "");
        in_sandbox(&w, "cd work && sha256sum --quiet -c sums && [ $(ls | wc -l) = 302 ]");
        run_request_release(&first.request);
        world_end(&w);
    }
}

static void two_owners_at_once_are_one(void **state)
{
    struct world w = world_of("018f2f6e-0000-7000-8000-000000000005", NULL);
    struct filling a, b;
    char members[256];

    (void)state;
    (void)snprintf(members, sizeof(members), "\"archive\":{\"url\":\"%s/big.tar.gz\",\"strip\":1}",
                   web.url);
    begin_filling(&a, &w, 1, members);
    begin_filling(&b, &w, 2, members);
    while (!a.ended || !b.ended)
        fx_run();
    assert_int_equal(a.end, FILL_DONE);
    assert_int_equal(b.end, FILL_DONE);
    in_sandbox(&w, "cd work && sha256sum --quiet -c sums");
    run_request_release(&a.request);
    run_request_release(&b.request);
    world_end(&w);
}

static void nobody_does_it_behind_the_start(void **state)
{
    struct world w = world_of("018f2f6e-0000-7000-8000-000000000006", NULL);
    static const char members[] = "\"files\":[{\"path\":\"f\",\"content\":\"wanted\"}]";

    (void)state;
    filled(&w, 1, members, FILL_DONE, "");
    in_sandbox(&w, "echo agent >work/f");
    filled(&w, 2, members, FILL_DONE, ""); /* it is marked */
    in_sandbox(&w, "[ $(cat work/f) = agent ] && cd .sandfleet/*/1 && rm filled && mkdir started");
    filled(&w, 3, members, FILL_DONE, ""); /* an agent has started */
    in_sandbox(&w, "[ $(cat work/f) = agent ]");
    world_end(&w);
}

/* An owner that was past its look when another one started the agent: the lock is held meanwhile.
 */
static void who_comes_late_changes_nothing(void **state)
{
    struct world w = world_of("018f2f6e-0000-7000-8000-000000000007", NULL);
    struct filling late;

    (void)state;
    in_sandbox(
        &w,
        "mkdir -p work .sandfleet/018f2f6e-0000-7000-8000-000000000007/1 && cd .sandfleet/*/1 && "
        "setsid sh -c 'exec 9>lock; flock 9; touch held; until [ -e go ]; do sleep 0.02; "
        "done' >/dev/null 2>&1 & until [ -e .sandfleet/*/1/held ]; do sleep 0.02; done");
    begin_filling(&late, &w, 1, "\"files\":[{\"path\":\"f\",\"content\":\"wanted\"}]");
    late.stops = false;
    in_sandbox(&w, "until pgrep -f '[f]lock -w'; do sleep 0.02; done"); /* it waits for the lock */
    assert_false(late.ended);
    in_sandbox(&w, "cd .sandfleet/*/1 && mkdir started && (cd ../../.. && cd work && echo agent "
                   ">f) && touch go");
    late.stops = true; /* not before: it may end sooner than the script above is known to have */
    if (!late.ended)
        fx_run();
    assert_int_equal(late.end, FILL_DONE);
    in_sandbox(&w, "[ $(cat work/f) = agent ]");
    run_request_release(&late.request);
    world_end(&w);
}

static int up(void **state)
{
    struct err e;

    if (fx_up(state) != 0 || http_new(fx.loop, NULL, &http, &e) != ERR_OK)
        return -1;
    web = web_up();
    policy = (struct fetch_policy){.loop = fx.loop, .http = http, .allow_private = true};
    return 0;
}

static int down(void **state)
{
    web_down(&web);
    http_free(http);
    return fx_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_over_the_other),
                                       cmocka_unit_test(a_repo_by_branch_tag_and_commit),
                                       cmocka_unit_test(what_is_refused_leaves_nothing),
                                       cmocka_unit_test(a_local_file_stays_in_its_folder),
                                       cmocka_unit_test(whoever_takes_over_does_it_again),
                                       cmocka_unit_test(two_owners_at_once_are_one),
                                       cmocka_unit_test(nobody_does_it_behind_the_start),
                                       cmocka_unit_test(who_comes_late_changes_nothing)};

    return cmocka_run_group_tests_name("fill", tests, up, down);
}
