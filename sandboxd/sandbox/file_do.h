/* SPDX-License-Identifier: Apache-2.0 */
/* What file_op.c dispatches to. All of it runs inside a sandbox, in a process of
 * its own, and may block. Each returns 0 or an errno. */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_FILE_DO_H
#define SANDFLEET_SANDBOXD_SANDBOX_FILE_DO_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/buf.h"
#include "sandboxd/sandbox/file_op.h"

struct file_job {
    struct file_op op;
    const char *const *s; /* op.strings of them, at least as many as the kind needs */
};

int file_do_read(const struct file_job *j, int *answer);
int file_do_write(const struct file_job *j, int *answer);
int file_do_discard(const struct file_job *j, int *answer);
int file_do_stat(const struct file_job *j, int *answer);
int file_do_mkdir(const struct file_job *j, int *answer);
int file_do_move(const struct file_job *j, int *answer);
int file_do_list(const struct file_job *j, int *answer);
int file_do_remove(const struct file_job *j, int *answer);
int file_do_compose(const struct file_job *j, int *answer);
int file_do_watch(const struct file_job *j, int *answer);

/* Shared by them. */
enum { FILE_PATH_ROOM = 4096 };
int file_make_parents(const char *path);
/* "dir/name", or only name when dir is empty; no second slash behind "/". False: too long. */
bool file_join(char out[FILE_PATH_ROOM], const char *dir, const char *name);
int file_answer(struct buf *text, int *answer); /* a memory file with the text */
int file_answer_entry(const char *path, int *answer);
int file_copy_bytes(int from, int to); /* from where both stand, to the end of `from` */
int file_copy_tree(const char *from, const char *to);
/* A new file beside `path`, open for writing; `name` is where it is. */
int file_temp(const char *path, mode_t mode, char name[FILE_PATH_ROOM], int *fd);

#endif
