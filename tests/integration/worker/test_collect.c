/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: what the globs name is in the store, byte by byte, and nothing else; no link is
 * followed; no known secret gets there; whoever takes over in the middle stores the same. Proof: a
 * real sandboxd with real find and tar in its sandboxes, a directory and an S3 that checks
 * signatures. */
#include "capture_world.h"
#include "s3.h"

#include "schema/run_request.h"
#include "common/secret/redact.h"
#include "worker/artifact/collect.h"

#define ID    "018f2f6e-7b1c-7abc-8def-0123456789ab"
#define TOKEN "canary-0123456789-abcdef"

static struct store *dir;
static struct s3 s3;
static struct redactor *redactor;

struct collecting {
    struct run_request request;
    struct collect *collect;
    char text[512];  /* what was told, one behind the other */
    char sha256[65]; /* of the last one */
    int64_t bytes;
    bool done;
};

static void note(struct collecting *c, const char *fmt, ...) PRINTF(2, 3);
static void note(struct collecting *c, const char *fmt, ...)
{
    size_t n = strlen(c->text);
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(c->text + n, sizeof(c->text) - n, fmt, ap);
    va_end(ap);
}

static void on_stored(void *ctx, const struct artifact *a)
{
    struct collecting *c = ctx;

    note(c, "%s:%d:%d ", a->name, (int)a->files, (int)a->masked);
    (void)snprintf(c->sha256, sizeof(c->sha256), "%s", a->sha256);
    c->bytes = a->bytes;
    assert_non_null(strstr(a->location, "/acme=40x/" ID "/1/"));
}

static void on_not_stored(void *ctx, const char *name, const struct err *e)
{
    note(ctx, "!%s:%s:%s ", name, err_name(e->code), e->msg);
}

static void on_done(void *ctx)
{
    struct collecting *c = ctx;

    assert_false(c->done);
    c->done = true;
    loop_stop(fx.loop);
}

static void begin_collecting(struct collecting *c, const struct world *w, struct store *store,
                             const char *artifacts, int64_t output_bytes, int64_t epoch)
{
    static const struct collect_events ev = {
        .stored = on_stored, .failed = on_not_stored, .done = on_done};
    AUTO_BUF text = BUF_INIT(65536);
    struct err e = ERR_INIT;

    *c = (struct collecting){0};
    buf_addf(&text,
             "{\"v\":1,\"run_id\":\"" ID
             "\",\"prompt\":\"x\",\"tenant\":\"acme@x\",\"artifacts\":%s}",
             artifacts);
    if (run_request_parse(buf_str(&text), &c->request, &e) != ERR_OK)
        fail_msg("%s", e.msg);
    const struct collect_want want = {.request = &c->request,
                                      .run_id = ID,
                                      .attempt = 1,
                                      .epoch = epoch,
                                      .output = run_wants_output(&c->request),
                                      .output_bytes = output_bytes,
                                      .redactor = redactor};
    if (collect_start(store, w->sb, &want, &ev, c, &c->collect, &e) != ERR_OK)
        fail_msg("%s", e.msg);
}

static struct collecting collected(const struct world *w, struct store *store,
                                   const char *artifacts, int64_t output_bytes, const char *want)
{
    struct collecting c;

    begin_collecting(&c, w, store, artifacts, output_bytes, 1);
    fx_run();
    if (strcmp(c.text, want) != 0)
        fail_msg("'%s', not '%s'", c.text, want);
    run_request_release(&c.request);
    return c;
}

static void in_sandbox(const struct world *w, const char *script)
{
    if (exit_of(w, script) != 0)
        fail_msg("not so in the sandbox: %s", script);
}

/* A script in the folder that the store has of the run. */
static void in_store(const char *script)
{
    char command[2048];

    (void)snprintf(command, sizeof(command), "cd '%s/store/acme=40x/" ID "/1' && { %s\n}", fx.dir,
                   script);
    if (system(command) != 0)
        fail_msg("not so in the store: %s", script);
}

static struct world sandbox(const char *id)
{
    struct world w = world_of(id, NULL);

    in_sandbox(&w, "mkdir -p work .sandfleet/" ID "/1");
    return w;
}

