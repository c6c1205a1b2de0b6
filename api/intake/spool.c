/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "common/banned.h"

static enum err_code to_file(struct spool *s, struct err *err)
{
    size_t done = 0;

    if (s->fd < 0)
        s->fd = open(s->folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0)
        return err_errno(err, errno, "cannot make a temporary file in '%s'", s->folder);
    while (done < s->memory.len) {
        ssize_t n = pwrite(s->fd, s->memory.p + done, s->memory.len - done, s->in_file);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return err_errno(err, n < 0 ? errno : ENOSPC, "cannot write a temporary file");
        done += (size_t)n;
        s->in_file += n;
    }
    buf_clear(&s->memory);
    return ERR_OK;
}

enum err_code spool_add(struct spool *s, struct str text, struct err *err)
{
    if (s->memory.len + text.n > s->memory.max && to_file(s, err) != ERR_OK)
        return err_set(err, ERR_IO, "%s", err->msg);
    buf_addstr(&s->memory, text);
    return s->memory.rc == ERR_OK ? ERR_OK : err_set(err, s->memory.rc, "a temporary file");
}

static enum err_code from_file(struct spool *s, size_t max, struct buf *out, struct err *err)
{
    char *room = buf_room(out, max);
    ssize_t n;

    if (!room)
        return err_set(err, out->rc, "a temporary file");
    do
        n = pread(s->fd, room, max, s->read_at);
    while (n < 0 && errno == EINTR);
    if (n <= 0)
        return err_errno(err, n < 0 ? errno : EIO, "cannot read a temporary file");
    buf_grew(out, (size_t)n);
    s->read_at += n;
    return ERR_OK;
}

enum err_code spool_read(struct spool *s, size_t max, struct buf *out, struct err *err)
{
    size_t n = s->memory.len < max ? s->memory.len : max;

    if (s->read_at < s->in_file)
        return from_file(
            s, (int64_t)max < s->in_file - s->read_at ? max : (size_t)(s->in_file - s->read_at),
            out, err);
    buf_add(out, s->memory.p, n);
    buf_drop(&s->memory, n);
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "an answer");
}

void spool_release(struct spool *s)
{
    buf_release(&s->memory);
    if (s->fd >= 0)
        (void)close(s->fd);
    s->fd = -1;
}
