/* SPDX-License-Identifier: Apache-2.0 */
/* What a person sees of a run: an event in, text out. Pure. Control characters of what the agent
 * printed never reach the terminal (term_text.h).
 *
 * On a live terminal a few rows at the end are provisional: the message that is being written, and
 * what is going on. They are taken back before anything else is printed; what stays on the screen
 * is what is printed elsewhere. */
#ifndef SANDFLEET_PRODUCER_SHOW_RENDER_H
#define SANDFLEET_PRODUCER_SHOW_RENDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "schema/event.h"

enum { RENDER_ID = 64, RENDER_CALLS = 64, RENDER_DOING = 160 };

enum render_kind { RENDER_NOTHING, RENDER_NOTE, RENDER_SAID, RENDER_CALL };

struct render_call { /* a tool call: of a sub-agent it is what its own lines are told by */
    char id[RENDER_ID], parent[RENDER_ID];
    char what[RENDER_DOING]; /* "Bash ls -la" */
    bool answered, agent;
};

struct render_partial { /* the block of a message that is being written */
    char message[RENDER_ID];
    int64_t block;
    bool thinking;
    struct buf text; /* its end */
};

struct render {
    bool colour, unicode;
    bool live;   /* provisional rows; else only what stays */
    bool full;   /* results and thoughts as a whole; else their first lines */
    int columns; /* 0: no end; nothing is wrapped, and little is cut */
    int rows;    /* of a live terminal */
    /* kept between events */
    int64_t lines;
    bool simulated; /* an init line said so */
    bool ended;
    enum event_type end;
    enum render_kind kind; /* of what was printed last */
    char last_call[RENDER_ID], speaker[RENDER_ID];
    struct render_call calls[RENDER_CALLS];
    unsigned next_call;
    int64_t inits;
    char held[RENDER_ID]; /* the reason that was told last */
    /* a live terminal's end */
    struct render_partial partial;
    char doing[RENDER_DOING]; /* "Bash ls -la" */
    int64_t since_ms, now_ms; /* of `doing`, and as render_tick() said */
    int drawn;                /* rows that will be taken back */
    bool dirty;
};

void render_release(struct render *r);

/* Appends the text of one event to out; nothing for events that a person need not see. */
void render_event(struct render *r, const struct event_view *v, struct buf *out);

/* The same of one line of Claude's own, as it printed it. */
void render_native(struct render *r, struct str line, struct buf *out);

/* For a live terminal: what goes on, and for how long. now_ms: of any clock. */
void render_doing(struct render *r, const char *what, int64_t now_ms);
void render_tick(struct render *r, int64_t now_ms, struct buf *out);

/* Takes back what is provisional: before other text, and at the end. */
void render_settle(struct render *r, struct buf *out);

#endif
