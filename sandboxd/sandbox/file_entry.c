/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/file_entry.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "common/json/json.h"

#include "common/banned.h"

enum { PREFIX_LEN = sizeof(FILE_METADATA_PREFIX) - 1, NAMES_MAX = 64 << 10, ID_ROOM = 64 };
#define SANDBOX_USER "user" /* the only one of a sandbox, whatever the machine calls it */

/* --- as JSON -------------------------------------------------------------------- */

static const char *type_of(mode_t mode)
{
    return S_ISREG(mode)   ? "FILE_TYPE_FILE"
           : S_ISDIR(mode) ? "FILE_TYPE_DIRECTORY"
           : S_ISLNK(mode) ? "FILE_TYPE_SYMLINK"
                           : NULL;
}

/* "-rw-r--r--", "drwxr-xr-x", "Lrwxrwxrwx", "dtrwxrwxrwx": the kinds first, one letter each. */
static void put_permissions(struct buf *b, mode_t mode)
{
    static const struct {
        mode_t mask, is;
        char letter;
    } kinds[] = {
        {S_IFMT, S_IFDIR, 'd'},  {S_IFMT, S_IFLNK, 'L'},  {S_IFMT, S_IFBLK, 'D'},
        {S_IFMT, S_IFCHR, 'D'},  {S_IFMT, S_IFIFO, 'p'},  {S_IFMT, S_IFSOCK, 'S'},
        {S_ISUID, S_ISUID, 'u'}, {S_ISGID, S_ISGID, 'g'}, {S_IFMT, S_IFCHR, 'c'},
        {S_ISVTX, S_ISVTX, 't'},
    };
    static const char letters[] = "rwxrwxrwx";
    char text[COUNTOF(kinds) + sizeof(letters)];
    size_t n = 0;

    for (size_t i = 0; i < COUNTOF(kinds); i++)
        if ((mode & kinds[i].mask) == kinds[i].is)
            text[n++] = kinds[i].letter;
    if (n == 0)
        text[n++] = '-';
    for (int i = 0; i < 9; i++)
        text[n++] = mode & (0400u >> i) ? letters[i] : '-';
    json_kv_str(b, "permissions", (struct str){text, n});
}

/* RFC 3339 with no, 3, 6 or 9 digits of a second, as many as it needs. */
static void put_time(struct buf *b, const char *key, struct timespec at)
{
    struct tm tm = {0};
    char text[64], part[16] = "";
    long digits = 9, n = at.tv_nsec;

    if (gmtime_r(&at.tv_sec, &tm) == NULL)
        return;
    while (digits > 0 && n % 1000 == 0) {
        n /= 1000;
        digits -= 3;
    }
    if (digits > 0)
        (void)snprintf(part, sizeof(part), ".%0*ld", (int)digits, n);
    (void)snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%sZ", tm.tm_year + 1900,
                   tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, part);
    json_kv(b, key, text);
}

static void put_metadata(struct buf *b, struct str pairs)
{
    struct str name, value;

    if (pairs.n == 0)
        return;
    json_key(b, "metadata");
    buf_addc(b, '{');
    while (pairs.n > 0 && str_next(&pairs, '\0', &name) && str_next(&pairs, '\0', &value)) {
        if (b->len > 0 && b->p[b->len - 1] != '{')
            buf_addc(b, ',');
        json_put_string(b, name);
        buf_addc(b, ':');
        json_put_string(b, value);
    }
    buf_addc(b, '}');
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL && slash[1] != '\0' ? slash + 1 : path;
}

void file_entry_put(struct buf *b, const struct file_facts *f)
{
    char size[32];

    buf_addc(b, '{');
    json_kv(b, "name", base_name(f->path));
    json_kv(b, "type", type_of(f->mode));
    json_kv(b, "path", f->path);
    (void)snprintf(size, sizeof(size), "%lld", (long long)f->st.st_size);
    if (f->st.st_size > 0)
        json_kv(b, "size", size);
    if ((f->mode & 0777) != 0)
        json_kv_int(b, "mode", f->mode & 0777);
    put_permissions(b, f->st.st_mode);
    json_kv(b, "owner", f->owner);
    json_kv(b, "group", f->group);
    put_time(b, "modifiedTime", f->st.st_mtim);
    json_kv(b, "symlinkTarget", f->target);
    put_metadata(b, f->metadata);
    if (S_ISLNK(f->st.st_mode)) /* older SDKs see what it leads to, newer ones both */
        json_kv_bool(b, "isSymlink", true);
    buf_addc(b, '}');
}

