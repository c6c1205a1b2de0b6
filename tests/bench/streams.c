/* SPDX-License-Identifier: Apache-2.0 */
/* Follows many processes at once, each in a sandbox of its own, and says what a line costs:
 * one line of JSON. Every line is split out, its number checked; the time in it tells how long
 * it was under way. CPU time is of this process, from the first start to the last end.
 *
 *   E2B_API_KEY=… bench.streams --api-url http://127.0.0.1:3000 --emit build/ci/tests/bench.emit
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "common/json/json.h"
#include "common/option/option.h"
#include "worker/e2b/envd.h"
#include "worker/e2b/sandbox.h"
#include "worker/capture/lines.h"

#include "common/banned.h"

enum { LINE_MAX_BYTES = 1 << 20, PREPARED_AT_ONCE = 8, BINARY_MAX_BYTES = 4 << 20 };
enum { SUM_HEX = 2 * crypto_hash_sha256_BYTES };
enum { BUCKETS = 4096, BUCKET_US = 250 }; /* of latencies: the last one is "a second or more" */

static struct settings {
    char *api_url, *url, *emit;
    struct secret *key;
    int64_t streams, lines, rate, bytes, drain_ms;
    bool verify, help;
} opt;

#define AT(field) offsetof(struct settings, field)

struct one {
    struct sandbox *sb;
    struct envd_call *put;
    struct envd_stream *stream;
    struct lines lines;
    int64_t bytes, disorder;
    char complaint[120];           /* what it wrote to stderr first */
    crypto_hash_sha256_state hash; /* of the lines but the last, which says what it should be */
    bool failed, done, sum_found;
};

static struct {
    struct loop *loop;
    struct sandbox_service *service;
    struct one *all;
    struct buf binary;
    int64_t asked, ready, ended, failed;
    int64_t cpu_from_us, wall_from_us, rss_before_kib;
    int64_t now_us; /* of the day, at the piece under way */
    int64_t late[BUCKETS], n_late;
    char why[256]; /* of the first failure */
} b;

/* --- measures -------------------------------------------------------------- */

static int64_t clock_us(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Of this program: getrusage() would count what the process was before it became this one. */
static int64_t peak_rss_kib(void)
{
    char line[256];
    FILE *f = fopen("/proc/self/status", "re");
    int64_t kib = 0;

    while (f && kib == 0 && fgets(line, sizeof(line), f))
        if (strncmp(line, "VmHWM:", 6) == 0)
            kib = strtoll(line + 6, NULL, 10);
    if (f)
        (void)fclose(f);
    return kib;
}

static double late_ms(double share)
{
    int64_t left = (int64_t)((double)b.n_late * share);

    for (int i = 0; i < BUCKETS; i++)
        if ((left -= b.late[i]) < 0)
            return (i + 1) * (double)BUCKET_US / 1000;
    return 0;
}

static void note_failure(const struct err *e)
{
    if (b.failed++ == 0)
        (void)snprintf(b.why, sizeof(b.why), "%s", e->msg);
}

/* --- a stream ---------------------------------------------------------------- */

/* The last line: {"n":1,"t":2,"sum":"…", with the sum over all before. */
static void check_line(struct one *o, const struct line *line)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char want[SUM_HEX + 1];
    const char *sum;

    if (line->n < opt.lines) {
        (void)crypto_hash_sha256_update(&o->hash, (unsigned char *)line->text, line->len);
        (void)crypto_hash_sha256_update(&o->hash, (const unsigned char *)"\n", 1);
        return;
    }
    (void)crypto_hash_sha256_final(&o->hash, digest);
    (void)sodium_bin2hex(want, sizeof(want), digest, sizeof(digest));
    sum = memmem(line->text, line->len, "\"sum\":\"", 7);
    o->sum_found =
        sum && sum + 7 + SUM_HEX <= line->text + line->len && memcmp(sum + 7, want, SUM_HEX) == 0;
}

