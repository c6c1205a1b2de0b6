/* SPDX-License-Identifier: Apache-2.0 */
/* multipart/form-data, a piece at a time: no file of it is ever held in memory. Pure. */
#ifndef SANDFLEET_SANDBOXD_ENVD_FILES_FORM_H
#define SANDFLEET_SANDBOXD_ENVD_FILES_FORM_H

#include <stdbool.h>

#include "common/buf.h"
#include "common/err.h"

enum {
    FORM_BOUNDARY_MAX = 70,     /* RFC 2046 */
    FORM_HEADERS_MAX = 16 << 10 /* of one part */
};

struct form {
    char delimiter[FORM_BOUNDARY_MAX + 5]; /* "\r\n--boundary" */
    size_t n, matched;                     /* bytes of it that the input ended with */
    int state;
    struct buf headers;    /* of the part that begins */
    struct buf name, file; /* what its Content-Disposition says */
    bool has_file;
};

/* From a request's Content-Type. ERR_INVALID: none with a boundary. */
enum err_code form_init(struct form *f, const char *content_type, struct err *err) MUST_USE;
void form_release(struct form *f);

enum form_event {
    FORM_MORE, /* *in is used up */
    FORM_PART, /* f->name, f->file, f->has_file are of the part that begins */
    FORM_DATA, /* *data is more of it, borrowed until the next call */
    FORM_PART_END,
    FORM_END, /* of the whole form; what follows is ignored */
    FORM_BAD  /* no such form; f is of no more use */
};

/* Takes from *in up to the next event. */
enum form_event form_next(struct form *f, struct str *in, struct str *data);
bool form_done(const struct form *f); /* the form's end was seen */

#endif
