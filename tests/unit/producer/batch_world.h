/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of batch files: one that is written, opened, checked, and read again by the
 * workers' own parser. */
#ifndef SANDFLEET_TESTS_BATCH_WORLD_H
#define SANDFLEET_TESTS_BATCH_WORLD_H

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "producer/batch/batch_file.h"
#include "tests/lib/table.h"

struct seen_bad {
    int64_t n, line, column;
    char why[512];
};

static inline void on_bad(void *ctx, const struct batch_problem *p)
{
    struct seen_bad *s = ctx;

    if (s->n++ > 0)
        return;
    s->line = p->line;
    s->column = p->column;
    snprintf(s->why, sizeof s->why, "%s %s", p->pointer, p->why.msg);
}

static const struct batch_check_events events = {.bad = on_bad};

static inline void write_file(const char *text, size_t n, char path[])
{
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, n), n);
    close(fd);
}

static struct client flags = {.priority = -1};

static inline struct batch_file *open_with(struct batch_opts opts, const char *text, size_t n,
                                           const char *template)
{
    char path[] = "/tmp/sandfleet-batch-XXXXXX", template_path[] = "/tmp/sandfleet-tmpl-XXXXXX";
    struct batch_file *f = NULL;
    struct err err = ERR_INIT;

    write_file(text, n, path);
    opts.path = path;
    if (!opts.flags)
        opts.flags = &flags;
    if (template) {
        write_file(template, strlen(template), template_path);
        opts.template_path = template_path;
    }
    if (batch_file_open(&opts, &f, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    unlink(path);
    if (template)
        unlink(template_path);
    return f;
}

static inline struct batch_counts check_file(struct batch_file *f, struct seen_bad *bad)
{
    struct batch_counts counts;
    struct err err = ERR_INIT;

    if (batch_file_check(f, &events, bad, &counts, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    return counts;
}

/* The next record, as a worker reads it. False: the end. */
static inline bool next(struct batch_file *f, struct run_request *r, struct made *made)
{
    struct err err = ERR_INIT;
    AUTO_BUF value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    int64_t line;

    if (batch_file_next(f, &value, made, &line, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    if (line == 0)
        return false;
    if (run_request_parse(buf_str(&value), r, &err) != ERR_OK)
        fail_msg("line %d: %s", (int)line, err.msg);
    assert_string_equal(r->run_id, made->run_id);
    assert_true(str_is(made->custom_id, r->custom_id));
    if (run_request_check_key(r, made->key, &err) != ERR_OK)
        fail_msg("%s", err.msg);
    return true;
}

#endif
