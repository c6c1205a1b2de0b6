/* SPDX-License-Identifier: Apache-2.0 */
/* bench.emulator: a stand-in for the sandbox service and the daemons in its sandboxes, for
 * benches of the worker with thousands of runs. There is no sandbox and no process: it says what
 * the worker must hear to make one, start an agent in it and follow its output, and the output is
 * made up. What sandboxd or E2B would cost is not in any figure measured with it.
 *
 * A run's tenant says what its agent prints: "rate-R-lines-N-bytes-B": R lines a second, N lines
 * in all, the first and the last as Claude's are, each of about B bytes. With N 0 it prints until
 * SIGUSR1, and then its result. "…-stamped": each line but those two says when it was printed, as
 * "at=UNIX_MICROSECONDS" in its text.
 *
 * Prints its port; then, a line each:  create RUN UNIX_MICROSECONDS
 * At SIGTERM:  end SANDBOXES LINES */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base64.h"
#include "common/json/json.h"
#include "tests/bench/emulator_http.h"
#include "common/banned.h"

enum {
    TICK_MS = 5,
    ID_ROOM = 64,
    STAMP_ROOM = 32,
    LINE_MAX_BYTES = 1 << 20,
    FRAME_MAX_BYTES = 2 << 20
};

#define SESSION "01234567-89ab-4cde-8f01-23456789abcd"

struct box { /* a sandbox that is none */
    int64_t rate, lines, bytes;
    int64_t begun_us;
    int64_t printed, size; /* of the output file, so far */
    bool started, over, stamped;
};

struct tail { /* a stream that follows a box's output */
    struct tail *next;
    struct conn *conn; /* NULL: the client went */
    struct box *box;
    int64_t sent; /* lines of the file, from its first one */
};

static struct {
    struct box **boxes;
    int64_t n, cap;
    struct tail *tails;
    struct buf line[3], frame[3]; /* the first, another, the last */
    int64_t line_bytes;           /* what line and frame were made for */
    int64_t lines;                /* printed by all */
} e;
static volatile bool stop, finish;

enum { FIRST, ANOTHER, LAST };

