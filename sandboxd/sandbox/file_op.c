/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/file_op.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandboxd/sandbox/file_do.h"

#include "common/banned.h"

/* --- the encoding ---------------------------------------------------------------- */

static bool write_all(int fd, const void *p, size_t n)
{
    return n == 0 || write(fd, p, n) == (ssize_t)n; /* memory takes it whole or fails */
}

enum err_code file_op_fd(const struct file_op *op, struct str strings, int *out, struct err *err)
{
    if (sizeof(*op) + strings.n > FILE_OP_BYTES_MAX || op->strings > FILE_OP_STRINGS_MAX)
        return err_set(err, ERR_TOO_BIG, "a file operation is over %d bytes or %d names",
                       FILE_OP_BYTES_MAX, FILE_OP_STRINGS_MAX);
    int fd = memfd_create("file-operation", MFD_CLOEXEC);
    if (fd < 0)
        return err_errno(err, errno, "cannot make a memory file");
    if (!write_all(fd, op, sizeof(*op)) || !write_all(fd, strings.p, strings.n)) {
        (void)close(fd);
        return err_set(err, ERR_IO, "cannot write a file operation to a memory file");
    }
    *out = fd;
    return ERR_OK;
}

enum err_code file_op_parse(struct str bytes, struct file_op *op,
                            const char *s[FILE_OP_STRINGS_MAX], struct err *err)
{
    if (bytes.n < sizeof(*op))
        return err_set(err, ERR_INVALID, "a file operation is cut short");
    memcpy(op, bytes.p, sizeof(*op));
    bytes = (struct str){bytes.p + sizeof(*op), bytes.n - sizeof(*op)};
    if (op->kind >= FILE_OP_KINDS || op->strings > FILE_OP_STRINGS_MAX)
        return err_set(err, ERR_INVALID, "unknown file operation %u with %u names", op->kind,
                       op->strings);
    for (uint32_t i = 0; i < op->strings; i++) {
        const char *end = bytes.n > 0 ? memchr(bytes.p, '\0', bytes.n) : NULL;

        if (end == NULL)
            return err_set(err, ERR_INVALID, "name %u of a file operation has no end", i);
        s[i] = bytes.p;
        bytes.n -= (size_t)(end - bytes.p) + 1;
        bytes.p = end + 1;
    }
    if (bytes.n > 0)
        return err_set(err, ERR_INVALID, "%zu bytes behind a file operation", bytes.n);
    return ERR_OK;
}

/* --- doing it ----------------------------------------------------------------------- */

static const struct {
    uint32_t strings_min;
    int (*run)(const struct file_job *j, int *answer);
} kinds[FILE_OP_KINDS] = {
    [FILE_OP_READ] = {1, file_do_read},       [FILE_OP_WRITE] = {1, file_do_write},
    [FILE_OP_DISCARD] = {1, file_do_discard}, [FILE_OP_STAT] = {1, file_do_stat},
    [FILE_OP_MAKE_DIR] = {1, file_do_mkdir},  [FILE_OP_MOVE] = {2, file_do_move},
    [FILE_OP_LIST] = {1, file_do_list},       [FILE_OP_REMOVE] = {1, file_do_remove},
    [FILE_OP_COMPOSE] = {2, file_do_compose}, [FILE_OP_WATCH] = {1, file_do_watch},
};

static int run_bytes(struct str bytes, int *answer)
{
    static const char *s[FILE_OP_STRINGS_MAX]; /* this process does one operation */
    struct file_job job = {.s = s};

    if (file_op_parse(bytes, &job.op, s, NULL) != ERR_OK ||
        job.op.strings < kinds[job.op.kind].strings_min)
        return EINVAL;
    return kinds[job.op.kind].run(&job, answer);
}

int file_op_run(int request_fd, int *answer)
{
    struct stat st;

    *answer = -1;
    if (fstat(request_fd, &st) != 0 || st.st_size <= 0 || st.st_size > FILE_OP_BYTES_MAX)
        return EINVAL;
    size_t n = (size_t)st.st_size;
    void *map = mmap(NULL, n, PROT_READ, MAP_PRIVATE, request_fd, 0);
    if (map == MAP_FAILED)
        return errno;
    (void)umask(022);
    int errnum = run_bytes((struct str){map, n}, answer);
    (void)munmap(map, n);
    return errnum;
}
