/* SPDX-License-Identifier: Apache-2.0 */
/* A watch of a directory is a process in the sandbox: it adds the folders that
 * appear below, and turns what the kernel tells into envd's events. A reader
 * who is slow holds it up; what the kernel cannot keep meanwhile is told as lost. */
#include "sandboxd/sandbox/file_do.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "common/json/json.h"
#include "sandboxd/sandbox/file_entry.h"

#include "common/banned.h"

enum { FOLDERS_MAX = 8192, FOLDER_DEPTH_MAX = 256, EVENTS_BYTES = 64 << 10 };
#define WATCH_MASK                                                                                 \
    (IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_MODIFY | IN_ATTRIB |                 \
     IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR)

struct folder {
    int wd;
    char *rel; /* to the root of the watch; "": itself */
};

struct watching {
    const char *root;
    uint32_t flags;
    int notify, socket;
    struct folder *folders; /* room for FOLDERS_MAX */
    size_t n;
};

/* --- telling ---------------------------------------------------------------------- */

static void send_event(struct watching *w, const struct buf *text)
{
    if (text->rc == ERR_OK && send(w->socket, text->p, text->len, MSG_NOSIGNAL) < 0 &&
        errno != EMSGSIZE)
        _exit(0); /* nobody listens any more */
}

static void tell(struct watching *w, const char *name, const char *type)
{
    AUTO_BUF text = BUF_INIT(FILE_OP_EVENT_MAX), entry = BUF_INIT(FILE_OP_EVENT_MAX);
    char path[FILE_PATH_ROOM];

    buf_addc(&text, '{');
    json_kv(&text, "name", name);
    json_kv(&text, "type", type);
    if ((w->flags & FILE_OP_WITH_ENTRY) &&
        file_join(path, w->root, strcmp(name, ".") == 0 ? "" : name) &&
        file_entry_add(&entry, path, path) == 0)
        json_kv_raw(&text, "entry", buf_str(&entry));
    buf_addc(&text, '}');
    send_event(w, &text);
}

static void tell_mask(struct watching *w, const char *name, uint32_t mask)
{
    static const struct {
        uint32_t mask;
        const char *type;
    } types[] = {
        {IN_CREATE | IN_MOVED_TO, "EVENT_TYPE_CREATE"},
        {IN_MOVED_FROM | IN_MOVE_SELF, "EVENT_TYPE_RENAME"},
        {IN_ATTRIB, "EVENT_TYPE_CHMOD"},
        {IN_MODIFY, "EVENT_TYPE_WRITE"},
        {IN_DELETE | IN_DELETE_SELF, "EVENT_TYPE_REMOVE"},
    };

    for (size_t i = 0; i < COUNTOF(types); i++)
        if (mask & types[i].mask)
            tell(w, name, types[i].type);
}

/* --- folders ---------------------------------------------------------------------- */

static struct folder *folder_find(struct watching *w, int wd)
{
    for (size_t i = w->n; i > 0; i--)
        if (w->folders[i - 1].wd == wd)
            return &w->folders[i - 1];
    return NULL;
}

static void folder_drop(struct watching *w, struct folder *f)
{
    free(f->rel);
    *f = w->folders[--w->n];
}

static bool below(const char *rel, const char *top)
{
    size_t n = strlen(top);

    return strncmp(rel, top, n) == 0 && (rel[n] == '\0' || rel[n] == '/');
}

/* A folder was moved away: what is in it is no longer here. */
static void forget_tree(struct watching *w, const char *top)
{
    for (size_t i = w->n; i > 0; i--) {
        struct folder *f = &w->folders[i - 1];

        if (f->rel[0] == '\0' || !below(f->rel, top))
            continue;
        (void)inotify_rm_watch(w->notify, f->wd);
        folder_drop(w, f);
    }
}

static int folder_add(struct watching *w, const char *path, const char *rel)
{
    int wd = inotify_add_watch(w->notify, path,
                               WATCH_MASK | (rel[0] != '\0' ? (uint32_t)IN_DONT_FOLLOW : 0));

    if (wd < 0)
        return errno;
    if (folder_find(w, wd) != NULL)
        return EEXIST;
    char *copy = str_dup(str_of(rel));
    if (copy == NULL || w->n == FOLDERS_MAX) {
        free(copy);
        return copy == NULL ? ENOMEM : ENOSPC;
    }
    w->folders[w->n++] = (struct folder){wd, copy};
    return 0;
}

/* Folders that vanish meanwhile are none; news: tells what is found in them, which came
 * before we could watch. */
static int tree_add(struct watching *w, const char *rel, bool news, int depth)
{
    char path[FILE_PATH_ROOM], sub[FILE_PATH_ROOM];
    int errnum;

    if (!file_join(path, w->root, rel))
        return 0;
    errnum = folder_add(w, path, rel);
    if (errnum != 0 || (w->flags & FILE_OP_RECURSIVE) == 0 || depth > FOLDER_DEPTH_MAX)
        return rel[0] != '\0' && errnum != ENOSPC && errnum != ENOMEM ? 0 : errnum;
    DIR *d = opendir(path);
    for (struct dirent *e; d != NULL && errnum == 0 && (e = readdir(d)) != NULL;) {
        struct stat st;

        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0 ||
            !file_join(sub, rel, e->d_name) ||
            fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (news)
            tell(w, sub, "EVENT_TYPE_CREATE");
        if (S_ISDIR(st.st_mode))
            errnum = tree_add(w, sub, news, depth + 1);
    }
    if (d != NULL)
        (void)closedir(d);
    return errnum;
}

