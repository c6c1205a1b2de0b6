/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the renderer among themselves. */
#ifndef SANDFLEET_PRODUCER_SHOW_RENDER_INTERNAL_H
#define SANDFLEET_PRODUCER_SHOW_RENDER_INTERNAL_H

#include "common/json/json.h"
#include "producer/show/render.h"

enum paint {
    PAINT_PLAIN,
    PAINT_DIM,
    PAINT_BOLD,
    PAINT_RED,
    PAINT_GREEN,
    PAINT_CYAN,
    PAINT_RED_BOLD,
    PAINT_GREEN_BOLD
};

/* An event that is being told; out is where. */
struct telling {
    struct render *r;
    const struct event_view *v;
    const cJSON *data, *native; /* native NULL: none */
    struct buf *out;
    int depth; /* of the sub-agent that speaks */
};

/* How a text is put: its marks, its colours, how much of it. */
struct para {
    int indent;       /* spaces before the mark */
    const char *mark; /* before the first row; as many spaces before the others */
    enum paint mark_paint;
    const char *lead; /* goes before the text, in the mark's colour; NULL: none */
    enum paint paint;
    bool each;    /* the mark stands before every row */
    bool cut;     /* lines are cut at the width, not wrapped */
    int64_t fold; /* so many rows, and how many more there are; 0: all */
};

const char *render_glyph(const struct render *r, const char *unicode, const char *ascii);
void render_paint(const struct render *r, struct buf *out, enum paint paint);
void render_para(const struct telling *t, const struct para *p, struct str text);
/* A blank line where one kind of thing ends; never two. */
void render_gap(const struct telling *t, enum render_kind kind);

/* "· what the fleet did" */
void render_note(const struct telling *t, const char *fmt, ...) PRINTF(2, 3);
void render_complaint(const struct telling *t, const char *fmt, ...) PRINTF(2, 3);

const char *render_word(const cJSON *data, const char *key, const char *otherwise);
enum event_type render_line_type(const cJSON *native); /* NULL: no JSON */
int64_t render_int(const cJSON *data, const char *key);
/* "12,345"; "$0.0123"; "12.3 KiB" */
enum { RENDER_NUMBER = 32 };
char *render_count(int64_t n, char out[RENDER_NUMBER]);
char *render_cost(double usd, char out[RENDER_NUMBER]);
char *render_bytes(int64_t n, char out[RENDER_NUMBER]);

typedef void render_fn(const struct telling *t);
render_fn render_held, render_retrying, render_resumed, render_warning, render_heartbeat,
    render_cancelling, render_end, render_starting, render_started, render_credential,
    render_sandbox, render_artifact; /* render_fleet.c */
render_fn render_init, render_message, render_limit, render_line, render_stderr, render_result,
    render_other;                         /* render_agent.c */
render_fn render_system, render_progress; /* render_system.c */
render_fn render_delta;                   /* render_partial.c */

/* --- tool calls: render_tool.c ------------------------------------------------- */
struct render_call *render_call_find(struct render *r, const char *id); /* NULL: forgotten */
int render_depth(struct render *r, const char *parent);                 /* 0: the main agent */
void render_tool_use(const struct telling *t, const cJSON *block);
void render_tool_result(const struct telling *t, const cJSON *block);
void render_speaker(const struct telling *t); /* says which sub-agent is speaking now */

/* --- a live terminal's end: render_partial.c ----------------------------------- */
void render_copy(char *to, size_t room, const char *from);
/* A whole message came: what was provisional of it is not needed any more. */
void render_partial_end(struct render *r, const char *message);
void render_draw(struct render *r, struct buf *out);

#endif