static void what_is_named_and_nothing_else(void **state)
{
    struct world w = sandbox("collect-1");
    struct collecting c;
    char script[256];

    (void)state;
    in_sandbox(&w,
               "cd work && mkdir -p out/a/b other && for i in out/1.csv out/a/2.csv "
               "out/a/b/3.csv out/no.txt other/4.csv; do echo $i >$i; done && "
               "echo d >./-rf && printf n >\"$(printf 'sp ace\\nline')\" && "
               "ln -s /etc/passwd out/l.csv && ln -s / out/root && mkfifo out/f.csv && "
               "head -c 3000000 /dev/urandom >out/a/big.csv && sha256sum out/a/big.csv >sum.csv");
    c = collected(&w, dir, "{\"globs\":[\"out/**/*.csv\",\"-rf\",\"sp*\",\"sum.csv\",\"none\"]}", 0,
                  "artifacts.tar.gz:7:0 ");
    (void)snprintf(script, sizeof(script), "echo '%s  artifacts.tar.gz' | sha256sum -c --quiet",
                   c.sha256);
    in_store(script);
    in_store("mkdir t && tar -xzf artifacts.tar.gz -C t && cd t && sha256sum -c --quiet sum.csv && "
             "[ \"$(cat ./-rf out/a/b/3.csv)\" = \"$(printf 'd\\nout/a/b/3.csv')\" ] && "
             "[ \"$(find . -type f | tr -d '\\n' | tr -cd / | wc -c)\" = 15 ] && "
             "[ -z \"$(find . -type l -o -type p)\" ] && [ ! -e out/no.txt ] && [ ! -e other ]");
    in_sandbox(&w, "[ \"$(ls .sandfleet/*/1)\" = '' ]"); /* it is left as it was */
    world_end(&w);
}

static void what_cannot_be_is_said(void **state)
{
    struct world w = sandbox("collect-2");

    (void)state;
    (void)collected(&w, dir, "{\"globs\":[\"none\"]}", 0,
                    "!artifacts.tar.gz:NOT_FOUND:no file is there that its globs name ");
    (void)collected(&w, NULL, "{\"globs\":[\"none\"],\"output\":true}", 0,
                    "!artifacts.tar.gz:CONFIG:this worker has no artifact store (--artifacts) "
                    "!output.ndjson:CONFIG:this worker has no artifact store (--artifacts) ");
    in_sandbox(&w, "truncate -s 1100M work/z");
    (void)collected(&w, dir, "{\"globs\":[\"z\"]}", 0,
                    "!artifacts.tar.gz:TOO_BIG:over 256 MiB, 1 GiB unpacked, or 20000 files ");
    in_sandbox(&w, "rm work/z; mkdir work/m && cd work/m && seq -f %.0f 20001 | xargs touch");
    (void)collected(&w, dir, "{\"globs\":[\"m\"]}", 0,
                    "!artifacts.tar.gz:TOO_BIG:over 256 MiB, 1 GiB unpacked, or 20000 files ");
    world_end(&w);
}

/* The agent wrote the token down. */
static void no_known_secret_is_stored(void **state)
{
    struct store *bucket = s3_store(&s3, "s3cr3t/with+slash", "eu-central-1", NULL);
    struct world w = sandbox("collect-3");
    struct collecting c;
    char script[256];

    (void)state;
    in_sandbox(&w, "head -c 200000 /dev/urandom >work/a; echo 'key=" TOKEN "' >work/env; "
                   "{ seq 20000; echo '{\"t\":\"" TOKEN "\"}'; seq 20000; } "
                   ">.sandfleet/" ID "/1/out.ndjson");
    (void)collected(&w, dir, "{\"globs\":[\"**\"]}", 0,
                    "!artifacts.tar.gz:INVALID:a file in it holds a secret that this worker knows: "
                    "it is not stored ");
    (void)collected(&w, bucket, "{\"globs\":[\"**\"]}", 0,
                    "!artifacts.tar.gz:INVALID:a file in it holds a secret that this worker knows: "
                    "it is not stored ");
    c = collected(&w, dir, "{\"output\":true}", 217821, "output.ndjson:0:1 ");
    assert_int_equal(c.bytes, 217821);
    (void)snprintf(script, sizeof(script),
                   "echo '%s  output.ndjson' | sha256sum -c --quiet && "
                   "[ $(stat -c %%a output.ndjson) = 600 ]",
                   c.sha256);
    in_store(script);
    in_store("grep -q '^{\"t\":\"\\*\\{24\\}\"}$' output.ndjson && [ $(wc -c <output.ndjson) = "
             "217821 ]");
    (void)snprintf(script, sizeof(script), "! grep -rqa '" TOKEN "' ../../..");
    in_store(script);
    (void)collected(&w, bucket, "{\"output\":true}", 217821, "output.ndjson:0:1 ");
    (void)collected(&w, dir, "{\"output\":true}", 217820,
                    "!output.ndjson:CONFLICT:it changed while it was read ");
    store_free(bucket);
    world_end(&w);
}