/* {"n":1,"t":2,… */
static void take_line(struct one *o, const struct line *line)
{
    char *rest = line->text + 5;
    int64_t n = line->len > 40 ? strtoll(rest, &rest, 10) : -1;
    int64_t late = line->len > 40 ? b.now_us - strtoll(rest + 5, NULL, 10) : 0;
    int64_t bucket = late < 0 ? 0 : late / BUCKET_US;

    o->disorder += n != line->n;
    o->bytes += (int64_t)line->len + 1;
    b.late[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    b.n_late++;
    if (opt.verify)
        check_line(o, line);
}

static void on_out(void *ctx, struct str piece)
{
    struct one *o = ctx;
    struct line line;

    b.now_us = clock_us(CLOCK_REALTIME);
    while (lines_next(&o->lines, &piece, &line) == LINES_LINE)
        take_line(o, &line);
}

static void end_one(struct one *o)
{
    o->done = true;
    if (++b.ended == opt.streams)
        loop_stop(b.loop);
}

static void on_complaint(void *ctx, struct str piece)
{
    struct one *o = ctx;

    if (o->complaint[0] == '\0')
        (void)snprintf(o->complaint, sizeof(o->complaint), STR_FMT, STR_ARG(piece));
}

static void on_ended(void *ctx, int64_t exit_code, const struct err *e)
{
    struct one *o = ctx;
    struct err why = *e;

    o->stream = NULL;
    o->failed = e->code != ERR_OK || exit_code != 0;
    if (e->code == ERR_OK)
        (void)err_set(&why, ERR_IO, "a program ended with status %" PRId64 ": %s", exit_code,
                      o->complaint);
    if (o->failed)
        note_failure(&why);
    end_one(o);
}

static void run_all(void)
{
    static const struct envd_stream_events ev = {
        .out = on_out, .err_out = on_complaint, .ended = on_ended};
    char command[160];
    const char *const args[] = {"-c", command, NULL};

    (void)snprintf(command, sizeof(command),
                   "chmod 700 ~/emit && exec ~/emit %" PRId64 " %" PRId64 " %" PRId64, opt.lines,
                   opt.rate, opt.bytes);
    b.rss_before_kib = peak_rss_kib();
    b.cpu_from_us = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    b.wall_from_us = clock_us(CLOCK_MONOTONIC);
    for (struct one *o = b.all; o < b.all + opt.streams; o++) {
        struct err e = ERR_INIT;

        lines_init(&o->lines, LINE_MAX_BYTES, 0, 0);
        (void)crypto_hash_sha256_init(&o->hash);
        if (envd_run(sandbox_envd(o->sb), &(struct envd_command){.cmd = "/bin/sh", .args = args},
                     &ev, o, &o->stream, &e) != ERR_OK) {
            note_failure(&e);
            end_one(o);
        }
    }
}

/* --- sandboxes ------------------------------------------------------------------ */

static void prepare_next(void);

static void prepared(const struct err *e)
{
    if (e->code != ERR_OK) {
        note_failure(e);
        loop_stop(b.loop);
    } else if (++b.ready == opt.streams) {
        run_all();
    } else {
        prepare_next();
    }
}

static void on_put(void *ctx, const struct envd_answer *a, const struct err *e)
{
    struct one *o = ctx;

    (void)a;
    o->put = NULL;
    prepared(e);
}

static void on_ready(void *ctx, struct sandbox *sb)
{
    struct one *o = ctx;
    struct err e = ERR_INIT;

    o->sb = sb;
    if (envd_put(sandbox_envd(sb), "~/emit", buf_str(&b.binary), on_put, o, &o->put, &e) != ERR_OK)
        prepared(&e);
}

static void on_failed(void *ctx, const struct err *e)
{
    (void)ctx;
    prepared(e);
}

static void prepare_next(void)
{
    static const struct sandbox_events ev = {.ready = on_ready, .failed = on_failed};
    char id[64];
    struct sandbox_want want = {
        .template = "base", .ttl_ms = 600000, .run_id = id, .attempt = 1, .tenant = "bench"};
    struct err e = ERR_INIT;

    if (b.asked == opt.streams)
        return;
    (void)snprintf(id, sizeof(id), "bench-%d-%" PRId64, (int)getpid(), b.asked);
    if (sandbox_create(b.service, &want, &ev, &b.all[b.asked++], NULL, &e) != ERR_OK)
        prepared(&e);
}

static void on_killed(void *ctx, const struct err *e)
{
    (void)ctx;
    (void)e;
    if (++b.ended == 2 * opt.streams)
        loop_stop(b.loop);
}

static void kill_all(void)
{
    b.ended = opt.streams;
    for (struct one *o = b.all; o < b.all + opt.streams; o++) {
        struct err e;

        if (!o->sb || sandbox_kill(b.service, sandbox_id(o->sb), on_killed, NULL, &e) != ERR_OK)
            on_killed(NULL, NULL);
        envd_stream_free(o->stream);
        envd_call_free(o->put);
        lines_release(&o->lines);
    }
    if (b.ended < 2 * opt.streams)
        loop_run(b.loop);
    for (struct one *o = b.all; o < b.all + opt.streams; o++)
        sandbox_free(o->sb);
}

/* --- the program ------------------------------------------------------------------ */

// clang-format off
static const struct opt rows[] = {
    { "api-url", 0, OPT_STRING, AT(api_url), NULL, 1, 2048, 0, "E2B_API_URL",
      "<url>", "The control plane." },
    { "url", 0, OPT_STRING, AT(url), NULL, 0, 2048, 0, "E2B_SANDBOX_URL",
      "<url>", "One address for all sandboxes; by default the control plane's." },
    { "emit", 0, OPT_STRING, AT(emit), NULL, 1, 4096, 0, NULL,
      "<program>", "The program that prints the lines; it is put into each sandbox." },
    { "e2b-api-key", 0, OPT_STRING, AT(key), NULL, 1, 4096, OPT_SECRET, "E2B_API_KEY",
      "<key>", "Key of the control plane." },
    { "streams", 0, OPT_INT, AT(streams), "50", 1, 5000, 0, NULL, "<n>", "How many streams at once." },
    { "lines", 0, OPT_INT, AT(lines), "4000", 1, 10000000, 0, NULL, "<n>", "Lines of each stream." },
    { "rate", 0, OPT_INT, AT(rate), "200", 0, 1000000, 0, NULL, "<n>", "Lines a second of each; 0: as many as go." },
    { "bytes", 0, OPT_INT, AT(bytes), "300", 192, 65536, 0, NULL, "<n>", "Bytes of a line." },
    { "drain-ms", 0, OPT_INT, AT(drain_ms), "5", 0, 1000, 0, NULL, "<ms>", "How long bytes may wait to be read together." },
    { "verify", 0, OPT_BOOL, AT(verify), NULL, 0, 0, 0, NULL, NULL, "Compares the SHA-256 of each stream, too." },
    { "help", 'h', OPT_BOOL, AT(help), NULL, 0, 0, OPT_NO_ENV, NULL, NULL, "Prints this help and exits." },
};
// clang-format on

static enum err_code read_binary(struct err *err)
{
    FILE *f = fopen(opt.emit, "re");
    size_t n;

    if (!f)
        return err_errno(err, errno, "open '%s'", opt.emit);
    b.binary = BUF_INIT(BINARY_MAX_BYTES);
    do {
        char *room = buf_room(&b.binary, 65536);

        n = room ? fread(room, 1, 65536, f) : 0;
        buf_grew(&b.binary, n);
    } while (n > 0);
    (void)fclose(f);
    return b.binary.rc == ERR_OK ? ERR_OK : err_set(err, b.binary.rc, "read '%s'", opt.emit);
}

static enum err_code set_up(struct err *err)
{
    const struct http_opts http = {.drain_ms = opt.drain_ms};
    const struct sandbox_service_opts service = {.api_url = opt.api_url,
                                                 .sandbox_url = opt.url ? opt.url : opt.api_url,
                                                 .api_key = opt.key,
                                                 .domain = "e2b.app",
                                                 .fleet = "bench",
                                                 .http = &http};

    b.all = calloc((size_t)opt.streams, sizeof(*b.all));
    if (!b.all)
        return err_set(err, ERR_NOMEM, "streams");
    if (read_binary(err) != ERR_OK || loop_new(&b.loop, err) != ERR_OK)
        return err->code;
    return sandbox_service_new(b.loop, &service, &b.service, err);
}

static void report(int64_t cpu_us, int64_t wall_us)
{
    int64_t lines = 0, bytes = 0, disorder = 0, whole = 0, wrong = 0, rss = peak_rss_kib();
    AUTO_BUF out = BUF_INIT(4096);

    for (const struct one *o = b.all; o < b.all + opt.streams; o++) {
        lines += o->lines.n;
        bytes += o->bytes;
        disorder += o->disorder;
        whole += !o->failed && o->lines.n == opt.lines && o->bytes == opt.lines * opt.bytes;
        wrong += !o->sum_found;
    }
    buf_addc(&out, '{');
    json_kv(&out, "client", "sandfleet");
    json_kv_int(&out, "streams", opt.streams);
    json_kv_int(&out, "whole_streams", whole);
    json_kv_int(&out, "failed", b.failed);
    json_kv_int(&out, "lines", lines);
    json_kv_int(&out, "bytes", bytes);
    json_kv_int(&out, "out_of_order", disorder);
    json_kv_int(&out, "wall_ms", wall_us / 1000);
    json_kv_int(&out, "cpu_ms", cpu_us / 1000);
    json_kv_num(&out, "us_per_line", lines ? (double)cpu_us / (double)lines : 0);
    json_kv_int(&out, "peak_rss_kib", rss);
    json_kv_num(&out, "kib_per_stream", (double)(rss - b.rss_before_kib) / (double)opt.streams);
    json_kv_num(&out, "p50_ms", late_ms(0.5));
    json_kv_num(&out, "p99_ms", late_ms(0.99));
    if (opt.verify)
        json_kv_int(&out, "sum_errors", wrong);
    if (b.failed)
        json_kv(&out, "first_failure", b.why);
    buf_addc(&out, '}');
    (void)puts(out.p ? out.p : "{}");
}

static void tear_down(void)
{
    kill_all();
    sandbox_service_free(b.service);
    loop_free(b.loop);
    buf_release(&b.binary);
    free(b.all);
    option_release(rows, COUNTOF(rows), &opt);
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    int words;

    if (secret_init(&err) != ERR_OK ||
        option_parse(rows, COUNTOF(rows), &opt, argc, argv, &words, &err) != ERR_OK) {
        (void)fprintf(stderr, "bench.streams: %s\n", err.msg);
        return err_exit_status(err.code);
    }
    if (opt.help) {
        option_help(rows, COUNTOF(rows), stdout);
        return 0;
    }
    if (!opt.api_url || !opt.emit || !opt.key) {
        (void)fprintf(stderr, "bench.streams: --api-url, --emit and E2B_API_KEY are needed\n");
        return err_exit_status(ERR_USAGE);
    }
    if (set_up(&err) != ERR_OK) {
        (void)fprintf(stderr, "bench.streams: %s\n", err.msg);
        return err_exit_status(err.code);
    }
    for (int i = 0; i < PREPARED_AT_ONCE; i++)
        prepare_next();
    loop_run(b.loop);
    report(clock_us(CLOCK_PROCESS_CPUTIME_ID) - b.cpu_from_us,
           clock_us(CLOCK_MONOTONIC) - b.wall_from_us);
    tear_down();
    return b.failed ? 1 : 0;
}
