/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/bubblewrap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandboxd/sandbox/init.h"
#include "sandboxd/sandbox/init_setup.h"
#include "sandboxd/sandbox/isolation.h"
#include "sandboxd/sandbox/sandbox.h"

#include "common/banned.h"

enum { ROOM = 2048 };

static void add(struct buf *b, const char *word)
{
    buf_add(b, word, strlen(word) + 1);
}

static void add3(struct buf *b, const char *option, const char *from, const char *to)
{
    add(b, option);
    add(b, from);
    add(b, to);
}

enum err_code bubblewrap_find(char out[PATH_MAX], struct err *err)
{
    static const char *const places[] = {"/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"};

    for (size_t i = 0; i < COUNTOF(places); i++) {
        if (access(places[i], X_OK) != 0)
            continue;
        (void)snprintf(out, PATH_MAX, "%s", places[i]);
        return ERR_OK;
    }
    return err_set(err, ERR_CONFIG,
                   "bubblewrap is not installed: apt-get install bubblewrap, or take --isolation "
                   "weak");
}

/* --- /etc: what programs cannot do without, and nothing of this machine's services ---- */

static const struct {
    const char *name, *text;
} own_files[] = {
    {"passwd", "root:x:0:0:root:/root:/usr/sbin/nologin\n"
               "user:x:1000:1000::" SANDBOX_HOME ":/bin/bash\n"
               "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"},
    {"group", "root:x:0:\nuser:x:1000:\nnogroup:x:65534:\n"},
    {"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files dns\nservices: files\n"
                      "protocols: files\n"},
    {"hosts", ""}, /* each sandbox has its own over it */
};

/* Taken from this machine where it has them; resolv.conf not where there is no network. */
static const char *const host_files[] = {"alternatives",
                                         "ca-certificates",
                                         "ca-certificates.conf",
                                         "debian_version",
                                         "fonts",
                                         "inputrc",
                                         "ld.so.cache",
                                         "ld.so.conf",
                                         "ld.so.conf.d",
                                         "localtime",
                                         "magic",
                                         "mime.types",
                                         "os-release",
                                         "pki",
                                         "protocols",
                                         "resolv.conf",
                                         "services",
                                         "ssl",
                                         "terminfo",
                                         "timezone"};

static enum err_code write_text(const char *path, const char *text, struct err *err)
{
    FILE *f = fopen(path, "we");
    bool good = f != NULL && fputs(text, f) >= 0;

    if (f != NULL && fclose(f) != 0)
        good = false;
    return good ? ERR_OK : err_errno(err, errno, "cannot write '%s'", path);
}

static enum err_code make_dir(const char *path, struct err *err)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST)
        return ERR_OK;
    return err_errno(err, errno, "cannot make '%s'", path);
}

/* A place to mount it on, and the words that do. */
static enum err_code borrow(struct isolation *iso, const char *etc, const char *name,
                            struct err *err)
{
    char from[ROOM], place[ROOM];
    struct stat st;
    bool network = (iso->mechanisms & MECH_NETWORK) == 0 || strcmp(name, "resolv.conf") != 0;

    (void)snprintf(from, sizeof(from), "/etc/%s", name);
    (void)snprintf(place, sizeof(place), "%s/%s", etc, name);
    if (!network || stat(from, &st) != 0)
        return ERR_OK;
    enum err_code rc = S_ISDIR(st.st_mode) ? make_dir(place, err) : write_text(place, "", err);
    if (rc == ERR_OK)
        add3(&iso->bwrap_args, "--ro-bind", from, from);
    return rc;
}

static enum err_code make_etc(struct isolation *iso, const char *data, struct err *err)
{
    char etc[ROOM - 256], path[ROOM];