/* --- events ---------------------------------------------------------------------- */

static void lost(struct watching *w)
{
    AUTO_BUF text = BUF_INIT(64);

    buf_adds(&text, "{\"lost\":true}");
    send_event(w, &text);
    _exit(0);
}

static void on_event(struct watching *w, const struct inotify_event *e)
{
    struct folder *f = folder_find(w, e->wd);
    char name[FILE_PATH_ROOM];

    if (e->mask & IN_Q_OVERFLOW)
        lost(w);
    if (f == NULL)
        return;
    if (e->mask & IN_IGNORED) {
        folder_drop(w, f);
        return;
    }
    if (e->len == 0) { /* of the folder itself: those below are told by the folder they are in */
        if (f->rel[0] == '\0')
            tell_mask(w, ".", e->mask);
        return;
    }
    if (!file_join(name, f->rel, e->name))
        return;
    tell_mask(w, name, e->mask);
    if ((w->flags & FILE_OP_RECURSIVE) == 0 || (e->mask & IN_ISDIR) == 0)
        return;
    if (e->mask & IN_MOVED_FROM)
        forget_tree(w, name);
    if ((e->mask & (IN_CREATE | IN_MOVED_TO)) && tree_add(w, name, true, 0) != 0)
        lost(w);
}

static void read_events(struct watching *w)
{
    static _Alignas(struct inotify_event) char room[EVENTS_BYTES];
    ssize_t n = read(w->notify, room, sizeof(room));

    for (ssize_t at = 0; at < n;) {
        const struct inotify_event *e = (const void *)(room + at);

        on_event(w, e);
        at += (ssize_t)(sizeof(*e) + e->len);
    }
}

static void serve(struct watching *w)
{
    struct pollfd p[2] = {{.fd = w->notify, .events = POLLIN}, {.fd = w->socket}};

    for (;;) {
        if (poll(p, 2, -1) < 0)
            continue;
        if (p[1].revents != 0)
            _exit(0);
        if (p[0].revents != 0)
            read_events(w);
    }
}

/* Only these two stay open: init's own socket must end with init. */
static void keep_two(struct watching *w)
{
    enum { KEEP = 3 };
    int a = fcntl(w->notify, F_DUPFD_CLOEXEC, KEEP + 2),
        b = fcntl(w->socket, F_DUPFD_CLOEXEC, KEEP + 2);

    if (a < 0 || b < 0 || dup2(a, KEEP) < 0 || dup2(b, KEEP + 1) < 0)
        _exit(1);
    (void)close_range(KEEP + 2, ~0U, 0);
    w->notify = KEEP;
    w->socket = KEEP + 1;
    (void)prctl(PR_SET_NAME, "sandbox-watch");
}

static int start(struct watching *w, int *answer)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return errno;
    w->socket = pair[1];
    pid_t pid = _Fork();
    if (pid == 0) {
        keep_two(w);
        serve(w);
    }
    int errnum = pid < 0 ? errno : 0;
    (void)close(pair[1]);
    if (errnum != 0)
        (void)close(pair[0]);
    else
        *answer = pair[0];
    return errnum;
}

static bool on_network(const char *path)
{
    static const uint32_t kinds[] = {NFS_SUPER_MAGIC, CIFS_SUPER_MAGIC, SMB_SUPER_MAGIC,
                                     SMB2_SUPER_MAGIC, FUSE_SUPER_MAGIC};
    struct statfs fs;

    for (size_t i = 0; statfs(path, &fs) == 0 && i < COUNTOF(kinds); i++)
        if ((uint32_t)fs.f_type == kinds[i])
            return true;
    return false;
}

/* This process ends soon: what it has in memory goes on in the child, or with it. */
int file_do_watch(const struct file_job *j, int *answer)
{
    struct watching w = {.root = j->s[0], .flags = j->op.flags};
    struct stat st;

    if (stat(w.root, &st) != 0)
        return errno;
    if (!S_ISDIR(st.st_mode))
        return ENOTDIR;
    if ((w.flags & FILE_OP_NETWORK) == 0 && on_network(w.root))
        return EREMOTE;
    w.folders = calloc(FOLDERS_MAX, sizeof(*w.folders));
    w.notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    int errnum = w.folders == NULL ? ENOMEM : w.notify < 0 ? errno : tree_add(&w, "", false, 0);
    if (errnum == 0)
        errnum = start(&w, answer);
    if (w.notify >= 0)
        (void)close(w.notify);
    while (w.n > 0)
        folder_drop(&w, &w.folders[w.n - 1]);
    free(w.folders);
    return errnum;
}
