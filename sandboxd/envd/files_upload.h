/* SPDX-License-Identifier: Apache-2.0 */
/* The files that one POST /files writes, between files_upload.c (what the body is)
 * and files_write.c (where it goes). */
#ifndef SANDFLEET_SANDBOXD_ENVD_FILES_UPLOAD_H
#define SANDFLEET_SANDBOXD_ENVD_FILES_UPLOAD_H

#include "sandboxd/envd/files_call.h"
#include "sandboxd/envd/files_form.h"
#include "sandboxd/envd/files_metadata.h"
#include "common/gzip.h"

enum {
    UPLOAD_PIECE_BYTES = 64 << 10, /* unpacked at a time */
    UPLOAD_WAIT_MAX = 256 << 10,   /* of the body while a file is being opened */
    UPLOAD_ANSWER_MAX = 8 << 20    /* what bounds the number of files */
};

struct upload {
    struct request *r;
    struct file_call call; /* owner: the upload */
    struct metadata metadata;
    struct buf told; /* the answer so far, without brackets */
    struct buf done; /* paths of whole files, each with its NUL */
    char path[PATH_MAX_BYTES];
    int fd;       /* of the file that is being written; -1: none */
    bool opening; /* it will be */

    struct form form;  /* when is_form */
    struct gzip *gzip; /* NULL: the body is as it is */
    bool is_form, skipping, last;
    bool has_path;    /* by the query: u->path is not a part's */
    struct str in;    /* of the body, not yet looked at */
    struct buf wait;  /* where `in` is kept while a file is being opened */
    struct str plain; /* the same, unpacked */
    char room[UPLOAD_PIECE_BYTES];
};

/* Opens u->path; u->opening until upload_pump() is called. */
void upload_open(struct upload *u, struct sandbox *sb);
void upload_write(struct upload *u, struct str bytes);
void upload_close(struct upload *u);   /* the file is whole */
void upload_discard(struct upload *u); /* a file that is not whole is taken away */
void upload_answer(struct upload *u);

void upload_pump(struct upload *u); /* goes on where it stopped */

#endif
