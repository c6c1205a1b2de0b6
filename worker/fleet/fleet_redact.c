/* SPDX-License-Identifier: Apache-2.0 */
/* What is cut out of all that agents print: patterns, and what this worker itself knows. */
#include <errno.h>
#include <stdio.h>

#include "worker/fleet/fleet_internal.h"
#include "common/banned.h"

enum { PATTERNS_MAX_BYTES = 64 * 1024 };

static enum err_code read_all(FILE *in, struct buf *out, struct err *err)
{
    char piece[4096];
    size_t n;

    while ((n = fread(piece, 1, sizeof(piece), in)) > 0)
        buf_add(out, piece, n);
    if (ferror(in))
        return err_errno(err, errno, "cannot read it");
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "over %d bytes", PATTERNS_MAX_BYTES);
}

static enum err_code add_patterns(struct redactor *r, const char *path, struct err *err)
{
    AUTO_BUF text = BUF_INIT(PATTERNS_MAX_BYTES);
    FILE *in = fopen(path, "re");

    if (!in)
        return err_errno(err, errno, "cannot open '%s'", path);
    enum err_code rc = read_all(in, &text, err);
    (void)fclose(in);
    if (rc == ERR_OK)
        rc = redactor_add_patterns(r, buf_str(&text), err);
    return rc == ERR_OK ? rc : err_wrap(err, "'%s'", path);
}

enum err_code fleet_open_redactor(struct fleet *f, struct err *err)
{
    const struct settings *s = f->set;
    const struct secret *const own[] = {s->e2b_api_key, s->store_key, s->s3_key, s->s3_token};
    enum err_code rc = redactor_new(&f->redactor, err);

    if (rc == ERR_OK && s->redact_patterns)
        rc = add_patterns(f->redactor, s->redact_patterns, err);
    for (size_t i = 0; rc == ERR_OK && i < COUNTOF(own); i++)
        rc = redactor_know(f->redactor, secret_value(own[i]), err);
    return rc;
}