/* --- from the file system ------------------------------------------------------- */

static void owner_name(uid_t uid, char out[ID_ROOM])
{
    const struct passwd *pw = uid != geteuid() ? getpwuid(uid) : NULL;

    if (uid == geteuid())
        (void)snprintf(out, ID_ROOM, "%s", SANDBOX_USER);
    else if (pw != NULL)
        (void)snprintf(out, ID_ROOM, "%s", pw->pw_name);
    else
        (void)snprintf(out, ID_ROOM, "%u", (unsigned)uid);
}

static void group_name(gid_t gid, char out[ID_ROOM])
{
    const struct group *gr = gid != getegid() ? getgrgid(gid) : NULL;

    if (gid == getegid())
        (void)snprintf(out, ID_ROOM, "%s", SANDBOX_USER);
    else if (gr != NULL)
        (void)snprintf(out, ID_ROOM, "%s", gr->gr_name);
    else
        (void)snprintf(out, ID_ROOM, "%u", (unsigned)gid);
}

/* Appends "key NUL value NUL"; a value that is no text is passed over. */
static void add_pair(struct buf *pairs, const char *path, const char *name)
{
    char value[FILE_METADATA_MAX];
    ssize_t n = getxattr(path, name, value, sizeof(value));
    struct str text = {value, n > 0 ? (size_t)n : 0};

    if (n < 0 || !str_utf8(text, NULL) || memchr(text.p, '\0', text.n) != NULL ||
        !str_utf8(str_of(name), NULL))
        return;
    buf_add(pairs, name + PREFIX_LEN, strlen(name + PREFIX_LEN) + 1);
    buf_addstr(pairs, text);
    buf_addc(pairs, '\0');
}

static void read_metadata(const char *path, struct buf *pairs)
{
    char *names = malloc(NAMES_MAX);
    ssize_t n = names != NULL ? listxattr(path, names, NAMES_MAX) : -1;

    for (ssize_t i = 0; i < n; i += (ssize_t)strlen(names + i) + 1)
        if (strncmp(names + i, FILE_METADATA_PREFIX, PREFIX_LEN) == 0)
            add_pair(pairs, path, names + i);
    free(names);
}

int file_entry_add(struct buf *out, const char *path, const char *shown)
{
    AUTO_BUF pairs = BUF_INIT(NAMES_MAX);
    struct file_facts f = {.path = shown};
    char owner[ID_ROOM], group[ID_ROOM], target[PATH_MAX];
    struct stat st;

    if (lstat(path, &f.st) != 0)
        return errno;
    f.mode = f.st.st_mode;
    if (S_ISLNK(f.st.st_mode)) {
        f.target = realpath(path, target) != NULL ? target : shown;
        f.mode = stat(path, &st) == 0 ? st.st_mode : 0;
    }
    if (S_ISREG(f.mode) || S_ISDIR(f.mode))
        read_metadata(path, &pairs);
    owner_name(f.st.st_uid, owner);
    group_name(f.st.st_gid, group);
    f.owner = owner;
    f.group = group;
    f.metadata = buf_str(&pairs);
    file_entry_put(out, &f);
    return out->rc == ERR_OK ? 0 : ENOBUFS;
}

/* --- metadata ------------------------------------------------------------------ */

static bool is_kept(const char *key, const char *const *pairs, size_t n)
{
    for (size_t i = 0; i + 1 < n; i += 2)
        if (strcmp(pairs[i], key) == 0)
            return true;
    return false;
}

static bool unsupported(int errnum)
{
    return errnum == ENOTSUP || errnum == ENOSYS;
}

int file_metadata_set(int fd, const char *const *pairs, size_t n)
{
    char names[FILE_METADATA_MAX], name[XATTR_NAME_MAX + 1];
    ssize_t have = flistxattr(fd, names, sizeof(names));

    for (ssize_t i = 0; i < have; i += (ssize_t)strlen(names + i) + 1)
        if (strncmp(names + i, FILE_METADATA_PREFIX, PREFIX_LEN) == 0 &&
            !is_kept(names + i + PREFIX_LEN, pairs, n))
            (void)fremovexattr(fd, names + i);
    for (size_t i = 0; i + 1 < n; i += 2) {
        (void)snprintf(name, sizeof(name), FILE_METADATA_PREFIX "%s", pairs[i]);
        if (fsetxattr(fd, name, pairs[i + 1], strlen(pairs[i + 1]), 0) != 0)
            return unsupported(errno) ? 0 : errno;
    }
    return 0;
}
