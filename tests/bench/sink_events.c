/* SPDX-License-Identifier: Apache-2.0 */
/* Events as Claude prints them, onto Kafka. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"

#include "tests/bench/sink_bench.h"
#include "worker/publish/publish.h"

#include "common/banned.h"

enum {
    TEXT_BYTES = 4 << 20,
    LEAST = 1000, /* of an event's text; what stands around it has 270 bytes */
    MOST = 1500,
    FLUSH_MS = 120000
};

static struct {
    struct producer *producer;
    struct topics topics;
    struct event_record record;
    struct buf row, data;
    char *text;
    int64_t created_ms, failed;
} b;

int64_t clock_us(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

void must(enum err_code rc, const struct err *err)
{
    if (rc == ERR_OK)
        return;
    fprintf(stderr, "bench.sink: %s\n", err->msg);
    exit(1);
}

/* --- events as Claude prints them ------------------------------------------------ */

static const char *const words[] = {
    "the",   "test",     "fails",  "because", "a",       "handler", "returns", "before",
    "its",   "lock",     "is",     "freed",   "src/net", ".c:214",  "so",      "we",
    "move",  "it",       "behind", "commit",  "\\n",     "\\n\\n",  "`make`",  "\\\"ok\\\"",
    "naïve", "→",        "if",     "(rc",     "!=",      "0)",      "return",  "rc;",
    "\\t",   "warning:", "unused", "variable"};

static uint32_t random_next(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 16;
}

/* Text that lz4 shrinks to about half, as it does with what Claude prints: now and then a
 * word of the list, else letters by chance. */
static void make_text(void)
{
    struct buf text = BUF_INIT(TEXT_BYTES + 64);
    uint32_t seed = 7;

    while (text.len < TEXT_BYTES) {
        if (random_next(&seed) % 2)
            buf_adds(&text, words[random_next(&seed) % COUNTOF(words)]);
        else
            for (uint32_t n = 2 + random_next(&seed) % 7; n > 0; n--)
                buf_addc(&text, "etaoinsrhldcumf_pgwybv"[random_next(&seed) % 22]);
        buf_addc(&text, ' ');
    }
    b.text = buf_take(&text);
}

/* Another piece of it for each event, from space to space. */
static struct str text_of(uint32_t seed)
{
    size_t n = LEAST + random_next(&seed) % (MOST - LEAST), at;

    at = (random_next(&seed) << 8 ^ random_next(&seed)) % (TEXT_BYTES - 2 * MOST);
    at += strcspn(b.text + at, " ") + 1;
    n += strcspn(b.text + at + n, " ");
    return (struct str){b.text + at, n};
}

const char *run_id(int64_t run, char out[UUID_TEXT])
{
    uint64_t mixed = (uint64_t)(bench.first_run + run) * UINT64_C(0x9e3779b97f4a7c15);

    snprintf(out, UUID_TEXT,
             "%08" PRIx64 "-%04" PRIx64 "-7%03" PRIx64 "-8%03" PRIx64 "-%012" PRIx64,
             (uint64_t)b.created_ms >> 16 & 0xffffffff, (uint64_t)b.created_ms & 0xffff,
             mixed >> 52, mixed >> 40 & 0xfff, mixed & 0xffffffffffff);
    return out;
}

static enum event_type type_of(int64_t line)
{
    return line % 5 == 3   ? EVENT_AGENT_TOOL_USE
           : line % 5 == 4 ? EVENT_AGENT_TOOL_RESULT
                           : EVENT_AGENT_MESSAGE;
}

static struct event event_of(const char *run, int64_t line)
{
    enum event_type type = type_of(line);
    struct str text =
        text_of((uint32_t)line * 7919 + (uint32_t)run[35] * 104729 + (uint32_t)run[34]);

    buf_clear(&b.data);
    buf_addf(&b.data,
             "{\"native\":{\"type\":\"assistant\",\"message\":{\"id\":\"msg_%08" PRIx64
             "\",\"role\":\"assistant\",\"model\":\"claude-sonnet-4-5\",\"content\":"
             "[{\"type\":\"text\",\"text\":\"" STR_FMT "\"}],\"usage\":{\"input_tokens\":%" PRId64
             ",\"output_tokens\":%" PRId64 "}},\"session_id\":\"%s\"}}",
             (uint64_t)line * 2654435761U, STR_ARG(text), 900 + line, 40 + line % 97, run);
    return (struct event){.type = type,
                          .attempt = 1,
                          .epoch = 1,
                          .n = line,
                          .offset = line * 1500,
                          .time_ms = b.created_ms + line * 20,
                          .data = buf_str(&b.data),
                          .tool = type == EVENT_AGENT_TOOL_USE ? STR("Bash") : (struct str){0},
                          .model = STR("claude-sonnet-4-5"),
                          .input_tokens = 900 + line,
                          .output_tokens = 40 + line % 97};
}

/* --- out ------------------------------------------------------------------------- */

static void on_produced(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    (void)ctx;
    (void)partition;
    (void)offset;
    b.failed += e->code != ERR_OK;
}

static void produce(const char *topic, const char *key, struct str value,
                    const struct kafka_header *headers, size_t n)
{
    struct err err = ERR_INIT;
    enum err_code rc;

    while ((rc = producer_send(b.producer, topic, str_of(key), value, headers, n, on_produced, NULL,
                               &err)) == ERR_THROTTLED)
        (void)producer_flush(b.producer, FLUSH_MS);
    must(rc, &err);
}

void produce_event(int64_t run, int64_t line)
{
    char id[UUID_TEXT];
    struct event_run about = {.tenant = "acme",
                              .run_id = run_id(run, id),
                              .batch_id = "bench",
                              .created_ms = b.created_ms};
    struct event e = event_of(id, line);
    struct err err = ERR_INIT;

    must(event_write(&about, &e, &b.record, &err), &err);
    produce(b.topics.name[TOPIC_EVENTS], id, buf_str(&b.record.value), b.record.headers,
            b.record.n_headers);
}

/* The row that the event becomes; numbers of time as Connect's logical types count. */
void produce_row(int64_t run, int64_t line)
{
    char id[UUID_TEXT];
    struct event e = event_of(run_id(run, id), line);

    buf_clear(&b.row);
    buf_addf(&b.row,
             "{\"run_id\":\"%s\",\"run_day\":%" PRId64 ",\"sequence\":%" PRId64
             ",\"attempt\":1,\"epoch\":1,\"line\":%" PRId64 ",\"log_offset\":%" PRId64
             ",\"type\":\"%s\",\"time\":%" PRId64 ",\"tenant\":\"acme\",\"tool\":%s,"
             "\"model\":\"claude-sonnet-4-5\",\"input_tokens\":%" PRId64
             ",\"output_tokens\":%" PRId64 ",\"cost_usd\":null,\"data\":",
             id, b.created_ms / 86400000, line, line, e.offset, event_type_name(e.type), e.time_ms,
             e.tool.n ? "\"Bash\"" : "null", e.input_tokens, e.output_tokens);
    json_put_string(&b.row, e.data);
    buf_addc(&b.row, '}');
    produce(bench.rows, id, buf_str(&b.row), NULL, 0);
}

void produce_request(int64_t run)
{
    char id[UUID_TEXT], json[512];

    snprintf(json, sizeof(json),
             "{\"v\":1,\"run_id\":\"%s\",\"tenant\":\"acme\",\"batch_id\":\"bench\","
             "\"created_at\":\"2026-11-21T00:00:00Z\",\"prompt\":\"make the tests pass\"}",
             run_id(run, id));
    produce(b.topics.name[TOPIC_BATCH], id, str_of(json), NULL, 0);
}

void events_open(void)
{
    struct err err = ERR_INIT;
    const struct kafka_conf conf = {.brokers = bench.brokers, .client_id = "bench"};
    const struct producer_opts how = {.linger_ms = PUBLISH_LINGER_MS};

    event_record_init(&b.record);
    b.row = b.data = BUF_INIT(1 << 20);
    b.created_ms = clock_us(CLOCK_REALTIME) / 86400000000 * 86400000;
    make_text();
    must(topics_load(bench.prefix, &b.topics, &err), &err);
    must(producer_new(bench.loop, &conf, &how, &b.producer, &err), &err);
}

void events_flush(void)
{
    if (producer_flush(b.producer, FLUSH_MS) && b.failed == 0)
        return;
    fprintf(stderr, "bench.sink: %" PRId64 " records were refused, or Kafka is gone\n", b.failed);
    exit(1);
}

void events_close(void)
{
    producer_free(b.producer);
    topics_release(&b.topics);
    event_record_release(&b.record);
    buf_release(&b.row);
    buf_release(&b.data);
    free(b.text);
}
