/* SPDX-License-Identifier: Apache-2.0 */
#include "common/path.h"

#include "common/banned.h"

static bool has_control(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
            return true;
    return false;
}

static const char *part_fault(struct str part)
{
    if (part.n == 0)
        return "has an empty part";
    if (str_is(part, "."))
        return "has a part '.'";
    if (str_is(part, ".."))
        return "has a part '..'";
    return part.n > PATH_PART_MAX_BYTES ? "has a part of over 255 bytes" : NULL;
}

const char *path_fault(struct str path)
{
    size_t from = 0;

    if (path.n == 0)
        return "is empty";
    if (path.n > PATH_MAX_BYTES)
        return "has over 1024 bytes";
    if (path.p[0] == '/')
        return "is absolute";
    if (has_control(path))
        return "has a control byte";
    for (size_t i = 0; i <= path.n; i++) {
        const char *fault;

        if (i < path.n && path.p[i] != '/')
            continue;
        fault = part_fault((struct str){path.p + from, i - from});
        if (fault)
            return fault;
        from = i + 1;
    }
    return NULL;
}

bool path_link_stays(struct str link, struct str target)
{
    size_t folders = 0;

    for (size_t i = 0; i < link.n; i++)
        folders += link.p[i] == '/';
    if (str_is(target, "."))
        return true;
    while (str_is(target, "..") || str_starts(target, "../")) {
        if (folders-- == 0)
            return false;
        target = target.n < 3 ? (struct str){0} : (struct str){target.p + 3, target.n - 3};
        if (target.n == 0)
            return true;
    }
    if (target.n > 1 && target.p[target.n - 1] == '/')
        target.n--;
    return !path_fault(target);
}
