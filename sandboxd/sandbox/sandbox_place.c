/* SPDX-License-Identifier: Apache-2.0 */
/* Where a sandbox lives: its folders on this machine, and what it sees of them. */
#include "sandboxd/sandbox/sandbox_internal.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/banned.h"

static void make_paths(struct sandbox *sb)
{
    bool own = isolation_own_root(sb->fleet->isolation);

    (void)snprintf(sb->home, sizeof(sb->home), "%s/home", sb->folder);
    (void)snprintf(sb->temp, sizeof(sb->temp), "%s/tmp", sb->folder);
    (void)snprintf(sb->source, sizeof(sb->source), "%s/templates/%s", sb->fleet->data,
                   sb->template);
    (void)snprintf(sb->bin, sizeof(sb->bin), "%s/bin", own ? SANDBOX_TEMPLATE : sb->source);
    (void)snprintf(sb->path, sizeof(sb->path), "%s:/usr/local/bin:/usr/bin:/bin", sb->bin);
}

static bool make_own(const struct identity *id, const char *path)
{
    return mkdir(path, 0700) == 0 && (!id->drop || chown(path, id->uid, id->gid) == 0);
}

static bool make_hosts(const struct sandbox *sb)
{
    char path[SANDBOX_PATH_ROOM + 8];

    (void)snprintf(path, sizeof(path), "%s/hosts", sb->folder);
    FILE *f = fopen(path, "wxe");
    bool good = f != NULL && fprintf(f, "127.0.0.1 localhost %s\n::1 localhost\n", sb->id) > 0;
    return f != NULL && fclose(f) == 0 && good;
}

enum err_code folders_make(struct sandbox *sb, struct err *err)
{
    const struct identity *id = sb->fleet->identity;
    int n = snprintf(sb->folder, sizeof(sb->folder), "%s/sandboxes/%s", sb->fleet->data, sb->id);

    if (n < 0 || (size_t)n + 8 > sizeof(sb->folder))
        return err_set(err, ERR_CONFIG, "the path of --data is too long");
    make_paths(sb);
    if (mkdir(sb->folder, 0711) == 0 && make_own(id, sb->home) &&
        (isolation_own_root(sb->fleet->isolation) ? make_hosts(sb) : make_own(id, sb->temp)))
        return ERR_OK;
    return err_errno(err, errno, "cannot make '%s'", sb->folder);
}

bool folders_remove(const struct sandbox *sb)
{
    static const char *const files[] = {"hosts", "egress.sock"};
    char path[SANDBOX_PATH_ROOM + 16];

    for (size_t i = 0; i < COUNTOF(files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", sb->folder, files[i]);
        (void)unlink(path);
    }
    (void)rmdir(sb->temp);
    (void)rmdir(sb->home);
    return rmdir(sb->folder) == 0 || errno == ENOENT;
}

const char *sandbox_home(const struct sandbox *sb)
{
    return isolation_own_root(sb->fleet->isolation) ? SANDBOX_HOME : sb->home;
}

const char *sandbox_bin(const struct sandbox *sb)
{
    return sb->bin;
}

const char *const *sandbox_environ(const struct sandbox *sb)
{
    static const char proxy[] = "http://127.0.0.1:3128", local[] = "127.0.0.1,localhost";
    static const char *list[32];
    const struct {
        bool given;
        const char *name, *value;
    } rows[] = {
        {true, "PATH", sb->path},
        {true, "HOME", sandbox_home(sb)},
        {true, "USER", "user"},
        {true, "LOGNAME", "user"},
        {(sb->fleet->isolation->mechanisms & MECH_FENCE) != 0, "TMPDIR", sb->temp},
        {sb->door != NULL, "HTTP_PROXY", proxy},
        {sb->door != NULL, "HTTPS_PROXY", proxy},
        {sb->door != NULL, "http_proxy", proxy},
        {sb->door != NULL, "https_proxy", proxy},
        {sb->door != NULL, "NO_PROXY", local},
        {sb->door != NULL, "no_proxy", local},
    };
    size_t n = 0;

    for (size_t i = 0; i < COUNTOF(rows); i++) {
        if (!rows[i].given)
            continue;
        list[n++] = rows[i].name;
        list[n++] = rows[i].value;
    }
    list[n] = NULL;
    return list;
}
