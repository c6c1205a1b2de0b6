/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/path.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* Appends the parts of `rest` to the absolute path in out; false: too long. */
static bool append_parts(char out[PATH_MAX_BYTES], struct str rest)
{
    size_t n = strlen(out);
    struct str part;

    while (str_next(&rest, '/', &part)) {
        if (part.n == 0 || str_is(part, "."))
            continue;
        if (str_is(part, "..")) {
            const char *slash = strrchr(out, '/');

            n = slash != NULL ? (size_t)(slash - out) : 0;
        } else {
            if (n + 1 + part.n >= PATH_MAX_BYTES)
                return false;
            out[n++] = '/';
            memcpy(out + n, part.p, part.n);
            n += part.n;
        }
        out[n] = '\0';
    }
    return true;
}

static enum err_code too_long(struct err *err)
{
    return err_set(err, ERR_INVALID, "path is over %d bytes", PATH_MAX_BYTES - 1);
}

enum err_code path_resolve(const char *home, struct str path, char out[PATH_MAX_BYTES],
                           struct err *err)
{
    if (path.n > 0 && memchr(path.p, '\0', path.n) != NULL)
        return err_set(err, ERR_INVALID, "path holds a NUL");
    if (path.n > 0 && path.p[0] == '/') {
        if (path.n >= PATH_MAX_BYTES)
            return too_long(err);
        memcpy(out, path.p, path.n);
        out[path.n] = '\0';
        return ERR_OK;
    }
    if (path.n > 1 && path.p[0] == '~' && path.p[1] != '/')
        return err_set(err, ERR_INVALID,
                       "failed to expand path '" STR_FMT
                       "' for user 'user': cannot expand user-specific home dir",
                       STR_ARG(path));
    if (path.n > 0 && path.p[0] == '~')
        path = (struct str){path.p + 1, path.n - 1};
    out[0] = '\0';
    if (!append_parts(out, str_of(home)) || !append_parts(out, path))
        return too_long(err);
    if (out[0] == '\0')
        (void)snprintf(out, PATH_MAX_BYTES, "/");
    return ERR_OK;
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}
