/* SPDX-License-Identifier: Apache-2.0 */
/* The Connect protocol's envelopes, as a streaming body carries them: one flag byte,
 * four bytes of length (big endian), a JSON message; and the messages of a process
 * stream. Everything read has a ceiling. Pure. */
#ifndef SANDFLEET_WORKER_E2B_CONNECT_RPC_H
#define SANDFLEET_WORKER_E2B_CONNECT_RPC_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/err.h"

enum { CONNECT_FRAME_MAX_BYTES = 4 << 20 };
enum { CONNECT_COMPRESSED = 0x01, CONNECT_END = 0x02 };

void connect_frame_put(struct buf *out, unsigned flags, struct str message);

struct connect_frame {
    unsigned flags;
    struct str message; /* borrowed: from the piece or the reader, until the next call */
};

struct connect_reader { /* CONNECT_READER_INIT to start, connect_reader_release to end */
    uint8_t head[5];
    size_t have; /* bytes of head */
    struct buf body;
    bool given, ended;
};
#define CONNECT_READER_INIT ((struct connect_reader){.body = BUF_INIT(CONNECT_FRAME_MAX_BYTES)})

enum connect_step { CONNECT_MORE, CONNECT_FRAME, CONNECT_BROKEN };

/* Takes from *piece. CONNECT_FRAME: *out is a whole frame and more may be in *piece;
 * CONNECT_MORE: *piece is used up. CONNECT_BROKEN fills err: a frame over
 * CONNECT_FRAME_MAX_BYTES (refused before anything is allocated), compressed (we never
 * ask for it), with unknown flags, or behind the end frame. */
enum connect_step connect_next(struct connect_reader *r, struct str *piece,
                               struct connect_frame *out, struct err *err) MUST_USE;
void connect_reader_release(struct connect_reader *r);

/* --- what a process stream says ------------------------------------------- */
enum process_kind {
    PROCESS_OTHER, /* a kind we do not know: passed over */
    PROCESS_START,
    PROCESS_STDOUT,
    PROCESS_STDERR,
    PROCESS_PTY,
    PROCESS_KEEPALIVE,
    PROCESS_END
};

struct process_event {
    enum process_kind kind;
    int64_t pid;       /* START */
    int64_t exit_code; /* END; -1: ended by a signal */
    struct str
        base64; /* STDOUT, STDERR, PTY: with no quotes; may be empty, may turn out to be none */
};

/* A data frame's message. ERR_PROTOCOL when it is no JSON object. */
enum err_code process_event_parse(struct str message, struct process_event *out,
                                  struct err *err) MUST_USE;

/* An end frame's message: *failed tells whether it carries an error; then code and
 * text (cut to their room). ERR_PROTOCOL when it is no JSON object. */
struct connect_failure {
    bool failed;
    char code[32], text[160];
};
enum err_code connect_end_parse(struct str message, struct connect_failure *out,
                                struct err *err) MUST_USE;

#endif
