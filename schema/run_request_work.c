/* SPDX-License-Identifier: Apache-2.0 */
/* The members that fill and empty the working directory: files, archive, repo, artifacts. Whatever
 * is named there stays below it. */
#include "schema/run_request_fields.h"

#include <string.h>

#include "common/base64.h"
#include "common/path.h"
#include "common/banned.h"

enum { REF_MAX_BYTES = 200, SHA256_TEXT = 64, MODE_DEFAULT = 0644 };

#define LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define DIGITS  "0123456789"

/* --- members ------------------------------------------------------------------- */

/* An object that has no members but these; NULL ends them. */
static enum err_code check_members(const struct field *f, const cJSON *item,
                                   const char *const *names, struct err *err)
{
    const cJSON *member;

    if (!cJSON_IsObject(item))
        return run_field_refuse(f, err, "must be an object");
    cJSON_ArrayForEach(member, item)
    {
        const char *const *name = names;

        while (*name && strcmp(*name, member->string) != 0)
            name++;
        if (!*name)
            return run_field_refuse(f, err, "has an unknown member");
    }
    return ERR_OK;
}

/* Absent is fine, and leaves *out alone. */
static enum err_code read_whole(const struct field *f, const cJSON *item, const char *name,
                                int64_t most, struct err *err)
{
    int64_t n = 0;

    if (json_get(item, name) && (!json_get_int(item, name, &n) || n < 0 || n > most))
        return run_field_refuse(f, err, "%s must be a whole number in 0..%lld", name,
                                (long long)most);
    return ERR_OK;
}

static enum err_code keep(const struct field *f, const cJSON *item, struct run_request *r)
{
    *(const cJSON **)((char *)r + f->at) = item;
    return ERR_OK;
}

/* --- files --------------------------------------------------------------------- */

static bool mode_of(const char *text, unsigned *out)
{
    size_t n = strlen(text);

    if (n < 3 || n > 4 || strspn(text, "01234567") != n || (n == 4 && text[0] != '0'))
        return false;
    *out = 0;
    for (const char *p = text; *p; p++)
        *out = *out * 8 + (unsigned)(*p - '0');
    return true;
}

static enum err_code check_content(const struct field *f, const cJSON *file, int n, struct err *err)
{
    const char *text = json_get_string(file, "content");
    const char *base64 = json_get_string(file, "content_base64");
    AUTO_BUF bytes = BUF_INIT(RUN_FILE_MAX_BYTES);
    struct err why = ERR_INIT;

    if (!text == !base64 || (json_get(file, "content") && json_get(file, "content_base64")))
        return run_field_refuse(f, err, "entry %d must have content or content_base64, a string",
                                n);
    if (base64 && base64_decode(str_of(base64), &bytes, &why) == ERR_INVALID)
        return run_field_refuse(f, err, "entry %d: content_base64 is no base64", n);
    if (text ? strlen(text) > RUN_FILE_MAX_BYTES : bytes.rc != ERR_OK)
        return run_field_refuse(f, err, "entry %d has over %d bytes", n, RUN_FILE_MAX_BYTES);
    return ERR_OK;
}

static enum err_code check_file(const struct field *f, const cJSON *file, int n, struct err *err)
{
    static const char *const names[] = {"path", "content", "content_base64", "mode", NULL};
    const char *path = json_get_string(file, "path"), *mode = json_get_string(file, "mode");
    const char *fault = path ? path_fault(str_of(path)) : "is no string";
    unsigned bits;
    enum err_code rc = check_members(f, file, names, err);

    if (rc != ERR_OK)
        return rc;
    if (fault)
        return run_field_refuse(f, err, "entry %d: path %s", n, fault);
    if (json_get(file, "mode") && (!mode || !mode_of(mode, &bits)))
        return run_field_refuse(f, err, "entry %d: mode must be a string as \"0644\"", n);
    return check_content(f, file, n, err);
}