static int64_t now_us(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* --- what an agent prints ---------------------------------------------------------- */

static const char *const heads[] = {
    [FIRST] = "{\"type\":\"system\",\"subtype\":\"init\",\"session_id\":\"" SESSION
              "\",\"model\":\"m\",\"tools\":[\"",
    [ANOTHER] = "{\"type\":\"assistant\",\"session_id\":\"" SESSION
                "\",\"message\":{\"model\":\"m\",\"role\":\"assistant\","
                "\"content\":[{\"type\":\"text\",\"text\":\"",
    [LAST] =
        "{\"type\":\"result\",\"subtype\":\"success\",\"is_error\":false,\"session_id\":\"" SESSION
        "\",\"num_turns\":1,\"modelUsage\":{\"m\":{\"inputTokens\":3,\"outputTokens\":5,"
        "\"costUSD\":0.01}},\"total_cost_usd\":0.01,\"result\":\""};
static const char *const ends[] = {[FIRST] = "\"]}\n", [ANOTHER] = "\"}]}}\n", [LAST] = "\"}\n"};

static void put_output(struct buf *out, struct str text)
{
    AUTO_BUF json = BUF_INIT(FRAME_MAX_BYTES);

    buf_adds(&json, "{\"event\":{\"data\":{\"stdout\":\"");
    base64_add(&json, text);
    buf_adds(&json, "\"}}}");
    http_frame(out, 0, json.p);
}

/* All runs' lines are the same ones: to make them anew would cost more than the worker does. */
static void make_lines(int64_t bytes)
{
    if (e.line_bytes == bytes)
        return;
    e.line_bytes = bytes;
    for (int i = FIRST; i <= LAST; i++) {
        size_t least = strlen(heads[i]) + strlen(ends[i]);

        e.line[i] = BUF_INIT(LINE_MAX_BYTES);
        e.frame[i] = BUF_INIT(FRAME_MAX_BYTES);
        buf_adds(&e.line[i], heads[i]);
        for (size_t n = least; n < (size_t)bytes; n++)
            buf_addc(&e.line[i], n % 8 == 0 ? ' ' : 'w');
        buf_adds(&e.line[i], ends[i]);
        put_output(&e.frame[i], buf_str(&e.line[i]));
    }
}

/* One of the lines between, printed now: as long as the others. */
static void send_stamped(struct conn *c)
{
    AUTO_BUF line = BUF_INIT(LINE_MAX_BYTES), frame = BUF_INIT(FRAME_MAX_BYTES);
    char stamp[STAMP_ROOM];

    (void)snprintf(stamp, sizeof(stamp), "at=%" PRId64 " ", now_us(CLOCK_REALTIME));
    buf_addstr(&line, buf_str(&e.line[ANOTHER]));
    memcpy(line.p + strlen(heads[ANOTHER]), stamp, strlen(stamp));
    put_output(&frame, buf_str(&line));
    http_send(c, frame.p, frame.len);
}

/* What the agent printed by now is in the file. */
static void grow(struct box *b)
{
    int64_t due = 1 + (now_us(CLOCK_MONOTONIC) - b->begun_us) * b->rate / 1000000,
            before = b->printed;
    bool last = (b->lines > 0 && due >= b->lines) || (b->lines == 0 && finish && due > 1);

    if (!b->started || b->over)
        return;
    make_lines(b->bytes);
    b->over = last;
    b->printed = b->lines > 0 && last ? b->lines : due;
    b->size = (int64_t)(e.line[FIRST].len + (size_t)(b->printed - 1 - last) * e.line[ANOTHER].len +
                        (last ? e.line[LAST].len : 0));
    e.lines += b->printed - before;
}

static int which(const struct box *b, int64_t line)
{
    return line == 0 ? FIRST : b->over && line == b->printed - 1 ? LAST : ANOTHER;
}

static void say_end(struct conn *c)
{
    AUTO_BUF frames = BUF_INIT(FRAME_MAX_BYTES);

    http_frame(
        &frames, 0,
        "{\"event\":{\"end\":{\"exitCode\":0,\"exited\":true,\"status\":\"exit status 0\"}}}");
    http_frame(&frames, 2, "{}");
    http_send(c, frames.p, frames.len);
    http_finish(c);
}

static void go_on(struct tail *t)
{
    struct box *b = t->box;

    grow(b);
    for (; t->sent < b->printed; t->sent++) { /* a write each, as an agent's lines come */
        int kind = which(b, t->sent);

        if (b->stamped && kind == ANOTHER)
            send_stamped(t->conn);
        else
            http_send(t->conn, e.frame[kind].p, e.frame[kind].len);
    }
    if (!b->over)
        return;
    say_end(t->conn);
    t->conn->stream = NULL;
    t->conn = NULL;
}

static void tick(void)
{
    for (struct tail **at = &e.tails, *t; (t = *at);) {
        if (t->conn)
            go_on(t);
        if (t->conn) {
            at = &t->next;
            continue;
        }
        *at = t->next;
        free(t);
    }
    (void)fflush(stdout);
}

static void gone(struct conn *c)
{
    struct tail *t = c->stream;

    if (t)
        t->conn = NULL;
}

/* --- the daemon in a sandbox -------------------------------------------------------- */

static void begin_stream(struct conn *c)
{
    AUTO_BUF frame = BUF_INIT(1024);

    http_begin(c);
    http_frame(&frame, 0, "{\"event\":{\"start\":{\"pid\":7}}}");
    http_send(c, frame.p, frame.len);
}

static int64_t number_behind(const char *text, const char *word, int64_t otherwise)
{
    const char *at = text ? strstr(text, word) : NULL;

    return at ? strtoll(at + strlen(word), NULL, 10) : otherwise;
}

/* The last of the request's arguments says from which byte on; a line begins there. */
static void follow(struct conn *c, const struct request *r, struct box *b)
{
    struct tail *t = calloc(1, sizeof(*t));
    AUTO_BUF body = BUF_INIT(FRAME_MAX_BYTES);

    buf_addstr(&body, r->body);
    if (!t || body.rc != ERR_OK || body.len < 5)
        abort();
    grow(b);
    int64_t from = number_behind(body.p + 5, "/1\",\"", 1) - 1;
    *t = (struct tail){.next = e.tails, .conn = c, .box = b};
    if (from > 0)
        t->sent = 1 + (from - (int64_t)e.line[FIRST].len) / (int64_t)e.line[ANOTHER].len;
    e.tails = t;
    c->stream = t;
}

static void start(struct conn *c, const struct request *r, struct box *b)
{
    AUTO_BUF frame = BUF_INIT(1024);

    begin_stream(c);
    if (memmem(r->body.p, r->body.n, "tail -c \\\"+$2", 13)) {
        follow(c, r, b);
        return;
    }
    if (memmem(r->body.p, r->body.n, "./job start", 11)) {
        b->started = true;
        b->begun_us = now_us(CLOCK_MONOTONIC);
        put_output(&frame, STR("4242\n"));
        http_send(c, frame.p, frame.len);
    }
    say_end(c);
}

static void read_file(struct conn *c, const struct request *r, const struct box *b)
{
    char range[64];

    (void)snprintf(range, sizeof(range), "Content-Range: bytes */%" PRId64 "\r\n", b->size);
    if (memmem(r->path.p, r->path.n, "out.ndjson", 10) && r->from == b->size)
        http_answer(c, 416, range, STR("{}"));
    else if (memmem(r->path.p, r->path.n, "%2Fpid", 6) && b->started)
        http_answer(c, 200, "", STR("4242\n"));
    else if (memmem(r->path.p, r->path.n, "%2Frc", 5) && b->over)
        http_answer(c, 200, "", STR("0\n"));
    else
        http_answer(c, 404, "", STR("{\"code\":404,\"message\":\"no such file\"}"));
}

static void serve_box(struct conn *c, const struct request *r, struct box *b)
{
    if (str_is(r->path, "/health"))
        http_answer(c, 204, "", STR(""));
    else if (str_starts(r->path, "/files") && str_is(r->method, "POST"))
        http_answer(c, 200, "", STR("[]"));
    else if (str_starts(r->path, "/files"))
        read_file(c, r, b);
    else if (str_is(r->path, "/process.Process/Start"))
        start(c, r, b);
    else if (str_is(r->path, "/process.Process/List"))
        http_answer(c, 200, "", STR("{\"processes\":[]}"));
    else
        http_answer(c, 200, "", STR("{}"));
}

/* --- the control plane ---------------------------------------------------------------- */

static struct box *box_of(struct str id)
{
    int64_t n = -1;

    if (id.n < 2 || !str_int((struct str){id.p + 1, id.n - 1}, e.n - 1, &n))
        return NULL;
    return e.boxes[n];
}

static void say_sandbox(struct conn *c, int status, int64_t n)
{
    AUTO_BUF body = BUF_INIT(1024);

    buf_addf(&body,
             "{\"sandboxID\":\"b%" PRId64 "\",\"clientID\":\"emulator\",\"templateID\":\"base\","
             "\"envdVersion\":\"0.2.0\",\"envdAccessToken\":\"t%" PRId64 "\"}",
             n, n);
    http_answer(c, status, "", buf_str(&body));
}

static void create(struct conn *c, const struct request *r)
{
    int64_t at_us = now_us(CLOCK_REALTIME);
    AUTO_JSON *tree = NULL;
    struct err err = ERR_INIT;
    struct box *b = calloc(1, sizeof(*b));

    if (!b || json_parse(r->body, 0, &tree, &err) != ERR_OK)
        abort();
    const cJSON *metadata = json_get(tree, "metadata");
    const char *tenant = json_get_string(metadata, "tenant");
    *b = (struct box){.rate = number_behind(tenant, "rate-", 10),
                      .lines = number_behind(tenant, "lines-", 2),
                      .bytes = number_behind(tenant, "bytes-", 300),
                      .stamped = tenant && strstr(tenant, "-stamped")};
    if (e.n == e.cap) {
        e.cap = e.cap ? 2 * e.cap : 1024;
        e.boxes = realloc(e.boxes, (size_t)e.cap * sizeof(*e.boxes));
        if (!e.boxes)
            abort();
    }
    (void)printf("create %s %" PRId64 "\n", json_get_string(metadata, "run"), at_us);
    e.boxes[e.n++] = b;
    say_sandbox(c, 201, e.n - 1);
}

static void connect_to(struct conn *c, const struct request *r)
{
    struct str rest = r->path, part = {0}, id = {0};

    while (str_next(&rest, '/', &part) && !str_is(part, "connect"))
        id = part;
    if (box_of(id))
        say_sandbox(c, 200, number_behind(id.p, "b", 0));
    else
        http_answer(c, 404, "", STR("{\"code\":404,\"message\":\"no such sandbox\"}"));
}

static void look(struct conn *c, const struct request *r)
{
    AUTO_BUF body = BUF_INIT(1024);

    buf_adds(&body, "{\"sandboxID\":\"");
    buf_add(&body, r->path.p + 11, r->path.n - 11);
    buf_adds(&body, "\",\"templateID\":\"base\",\"clientID\":\"emulator\",\"state\":\"running\","
                    "\"startedAt\":\"2026-01-01T00:00:00Z\",\"endAt\":\"2036-01-01T00:00:00Z\","
                    "\"cpuCount\":2,\"memoryMB\":512,\"envdVersion\":\"0.2.0\"}");
    http_answer(c, 200, "", buf_str(&body));
}

static void serve(struct conn *c, const struct request *r)
{
    struct box *b = box_of(r->sandbox);

    if (b)
        serve_box(c, r, b);
    else if (r->sandbox.n > 0)
        http_answer(c, 502, "", STR("{\"code\":502,\"message\":\"The sandbox was not found\"}"));
    else if (str_is(r->method, "POST") && str_is(r->path, "/v2/sandboxes"))
        create(c, r);
    else if (str_is(r->method, "POST") && memmem(r->path.p, r->path.n, "/connect", 8))
        connect_to(c, r);
    else if (str_is(r->method, "GET") && str_starts(r->path, "/v2/sandboxes"))
        http_answer(c, 200, "", STR("[]"));
    else if (str_is(r->method, "GET") && str_starts(r->path, "/sandboxes/"))
        look(c, r);
    else
        http_answer(c, 204, "", STR(""));
}

/* --- life -------------------------------------------------------------------------------- */

static void on_signal(int signum)
{
    if (signum == SIGUSR1)
        finish = true;
    else
        stop = true;
}

int main(void)
{
    const struct sigaction action = {.sa_handler = on_signal};

    for (size_t i = 0; i < 3; i++)
        (void)sigaction((const int[]){SIGTERM, SIGINT, SIGUSR1}[i], &action, NULL);
    (void)printf("port %d\n", http_listen());
    (void)fflush(stdout);
    http_serve(serve, gone, tick, TICK_MS, &stop);
    (void)printf("end %" PRId64 " %" PRId64 "\n", e.n, e.lines);
    return 0;
}
