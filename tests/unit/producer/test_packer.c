/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: each line of a checked file is in one parcel, once; a parcel has one partition's records
 * and each partition's come in the file's order; what cannot be read is told behind all before it.
 * Proof: files as rows, packed to the end while parcels are kept, or given back at once. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "producer/batch/packer.h"
#include "tests/lib/table.h"

enum { LINES_MAX = 5000, PARTITIONS_MAX = 200 };

struct row {
    const char *name;
    int lines, partitions;
    size_t bytes; /* of a prompt */
    const char *session;
    bool give_back;
};

static struct row rows[] = {
    {"no line", 0, 24, 10, .give_back = true},
    {"one line", 1, 24, 10, .give_back = true},
    {"one partition", 1000, 1, 300, .give_back = true},
    {"many lines", 5000, 24, 300, .give_back = true},
    {"many lines, all kept", 5000, 24, 300, .give_back = false},
    {"fewer lines than partitions", 5, 24, 300, .give_back = false},
    {"more partitions than parcels are open", 5000, 200, 30, .give_back = true},
    {"long prompts", 40, 3, 30000, .give_back = true},
    {"one session", 200, 24, 30, .session = "s", .give_back = true},
};

struct desk { /* what a test works with */
    char path[40];
    struct client flags;
    struct batch_file *file;
    struct packer *packer;
    int64_t last[PARTITIONS_MAX]; /* line of each partition */
    bool seen[LINES_MAX + 1];
    int64_t n;
};

static void write_lines(const char *path, int from, int to, size_t bytes)
{
    FILE *f = fopen(path, "a");

    assert_non_null(f);
    for (int i = from; i <= to; i++)
        assert_true(
            fprintf(f, "{\"custom_id\":\"item-%d\",\"prompt\":\"%0*d\"}\n", i, (int)bytes, i) > 0);
    assert_int_equal(fclose(f), 0);
}

static void nothing_is_bad(void *ctx, const struct batch_problem *p)
{
    (void)ctx;
    fail_msg("line %d: %s", (int)p->line, p->why.msg);
}

static void open_desk(struct desk *d, const struct row *row)
{
    static const struct batch_check_events ev = {.bad = nothing_is_bad};
    struct batch_opts opts = {.flags = &d->flags, .batch = "b1"};
    struct batch_counts counts;
    struct err err = ERR_INIT;

    (void)snprintf(d->path, sizeof d->path, "/tmp/sandfleet-packer-XXXXXX");
    int fd = mkstemp(d->path);
    assert_true(fd >= 0);
    close(fd);
    write_lines(d->path, 1, row->lines, row->bytes);
    d->flags = (struct client){.priority = -1, .session = (char *)(uintptr_t)row->session};
    opts.path = d->path;
    if (batch_file_open(&opts, &d->file, &err) != ERR_OK ||
        batch_file_check(d->file, &ev, NULL, &counts, &err) != ERR_OK ||
        packer_new(d->file, row->partitions, &d->packer, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(counts.good, row->lines);
}

static void close_desk(struct desk *d)
{
    packer_free(d->packer);
    batch_file_close(d->file);
    unlink(d->path);
}

/* One item: it is what its line says, and behind the one before of its partition. */
static int32_t judge_item(struct desk *d, const struct row *row, const struct parcel *p,
                          const struct parcel_item *item)
{
    struct str key = parcel_text(p, item->key), value = parcel_text(p, item->value);
    int32_t partition = kafka_partition(key, row->partitions);
    char custom_id[16];
    struct run_request r;
    struct err err = ERR_INIT;

    if (run_request_parse(value, &r, &err) != ERR_OK)
        fail_msg("line %d: %s", (int)item->line, err.msg);
    (void)snprintf(custom_id, sizeof custom_id, "item-%d", (int)item->line);
    assert_string_equal(r.custom_id, custom_id);
    assert_true(str_is(parcel_text(p, item->custom_id), custom_id));
    assert_string_equal(r.run_id, item->run_id);
    assert_true(str_is(key, row->session ? row->session : r.run_id));
    run_request_release(&r);
    assert_in_range(item->line, 1, row->lines);
    assert_false(d->seen[item->line]);
    d->seen[item->line] = true;
    assert_true(item->line > d->last[partition]);
    d->last[partition] = item->line;
    d->n++;
    return partition;
}

static void judge_parcel(struct desk *d, const struct row *row, const struct parcel *p)
{
    assert_in_range(p->n, 1, PARCEL_RECORDS);
    int32_t first = judge_item(d, row, p, &p->items[0]);
    for (size_t i = 1; i < p->n; i++)
        assert_int_equal(judge_item(d, row, p, &p->items[i]) % 64, first % 64);
}

static void packs(void **state)
{
    const struct row *row = *state;
    struct desk d = {0};
    struct parcel *p, *kept = NULL;
    struct err err = ERR_INIT;
    size_t made = 0;

    open_desk(&d, row);
    for (;;) {
        if (packer_take(d.packer, &p, &err) != ERR_OK)
            fail_msg("%s", err.msg);
        if (!p)
            break;
        judge_parcel(&d, row, p);
        made += !row->give_back || kept != p;
        if (row->give_back)
            packer_give_back(d.packer, kept = p);
        else
            parcel_free(p);
    }
    assert_int_equal(d.n, row->lines);
    if (row->partitions == 1) /* the one that came back was used again */
        assert_int_equal(made, 1);
    close_desk(&d);
}

static void a_changed_file_is_told_at_its_end(void **state)
{
    const struct row row = {.lines = 100, .partitions = 24, .bytes = 30};
    struct desk d = {0};
    struct parcel *p;
    struct err err = ERR_INIT;
    enum err_code rc;

    (void)state;
    open_desk(&d, &row);
    write_lines(d.path, 101, 102, 30);
    while ((rc = packer_take(d.packer, &p, &err)) == ERR_OK && p) {
        judge_parcel(&d, &row, p);
        packer_give_back(d.packer, p);
    }
    assert_int_equal(rc, ERR_CONFLICT);
    assert_int_equal(d.n, 100);
    assert_int_equal(packer_take(d.packer, &p, &err), ERR_CONFLICT); /* and stays so */
    close_desk(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_changed_file_is_told_at_its_end)};

    return TABLE_RUN("packer", rows, packs) +
           cmocka_run_group_tests_name("packer", tests, NULL, NULL);
}
