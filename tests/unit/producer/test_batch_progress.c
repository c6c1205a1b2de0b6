/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: who watches a batch sees how far it is, how fast it goes and when it will be done, and
 * no row is wider than the terminal. Proof: batches as rows, over time. */
#include <string.h>

#include "tests/lib/table.h"

#include "producer/show/batch_progress.h"
#include "producer/show/term_text.h"

static struct progress progress;

#define BATCH(runs, completed, failed, running, queued)                                            \
    "{\"batch_id\":\"nightly\",\"state\":\"in_progress\",\"runs\":" #runs ",\"cost_usd\":1.5,"     \
    "\"created_at\":\"2026-03-01T10:00:00.000Z\",\"counts\":{\"completed\":" #completed            \
    ",\"failed\":" #failed ",\"running\":" #running ",\"queued\":" #queued "}}"

static void take(const char *json, int64_t now_ms)
{
    struct err err = ERR_INIT;
    AUTO_JSON *doc = NULL;

    assert_int_equal(json_parse(str_of(json), 0, &doc, &err), ERR_OK);
    progress_take(&progress, doc, now_ms, 1772359260000);
}

static void take_runs(const char *json, bool failures)
{
    struct err err = ERR_INIT;
    AUTO_JSON *doc = NULL;

    assert_int_equal(json_parse(str_of(json), 0, &doc, &err), ERR_OK);
    progress_take_runs(&progress, doc, failures, 1772359260000);
}

static struct row {
    const char *name;
    const char *first, *second; /* ten seconds apart; second NULL: only one */
    const char *line;
    bool good;
} rows[] = {
    {"at its begin", BATCH(1000, 0, 0, 10, 990), NULL,
     "nightly in_progress: 0 of 1,000 done; 10 running, 990 queued; $1.5000 so far\n", true},
    {"under way", BATCH(1000, 100, 0, 10, 890), BATCH(1000, 140, 10, 10, 840),
     "nightly in_progress: 150 of 1,000 done; 140 completed, 10 failed, 10 running, 840 queued; "
     "5.0/s, $1.5000 so far, about $10.0000 in all, about 2m50s left\n",
     false},
    {"slowly", BATCH(10, 1, 0, 1, 8), BATCH(10, 2, 0, 1, 7),
     "nightly in_progress: 2 of 10 done; 2 completed, 1 running, 7 queued; 6.0/min, $1.5000 so "
     "far, about $7.5000 in all, about 1m20s left\n",
     true},
    {"standing still", BATCH(10, 2, 0, 1, 7), BATCH(10, 2, 0, 1, 7),
     "nightly in_progress: 2 of 10 done; 2 completed, 1 running, 7 queued; $1.5000 so far, about "
     "$7.5000 in all\n",
     true},
    {"done", BATCH(10, 10, 0, 0, 0), NULL,
     "nightly in_progress: 10 of 10 done; 10 completed; $1.5000 so far\n", true},
    {"ended",
     "{\"batch_id\":\"nightly\",\"state\":\"ended\",\"runs\":1,\"cost_usd\":1.5,\"counts\":{"
     "\"completed\":1}}",
     NULL, "nightly ended: 1 of 1 done; 1 completed; $1.5000\n", true},
    {"nothing in it", BATCH(0, 0, 0, 0, 0), NULL,
     "nightly in_progress: 0 of 0 done; $1.5000 so far\n", true},
};

static void check(void **state)
{
    const struct row *row = *state;
    AUTO_BUF out = BUF_INIT(65536);

    progress = (struct progress){.total = 0};
    take(row->first, 1000);
    if (row->second)
        take(row->second, 11000);
    progress_line(&progress, &out);
    assert_string_equal(out.p, row->line);
    assert_int_equal(progress_good(&progress), row->good);
}

static void the_rate_is_of_the_last_minute(void **state)
{
    (void)state;
    progress = (struct progress){.total = 0};
    take(BATCH(1000, 500, 0, 1, 499), 0);
    for (int i = 1; i <= 100; i++)
        take(BATCH(1000, 500, 0, 1, 499), 1000 * i);
    take(BATCH(1000, 560, 0, 1, 439), 101000);
    assert_int_equal((int)(progress_per_s(&progress) * 10 + 0.5), 10);
    assert_int_equal(progress_left_ms(&progress), 440000);
}

static struct picture_row {
    const char *name;
    struct terminal t;
    const char *want;
} picture_rows[] = {
    {"80 columns",
     {.columns = 80},
     "nightly  #####xxxxx=====....................................  20 %  200 of 1,000\n"
     "100 completed, 100 failed, 100 running, 700 queued\n"
     "$1.5000 so far, about $7.5000 in all\n"
     "longest  a 3m00s, b? 1m00s, d\n"
     "failed   c max_turns\n"},
    {"40 columns",
     {.columns = 40, .unicode = true},
     "nightly  ██▒░░░░░░░░  20 %  200 of 1,000\n"
     "100 completed, 100 failed, 100 running, \n"
     "$1.5000 so far, about $7.5000 in all\n"
     "longest  a 3m00s, b? 1m00s, d\n"
     "failed   c max_turns\n"},
};

static void check_picture(void **state)
{
    const struct picture_row *row = *state;
    AUTO_BUF out = BUF_INIT(65536);
    struct str rest, line;
    int rows_said, n = 0;

    progress = (struct progress){.total = 0};
    take(BATCH(1000, 100, 100, 100, 700), 1000);
    take_runs("{\"data\":[{\"custom_id\":\"a\",\"started_at\":\"2026-03-01T09:58:00.000Z\"},"
              "{\"custom_id\":\"b\\u001b\",\"started_at\":\"2026-03-01T10:00:00.000Z\"},"
              "{\"custom_id\":\"d\",\"started_at\":null}]}",
              false);
    take_runs("{\"data\":[{\"custom_id\":\"c\",\"outcome\":\"max_turns\"}]}", true);
    rows_said = progress_draw(&progress, &row->t, &out);
    assert_string_equal(out.p, row->want);
    rest = buf_str(&out);
    for (; rest.n && str_next(&rest, '\n', &line); n++)
        assert_in_range(term_text_width(line), 0, row->t.columns);
    assert_int_equal(n, rows_said);
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(the_rate_is_of_the_last_minute)};

    return TABLE_RUN("progress", rows, check) + TABLE_RUN("picture", picture_rows, check_picture) +
           cmocka_run_group_tests_name("rate", others, NULL, NULL);
}
