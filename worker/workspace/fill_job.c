/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/workspace/fill_job.h"

#include <inttypes.h>

#include "common/base64.h"
#include "worker/workspace/tar_check.h"
#include "worker/workspace/tar_write.h"
#include "common/banned.h"

extern const char fill_sh[];
extern const size_t fill_sh_len;

/* "name value": a value's backslash and newline become two characters each. */
static void put(struct buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_addf(out, "%s ", name);
    for (const char *p = value; *p; p++) {
        if (*p == '\\')
            buf_adds(out, "\\\\");
        else if (*p == '\n')
            buf_adds(out, "\\n");
        else
            buf_addc(out, *p);
    }
    buf_addc(out, '\n');
}

void fill_job_write(const struct run_request *r, const struct fill_names *names, struct buf *out)
{
    struct run_archive archive;
    struct run_repo repo;

    buf_add(out, fill_sh, fill_sh_len);
    buf_addf(out, "limit %" PRId64 "\n", names->limit_s);
    put(out, "work", r->working_dir);
    if (run_repo_of(r, &repo)) {
        put(out, "protocols", names->local_protocols ? "https:http:file" : "https:http");
        put(out, "repo", repo.url);
        put(out, "ref", repo.ref);
        buf_addf(out, "depth %" PRId64 "\n", repo.depth);
        put(out, "subdir", repo.subdir);
    }
    if (names->archive && run_archive_of(r, &archive)) {
        put(out, "archive", names->archive);
        buf_addf(out, "strip %" PRId64 "\n", archive.strip);
    }
    put(out, "files", names->files);
}

static enum err_code put_file(const struct run_file *file, struct buf *tar, struct err *err)
{
    AUTO_BUF bytes = BUF_INIT(RUN_FILE_MAX_BYTES);
    enum err_code rc = ERR_OK;

    if (file->base64)
        rc = base64_decode(str_of(file->base64), &bytes, err);
    if (rc == ERR_OK)
        tar_put(tar, str_of(file->path), file->mode,
                file->base64 ? buf_str(&bytes) : str_of(file->text));
    return rc;
}

/* As any other tar: whatever does not fit together is found by the same hand. */
static enum err_code check(struct str tar, struct err *err)
{
    struct tar_check *t = tar_check_new(0);
    enum err_code rc = t ? tar_check_feed(t, tar, err) : err_set(err, ERR_NOMEM, "files");

    tar_check_free(t);
    return rc;
}

enum err_code fill_job_files(const struct run_request *r, struct buf *tar, struct err *err)
{
    const cJSON *entry;

    cJSON_ArrayForEach(entry, r->files)
    {
        struct run_file file;
        enum err_code rc;

        run_file_of(entry, &file);
        rc = put_file(&file, tar, err);
        if (rc != ERR_OK)
            return rc;
    }
    tar_put_end(tar);
    return tar->rc == ERR_OK ? check(buf_str(tar), err) : err_set(err, tar->rc, "files");
}
