/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/banned.h"

enum err_code path_resolve(const char *home, struct str path, char out[PATH_MAX_BYTES],
                           struct err *err)
{
    int n;

    if (path.n == 0)
        return err_set(err, ERR_INVALID, "path is empty");
    if (memchr(path.p, '\0', path.n) != NULL)
        return err_set(err, ERR_INVALID, "path holds a NUL");
    if (path.p[0] == '/')
        n = snprintf(out, PATH_MAX_BYTES, STR_FMT, STR_ARG(path));
    else if (str_is(path, "~"))
        n = snprintf(out, PATH_MAX_BYTES, "%s", home);
    else if (str_starts(path, "~/"))
        n = snprintf(out, PATH_MAX_BYTES, "%s/%.*s", home, (int)(path.n - 2), path.p + 2);
    else
        n = snprintf(out, PATH_MAX_BYTES, "%s/" STR_FMT, home, STR_ARG(path));
    if (n < 0 || n >= PATH_MAX_BYTES)
        return err_set(err, ERR_INVALID, "path is over %d bytes", PATH_MAX_BYTES - 1);
    return ERR_OK;
}

int path_make_parents(const char *path)
{
    char copy[PATH_MAX_BYTES];

    (void)snprintf(copy, sizeof(copy), "%s", path);
    for (char *p = copy + 1; (p = strchr(p, '/')) != NULL; p++) {
        *p = '\0';
        if (mkdir(copy, 0755) != 0 && errno != EEXIST && errno != EACCES && errno != EROFS)
            return errno;
        *p = '/';
    }
    return 0;
}
