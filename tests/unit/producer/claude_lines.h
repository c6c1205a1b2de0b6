/* SPDX-License-Identifier: Apache-2.0 */
/* The captured runs of the real CLI (tests/fixtures/claude) as the events that a worker makes of
 * them: a start, a line each, an end. */
#ifndef SANDFLEET_TESTS_CLAUDE_LINES_H
#define SANDFLEET_TESTS_CLAUDE_LINES_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/gzip.h"
#include "common/json/json.h"
#include "producer/show/render_internal.h"

enum { CLAUDE_FILES = 64, CLAUDE_FILE_MAX = 16 << 20 };

struct claude_files {
    char *names[CLAUDE_FILES];
    int n;
};

static inline int claude_by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static inline void claude_list(struct claude_files *f)
{
    DIR *dir = opendir(SF_SOURCE_DIR "/tests/fixtures/claude");
    const struct dirent *e;

    assert_non_null(dir);
    while ((e = readdir(dir)))
        if (strstr(e->d_name, ".ndjson") && f->n < CLAUDE_FILES)
            f->names[f->n++] = strdup(e->d_name);
    closedir(dir);
    qsort(f->names, (size_t)f->n, sizeof(f->names[0]), claude_by_name);
}

static inline void claude_list_release(struct claude_files *f)
{
    while (f->n > 0)
        free(f->names[--f->n]);
}

static inline void read_whole(const char *path, struct buf *out)
{
    FILE *in = fopen(path, "rb");
    char piece[65536];
    size_t n;

    assert_non_null(in);
    while ((n = fread(piece, 1, sizeof(piece), in)) > 0)
        buf_add(out, piece, n);
    fclose(in);
    assert_int_equal(out->rc, ERR_OK);
}

static inline void claude_read(const char *name, struct buf *out)
{
    AUTO_BUF raw = BUF_INIT(CLAUDE_FILE_MAX);
    struct err err = ERR_INIT;
    char path[512];

    snprintf(path, sizeof(path), "%s/tests/fixtures/claude/%s", SF_SOURCE_DIR, name);
    read_whole(path, &raw);
    if (strstr(name, ".gz"))
        assert_int_equal(gzip_unpack(buf_str(&raw), out, &err), ERR_OK);
    else
        buf_addstr(out, buf_str(&raw));
}

typedef void claude_event_fn(void *ctx, const struct event_view *v);

static inline void claude_say(claude_event_fn *fn, void *ctx, enum event_type type, struct str data)
{
    struct event_view v = {.event = {.type = type, .attempt = 1, .data = data},
                           .known_type = true,
                           .type_text = str_of(event_type_name(type))};

    fn(ctx, &v);
}

static inline void claude_line(claude_event_fn *fn, void *ctx, struct str line)
{
    AUTO_JSON *native = NULL;
    AUTO_BUF data = BUF_INIT(CLAUDE_FILE_MAX);
    struct err err = ERR_INIT;

    if (json_parse(line, 0, &native, &err) != ERR_OK)
        native = NULL;
    buf_addc(&data, '{');
    if (native)
        json_kv_raw(&data, "native", line);
    else
        json_kv_str(&data, "text", line);
    buf_addc(&data, '}');
    claude_say(fn, ctx, render_line_type(native), buf_str(&data));
}

static inline void claude_play(const char *name, claude_event_fn *fn, void *ctx)
{
    AUTO_BUF text = BUF_INIT(CLAUDE_FILE_MAX);
    struct str rest, line;

    claude_read(name, &text);
    claude_say(fn, ctx, EVENT_ATTEMPT_STARTING, STR("{\"worker\":\"w1\"}"));
    rest = buf_str(&text);
    while (rest.n && str_next(&rest, '\n', &line))
        claude_line(fn, ctx, line);
    claude_say(fn, ctx, EVENT_RUN_COMPLETED,
               STR("{\"state\":\"completed\",\"outcome\":\"success\",\"attempts\":1,"
                   "\"duration_ms\":64000,\"cost_usd\":0.0123,\"input_tokens\":12345,"
                   "\"output_tokens\":678}"));
}

#endif