enum err_code run_files_read(const struct field *f, const cJSON *item, struct run_request *r,
                             struct err *err)
{
    const cJSON *file;
    int n = 0;

    if (!cJSON_IsArray(item) || cJSON_GetArraySize(item) < f->least ||
        cJSON_GetArraySize(item) > f->most)
        return run_field_refuse(f, err, "must be an array of %lld..%lld objects",
                                (long long)f->least, (long long)f->most);
    cJSON_ArrayForEach(file, item)
    {
        enum err_code rc = check_file(f, file, n++, err);

        if (rc != ERR_OK)
            return rc;
    }
    return keep(f, item, r);
}

void run_file_of(const cJSON *entry, struct run_file *out)
{
    const char *mode = json_get_string(entry, "mode");

    *out = (struct run_file){.path = json_get_string(entry, "path"),
                             .text = json_get_string(entry, "content"),
                             .base64 = json_get_string(entry, "content_base64"),
                             .mode = MODE_DEFAULT};
    if (mode)
        (void)mode_of(mode, &out->mode);
}

/* --- addresses ------------------------------------------------------------------ */

/* A secret never travels in a request, so neither does a password. */
static const char *url_fault(const char *url)
{
    static const char *const schemes[] = {"https://", "http://", "file:///"};
    struct str rest = str_of(url), host;
    size_t i = 0;

    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '\\')
            return "has a space, a control byte or a backslash";
    if (rest.n > RUN_URL_MAX_BYTES)
        return "has over 2048 bytes";
    while (i < COUNTOF(schemes) && !str_starts(rest, schemes[i]))
        i++;
    if (i == COUNTOF(schemes))
        return "must begin with https://, http:// or file:///";
    rest = (struct str){rest.p + strlen(schemes[i]), rest.n - strlen(schemes[i])};
    host = (struct str){rest.p, strcspn(rest.p, "/?#")};
    if (memchr(host.p, '@', host.n))
        return "must not have a user or a password";
    return host.n == 0 ? "names nothing" : NULL;
}

static enum err_code check_url(const struct field *f, const cJSON *item, struct err *err)
{
    const char *url = json_get_string(item, "url");
    const char *fault = url ? url_fault(url) : "must be a string";

    return fault ? run_field_refuse(f, err, "url %s", fault) : ERR_OK;
}

/* --- archive -------------------------------------------------------------------- */

enum err_code run_archive_read(const struct field *f, const cJSON *item, struct run_request *r,
                               struct err *err)
{
    static const char *const names[] = {"url", "sha256", "strip", NULL};
    const char *sum = json_get_string(item, "sha256");
    enum err_code rc = check_members(f, item, names, err);

    if (rc == ERR_OK)
        rc = check_url(f, item, err);
    if (rc == ERR_OK && json_get(item, "sha256") &&
        (!sum || strlen(sum) != SHA256_TEXT || strspn(sum, DIGITS "abcdef") != SHA256_TEXT))
        rc = run_field_refuse(f, err, "sha256 must have 64 digits of 0-9 a-f");
    if (rc == ERR_OK)
        rc = read_whole(f, item, "strip", RUN_STRIP_MAX, err);
    return rc == ERR_OK ? keep(f, item, r) : rc;
}

bool run_archive_of(const struct run_request *r, struct run_archive *out)
{
    if (!r->archive)
        return false;
    *out = (struct run_archive){.url = json_get_string(r->archive, "url"),
                                .sha256 = json_get_string(r->archive, "sha256")};
    (void)json_get_int(r->archive, "strip", &out->strip);
    return true;
}

/* --- repo ----------------------------------------------------------------------- */

