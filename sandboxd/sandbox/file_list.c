/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/file_do.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sandboxd/sandbox/file_entry.h"

#include "common/banned.h"

enum { LIST_DEPTH_MAX = 512 };

struct walk {
    struct buf out; /* entries, comma-separated */
    uint32_t depth_max;
};

static int not_dots(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_entry(struct walk *w, const char *path, const char *shown)
{
    size_t before = w->out.len;

    if (before > 0)
        buf_addc(&w->out, ',');
    int errnum = file_entry_add(&w->out, path, shown);
    if (errnum == ENOENT && before <= w->out.len && w->out.rc == ERR_OK) { /* gone since */
        w->out.len = before;
        return 0;
    }
    return w->out.rc == ERR_TOO_BIG ? E2BIG : errnum;
}

static int walk(struct walk *w, const char *path, const char *shown, uint32_t depth);

static int walk_entry(struct walk *w, const char *path, const char *shown, uint32_t depth)
{
    struct stat st;
    int errnum = add_entry(w, path, shown);

    if (errnum != 0 || depth >= w->depth_max || depth >= LIST_DEPTH_MAX || lstat(path, &st) != 0 ||
        !S_ISDIR(st.st_mode))
        return errnum;
    errnum = walk(w, path, shown, depth + 1);
    return errnum == ENOENT ? 0 : errnum;
}

/* `path` is what it is, `shown` what the client called it. */
static int walk(struct walk *w, const char *path, const char *shown, uint32_t depth)
{
    struct dirent **names = NULL;
    char real[FILE_PATH_ROOM], told[FILE_PATH_ROOM];
    int n = scandir(path, &names, not_dots, by_bytes), errnum = n < 0 ? errno : 0;

    for (int i = 0; i < n; i++) {
        if (errnum == 0 &&
            (!file_join(real, path, names[i]->d_name) || !file_join(told, shown, names[i]->d_name)))
            errnum = ENAMETOOLONG;
        if (errnum == 0)
            errnum = walk_entry(w, real, told, depth);
        free(names[i]);
    }
    free(names);
    return errnum;
}

/* A path as the client wrote it, without what slashes at its end would double. */
static int trimmed(const char *path, char out[FILE_PATH_ROOM])
{
    size_t n = strlen(path);

    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n >= FILE_PATH_ROOM)
        return ENAMETOOLONG;
    memcpy(out, path, n);
    out[n] = '\0';
    return 0;
}

int file_do_list(const struct file_job *j, int *answer)
{
    struct walk w = {.out = BUF_INIT(FILE_OP_ANSWER_MAX - 2),
                     .depth_max = j->op.depth > 0 ? j->op.depth : 1};
    AUTO_BUF text = BUF_INIT(FILE_OP_ANSWER_MAX);
    char shown[FILE_PATH_ROOM], real[FILE_PATH_ROOM];
    struct stat st;

    if (realpath(j->s[0], real) == NULL || stat(real, &st) != 0)
        return errno;
    if (!S_ISDIR(st.st_mode))
        return ENOTDIR;
    int errnum = trimmed(j->s[0], shown);
    if (errnum == 0)
        errnum = walk(&w, real, shown, 1);
    buf_addc(&text, '[');
    buf_addstr(&text, buf_str(&w.out));
    buf_addc(&text, ']');
    buf_release(&w.out);
    return errnum != 0 ? errnum : file_answer(&text, answer);
}
