/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: how far it is fits into a line of the terminal; a pipe gets no bar.
 * Proof: texts as rows. */
#include "producer/show/meter.h"
#include "tests/lib/table.h"

static struct row {
    const char *name, *want;
    struct terminal terminal;
    int64_t done, total;
    double rate;
} rows[] = {
    {"pipe", "1,234 of 10,000 sent, 500/s, 18 s left", {.columns = 160}, 1234, 10000, 500},
    {"terminal",
     "[###########           ] 50 of 100 sent",
     {.interactive = true, .columns = 40},
     50,
     100,
     0},
    {"blocks",
     "[██████    ] 5 of 8 sent, 1/s, 3 s left",
     {.interactive = true, .unicode = true, .columns = 40},
     5,
     8,
     1},
    {"narrow",
     "999,999 of 1,000,000 sent, 12,345/s, 0 s left",
     {.interactive = true, .columns = 50},
     999999,
     1000000,
     12345.6},
    {"total unknown", "1,000 sent, 10/s", {.interactive = true, .columns = 80}, 1000, 0, 10},
    {"long", "0 of 1,000,000 sent, 1/s, 277 h left", {.columns = 80}, 0, 1000000, 1},
    {"minutes", "1 of 1,000 sent, 1/s, 16 min left", {.columns = 80}, 1, 1000, 1},
};

static void check(void **state)
{
    const struct row *row = *state;
    AUTO_BUF out = BUF_INIT(1024);

    meter_text(&row->terminal, "sent", row->done, row->total, row->rate, &out);
    assert_string_equal(out.p, row->want);
}

int main(void)
{
    return TABLE_RUN("meter", rows, check);
}