/* A branch, a tag or a commit, as git's own rules allow it and a command line does. */
static bool ref_ok(struct str s)
{
    static const char also[] = "._/@+-";

    if (s.n == 0 || s.n > REF_MAX_BYTES || s.p[0] == '-' || s.p[0] == '/' || s.p[0] == '.')
        return false;
    if (memmem(s.p, s.n, "..", 2) || memmem(s.p, s.n, "//", 2) || memmem(s.p, s.n, "@{", 2))
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!s.p[i] || (!strchr(LETTERS DIGITS, s.p[i]) && !strchr(also, s.p[i])))
            return false;
    return true;
}

static enum err_code check_place(const struct field *f, const cJSON *item, struct err *err)
{
    const char *ref = json_get_string(item, "ref"), *subdir = json_get_string(item, "subdir");
    const char *fault = subdir ? path_fault(str_of(subdir)) : "is no string";

    if (json_get(item, "ref") && (!ref || !ref_ok(str_of(ref))))
        return run_field_refuse(f, err,
                                "ref must be a branch, tag or commit of 1..200 of A-Z a-z 0-9 . _ "
                                "/ @ + - and not begin with - / or .");
    if (json_get(item, "subdir") && fault)
        return run_field_refuse(f, err, "subdir %s", fault);
    return ERR_OK;
}

enum err_code run_repo_read(const struct field *f, const cJSON *item, struct run_request *r,
                            struct err *err)
{
    static const char *const names[] = {"url", "ref", "depth", "subdir", NULL};
    enum err_code rc = check_members(f, item, names, err);

    if (rc == ERR_OK)
        rc = check_url(f, item, err);
    if (rc == ERR_OK)
        rc = check_place(f, item, err);
    if (rc == ERR_OK)
        rc = read_whole(f, item, "depth", RUN_DEPTH_MAX, err);
    return rc == ERR_OK ? keep(f, item, r) : rc;
}

bool run_repo_of(const struct run_request *r, struct run_repo *out)
{
    if (!r->repo)
        return false;
    *out = (struct run_repo){.url = json_get_string(r->repo, "url"),
                             .ref = json_get_string(r->repo, "ref"),
                             .depth = 1,
                             .subdir = json_get_string(r->repo, "subdir")};
    (void)json_get_int(r->repo, "depth", &out->depth);
    return true;
}

/* --- artifacts ------------------------------------------------------------------- */

static enum err_code check_globs(const struct field *f, const cJSON *globs, struct err *err)
{
    const cJSON *glob;
    int n = 0;

    if (!cJSON_IsArray(globs) || cJSON_GetArraySize(globs) < 1 ||
        cJSON_GetArraySize(globs) > RUN_GLOBS_MAX)
        return run_field_refuse(f, err, "globs must be an array of 1..%d strings", RUN_GLOBS_MAX);
    cJSON_ArrayForEach(glob, globs)
    {
        struct str s = str_of(cJSON_IsString(glob) ? glob->valuestring : NULL);
        const char *fault = s.n > RUN_GLOB_MAX_BYTES ? "has over 256 bytes" : path_fault(s);

        if (fault)
            return run_field_refuse(f, err, "glob %d %s", n, fault);
        n++;
    }
    return ERR_OK;
}

enum err_code run_artifacts_read(const struct field *f, const cJSON *item, struct run_request *r,
                                 struct err *err)
{
    static const char *const names[] = {"globs", "output", NULL};
    const cJSON *globs = json_get(item, "globs"), *output = json_get(item, "output");
    enum err_code rc = check_members(f, item, names, err);

    if (rc == ERR_OK && globs)
        rc = check_globs(f, globs, err);
    if (rc == ERR_OK && output && !cJSON_IsBool(output))
        rc = run_field_refuse(f, err, "output must be true or false");
    return rc == ERR_OK ? keep(f, item, r) : rc;
}

const cJSON *run_globs_of(const struct run_request *r)
{
    return r->artifacts ? json_get(r->artifacts, "globs") : NULL;
}

bool run_wants_output(const struct run_request *r)
{
    bool wanted = false;

    return r->artifacts && json_get_bool(r->artifacts, "output", &wanted) && wanted;
}
