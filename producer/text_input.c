/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/text_input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* One byte more than is allowed at most. A terminal that said it is at its end would be asked again
 * without feof(). */
static enum err_code read_all(FILE *in, const char *name, const char *what, struct buf *out,
                              struct err *err)
{
    char chunk[16384];
    size_t n;

    while (out->rc == ERR_OK && !feof(in) && (n = fread(chunk, 1, sizeof(chunk), in)) > 0)
        buf_add(out, chunk, n);
    if (ferror(in))
        return err_set(err, ERR_NOT_FOUND, "cannot read '%s': %s", name, strerror(errno));
    if (out->rc == ERR_TOO_BIG)
        return err_set(err, ERR_TOO_BIG, "%s '%s' is over %zu bytes", what, name, out->max);
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "cannot read '%s'", name);
}

enum err_code text_input_file(const char *path, const char *what, struct buf *out, struct err *err)
{
    FILE *in = fopen(path, "re");
    enum err_code rc;

    if (!in)
        return err_set(err, ERR_NOT_FOUND, "cannot open '%s': %s", path, strerror(errno));
    rc = read_all(in, path, what, out, err);
    (void)fclose(in);
    return rc;
}

enum err_code text_input_stdin(const char *what, struct buf *out, struct err *err)
{
    return read_all(stdin, "standard input", what, out, err);
}
