/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/data_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "sandboxd/sandbox/file_do.h"
#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

enum { STAMP_ROOM = 128, ROOM = 2048 };

static enum err_code make(const char *data, const char *name, char out[ROOM], struct err *err)
{
    (void)snprintf(out, ROOM, "%s%s", data, name);
    int errnum = file_make_parents(out);

    if (errnum == 0 && mkdir(out, 0755) != 0 && errno != EEXIST)
        errnum = errno;
    return errnum == 0 ? ERR_OK : err_errno(err, errnum, "cannot make '%s'", out);
}

/* --- the template's claude -------------------------------------------------------- */

/* Which file it is, and which version of it: by this the copy is known to be current. */
static enum err_code stamp_of(const char *program, char out[STAMP_ROOM], mode_t *mode,
                              struct err *err)
{
    struct stat st;

    if (stat(program, &st) != 0)
        return err_set(err, ERR_CONFIG, "cannot read '%s' of --claude: %s", program,
                       strerror(errno));
    if (!S_ISREG(st.st_mode) || (st.st_mode & 0111) == 0)
        return err_set(err, ERR_CONFIG, "'%s' of --claude is no program", program);
    *mode = st.st_mode;
    (void)snprintf(out, STAMP_ROOM, "%llu:%llu %lld %lld.%09ld\n", (unsigned long long)st.st_dev,
                   (unsigned long long)st.st_ino, (long long)st.st_size,
                   (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
    return ERR_OK;
}

static int copy_bytes(int from, int to)
{
    ssize_t n;

    while ((n = sendfile(to, from, NULL, 1 << 30)) > 0)
        continue;
    return n < 0 ? -1 : 0;
}

static enum err_code copy_file(const char *from, const char *to, struct err *err)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    bool good = in >= 0 && out >= 0 && copy_bytes(in, out) == 0 && fchmod(out, 0755) == 0;
    int errnum = errno;

    if (in >= 0)
        (void)close(in);
    if (out >= 0 && close(out) != 0 && good) {
        errnum = errno;
        good = false;
    }
    return good ? ERR_OK : err_errno(err, errnum, "cannot copy '%s' to '%s'", from, to);
}

static bool stamp_is(const char *path, const char *want)
{
    char have[STAMP_ROOM] = "";
    FILE *f = fopen(path, "re");

    if (f == NULL)
        return false;
    bool same = fgets(have, sizeof(have), f) != NULL && strcmp(have, want) == 0;
    (void)fclose(f);
    return same;
}

static enum err_code stamp_write(const char *path, const char *text, struct err *err)
{
    FILE *f = fopen(path, "we");
    bool good = f != NULL && fputs(text, f) >= 0;

    if (f != NULL && fclose(f) != 0)
        good = false;
    return good ? ERR_OK : err_errno(err, errno, "cannot write '%s'", path);
}

/* By a link where everybody may run it anyway, else by a copy; never by half. */
static enum err_code install(const char *program, mode_t mode, const char *to, struct err *err)
{
    char temp[ROOM + 8];

    (void)snprintf(temp, sizeof(temp), "%s.new", to);
    (void)unlink(temp);
    if ((mode & 0005) != 0005 || link(program, temp) != 0) {
        enum err_code rc = copy_file(program, temp, err);
        if (rc != ERR_OK)
            return rc;
    }
    return rename(temp, to) == 0 ? ERR_OK : err_errno(err, errno, "cannot make '%s'", to);
}

static enum err_code provide_claude(const char *data, const char *claude, struct err *err)
{
    char real[PATH_MAX], to[ROOM], stamp_path[ROOM], stamp[STAMP_ROOM];
    mode_t mode = 0;

    if (realpath(claude, real) == NULL)
        return err_set(err, ERR_CONFIG, "cannot find '%s' of --claude: %s", claude,
                       strerror(errno));
    (void)snprintf(to, sizeof(to), "%s/templates/claude/bin/claude", data);
    (void)snprintf(stamp_path, sizeof(stamp_path), "%s/templates/claude/source", data);
    enum err_code rc = stamp_of(real, stamp, &mode, err);
    if (rc != ERR_OK || (stamp_is(stamp_path, stamp) && access(to, X_OK) == 0))
        return rc;
    rc = install(real, mode, to, err);
    if (rc == ERR_OK)
        log_event(LOG_INFO, "template.made", LF("template", "claude"), LF("program", real));
    return rc == ERR_OK ? stamp_write(stamp_path, stamp, err) : rc;
}

/* --- the whole -------------------------------------------------------------------- */

static enum err_code check_reach(const char *sandboxes, const struct identity *id, struct err *err)
{
    char inside[ROOM + 4];

    (void)snprintf(inside, sizeof(inside), "%s/.", sandboxes);
    identity_enter(id);
    int fd = open(inside, O_PATH | O_DIRECTORY | O_CLOEXEC), errnum = errno;
    identity_leave(id);
    if (fd < 0)
        return err_set(err, ERR_CONFIG,
                       "the sandboxes' user cannot enter '%s' (%s): give --data a folder that "
                       "others may pass through, or chmod o+x the folders above it",
                       sandboxes, strerror(errnum));
    (void)close(fd);
    return ERR_OK;
}

enum err_code data_dir_prepare(const char *data, const char *claude, const struct identity *id,
                               struct err *err)
{
    char path[ROOM];
    enum err_code rc = ERR_OK;

    if (strlen(data) > ROOM / 2)
        return err_set(err, ERR_CONFIG, "the path of --data is too long");
    rc = make(data, "/templates/base/bin", path, err);
    if (rc == ERR_OK)
        rc = make(data, "/templates/claude/bin", path, err);
    if (rc == ERR_OK && claude != NULL)
        rc = provide_claude(data, claude, err);
    (void)snprintf(path, sizeof(path), "%s/sandboxes", data);
    if (rc == ERR_OK && tree_remove(path) != 0)
        log_event(LOG_WARN, "data.left", LF("folder", path));
    if (rc == ERR_OK)
        rc = make(data, "/sandboxes", path, err);
    return rc == ERR_OK ? check_reach(path, id, err) : rc;
}