static void on_lost(void *ctx)
{
    struct collecting *c = ctx;

    if (!c->done)
        collect_free(c->collect);
    loop_stop(fx.loop);
}

static void whoever_takes_over_stores_the_same(void **state)
{
    struct world w = sandbox("collect-4");

    (void)state;
    in_sandbox(&w,
               "head -c 3000000 /dev/urandom >work/big && sha256sum work/big >sum && mv sum work/");
    for (int ms = 0; ms <= 240; ms += 80) {
        struct collecting first, second;
        struct timer *lost = timer_new(fx.loop, on_lost, &first);

        begin_collecting(&first, &w, dir, "{\"globs\":[\"big\",\"sum\"]}", 0, 1);
        timer_start(lost, ms);
        fx_run();
        timer_free(lost);
        begin_collecting(&second, &w, dir, "{\"globs\":[\"big\",\"sum\"]}", 0, 2);
        fx_run();
        assert_string_equal(second.text, "artifacts.tar.gz:2:0 ");
        in_store("rm -rf t && mkdir -p t/work && tar -xzf artifacts.tar.gz -C t/work && cd t && "
                 "sha256sum -c --quiet work/sum");
        run_request_release(&first.request);
        run_request_release(&second.request);
    }
    in_store("[ -z \"$(ls -A ../../../tmp)\" ]");
    world_end(&w);
}

/* What the first began in the sandbox goes on beside the second. */
static void two_owners_at_once_store_the_same(void **state)
{
    struct world w = sandbox("collect-5");
    struct collecting a, b;

    (void)state;
    in_sandbox(&w,
               "head -c 3000000 /dev/urandom >work/big && sha256sum work/big >sum && mv sum work/");
    begin_collecting(&a, &w, dir, "{\"globs\":[\"big\",\"sum\"]}", 0, 1);
    begin_collecting(&b, &w, dir, "{\"globs\":[\"big\",\"sum\"]}", 0, 2);
    while (!a.done || !b.done)
        fx_run();
    assert_string_equal(a.text, "artifacts.tar.gz:2:0 ");
    assert_string_equal(b.text, "artifacts.tar.gz:2:0 ");
    in_store("rm -rf t && mkdir -p t/work && tar -xzf artifacts.tar.gz -C t/work && cd t && "
             "sha256sum -c --quiet work/sum");
    run_request_release(&a.request);
    run_request_release(&b.request);
    world_end(&w);
}

static int up(void **state)
{
    char path[80];
    struct err e;

    if (fx_up(state) != 0)
        return -1;
    (void)snprintf(path, sizeof(path), "%s/store", fx.dir);
    s3 = s3_up(NULL);
    return store_new(fx.loop, path, &dir, &e) == ERR_OK && redactor_new(&redactor, &e) == ERR_OK &&
                   redactor_know(redactor, STR(TOKEN), &e) == ERR_OK
               ? 0
               : -1;
}

static int down(void **state)
{
    store_free(dir);
    redactor_free(redactor);
    s3_down(&s3);
    return fx_down(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_named_and_nothing_else),
                                       cmocka_unit_test(what_cannot_be_is_said),
                                       cmocka_unit_test(no_known_secret_is_stored),
                                       cmocka_unit_test(whoever_takes_over_stores_the_same),
                                       cmocka_unit_test(two_owners_at_once_store_the_same)};

    return cmocka_run_group_tests_name("collect", tests, up, down);
}
