/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/workspace/tar_write.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

enum { BLOCK = 512, NAME_MAX_BYTES = 100, SUM_AT = 148, TYPE_AT = 156 };

static void pad(struct buf *tar, size_t n)
{
    static const char zeros[BLOCK];

    buf_add(tar, zeros, (BLOCK - n % BLOCK) % BLOCK);
}

/* A number of `digits` octal digits and a NUL. */
static void octal(char *at, int digits, unsigned long n)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%0*lo", digits, n);
    memcpy(at, text, (size_t)digits + 1);
}

static void put_block(struct buf *tar, struct str name, unsigned mode, size_t size, char type)
{
    unsigned char h[BLOCK] = {0};
    unsigned long sum = 0;
    char *text = (char *)h;

    memcpy(h, name.p, name.n < NAME_MAX_BYTES ? name.n : NAME_MAX_BYTES);
    octal(text + 100, 7, mode);
    octal(text + 108, 7, 0);
    octal(text + 116, 7, 0);
    octal(text + 124, 11, size);
    octal(text + 136, 11, 0);
    memset(h + SUM_AT, ' ', 8);
    h[TYPE_AT] = (unsigned char)type;
    memcpy(h + 257, "ustar\00000", 8);
    for (size_t i = 0; i < BLOCK; i++)
        sum += h[i];
    octal(text + SUM_AT, 6, sum);
    buf_add(tar, h, BLOCK);
}

/* "<length of all of it> path=<path>\n" in a header of its own. */
static void put_long_name(struct buf *tar, struct str path)
{
    AUTO_BUF record = BUF_INIT(8192);
    size_t n = path.n + sizeof(" path=\n") - 1, digits = 1;

    for (size_t most = 10; n + digits >= most; most *= 10)
        digits++;
    buf_addf(&record, "%zu path=" STR_FMT "\n", n + digits, STR_ARG(path));
    if (record.rc != ERR_OK)
        tar->rc = record.rc;
    put_block(tar, STR("path"), 0644, record.len, 'x');
    buf_addstr(tar, buf_str(&record));
    pad(tar, record.len);
}

void tar_put(struct buf *tar, struct str path, unsigned mode, struct str bytes)
{
    if (path.n > NAME_MAX_BYTES)
        put_long_name(tar, path);
    put_block(tar, path, mode, bytes.n, '0');
    buf_addstr(tar, bytes);
    pad(tar, bytes.n);
}

void tar_put_end(struct buf *tar)
{
    static const char zeros[2 * BLOCK];

    buf_add(tar, zeros, sizeof(zeros));
}