    (void)snprintf(etc, sizeof(etc), "%s/etc", data);
    enum err_code rc = make_dir(etc, err);
    for (size_t i = 0; rc == ERR_OK && i < COUNTOF(own_files); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", etc, own_files[i].name);
        rc = write_text(path, own_files[i].text, err);
    }
    add3(&iso->bwrap_args, "--ro-bind", etc, "/etc");
    for (size_t i = 0; rc == ERR_OK && i < COUNTOF(host_files); i++)
        rc = borrow(iso, etc, host_files[i], err);
    return rc;
}

/* --- the root -------------------------------------------------------------------------- */

/* /bin and the like are links into /usr, or folders of their own on older systems. */
static void add_usr(struct buf *b)
{
    static const char *const names[] = {"/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
    char target[PATH_MAX];
    struct stat st;

    add3(b, "--ro-bind", "/usr", "/usr");
    for (size_t i = 0; i < COUNTOF(names); i++) {
        ssize_t n = readlink(names[i], target, sizeof(target) - 1);

        target[n > 0 ? n : 0] = '\0';
        if (n > 0)
            add3(b, "--symlink", target, names[i]);
        else if (stat(names[i], &st) == 0 && S_ISDIR(st.st_mode))
            add3(b, "--ro-bind", names[i], names[i]);
    }
}

static void add_namespaces(const struct isolation *iso, struct buf *b)
{
    static const char *const words[] = {"--unshare-user",
                                        "--unshare-pid",
                                        "--unshare-ipc",
                                        "--unshare-uts",
                                        "--unshare-cgroup-try",
                                        "--disable-userns",
                                        "--as-pid-1",
                                        "--die-with-parent",
                                        "--new-session",
                                        "--cap-drop",
                                        "ALL",
                                        "--uid",
                                        "1000",
                                        "--gid",
                                        "1000",
                                        "--chdir",
                                        "/"};

    for (size_t i = 0; i < COUNTOF(words); i++)
        add(b, words[i]);
    if (iso->mechanisms & MECH_NETWORK)
        add(b, "--unshare-net");
}

static void add_memory_dir(struct buf *b, int64_t bytes, const char *path)
{
    char size[32];

    (void)snprintf(size, sizeof(size), "%lld", (long long)bytes);
    add(b, "--perms");
    add(b, "1777");
    add3(b, "--size", size, "--tmpfs");
    add(b, path);
}

enum err_code bubblewrap_prepare(struct isolation *iso, const char *data, struct err *err)
{
    static const char *const dirs[] = {"/home", "/opt", "/run", "/run/sandfleet", "/var"};
    struct buf *b = &iso->bwrap_args;
    int64_t half = iso->want.memory_bytes / 2;

    add_namespaces(iso, b);
    add_usr(b);
    add3(b, "--proc", "/proc", "--dev");
    add3(b, "/dev", "--remount-ro", "/dev");
    add_memory_dir(b, half, "/dev/shm");
    add_memory_dir(b, half, "/tmp");
    for (size_t i = 0; i < COUNTOF(dirs); i++) {
        add3(b, "--perms", "0755", "--dir");
        add(b, dirs[i]);
    }
    add3(b, "--symlink", "../tmp", "/var/tmp");
    enum err_code rc = make_etc(iso, data, err);
    return rc != ERR_OK ? rc : b->rc == ERR_OK ? ERR_OK : err_set(err, b->rc, "bubblewrap's words");
}

void bubblewrap_args(const struct isolation *iso, const struct init_launch *l, struct buf *out)
{
    buf_addstr(out, buf_str(&iso->bwrap_args));
    if (l->folder != NULL) {
        char path[ROOM];

        add3(out, "--hostname", l->id, "--bind");
        add3(out, l->home, SANDBOX_HOME, "--ro-bind");
        add3(out, l->template, SANDBOX_TEMPLATE, "--ro-bind");
        (void)snprintf(path, sizeof(path), "%s/hosts", l->folder);
        add(out, path);
        add(out, "/etc/hosts");
        (void)snprintf(path, sizeof(path), "%s/egress.sock", l->folder);
        if (l->egress)
            add3(out, "--bind", path, INIT_PROXY_SOCKET);
    }
    add(out, "--remount-ro");
    add(out, "/");
}
