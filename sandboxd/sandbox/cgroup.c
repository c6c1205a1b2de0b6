/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/attrs.h"

#include "common/banned.h"

#define ROOT "/sys/fs/cgroup"
#define NAME "sandfleet-" /* and the number of the server */

enum { ROOM = CGROUP_PATH_ROOM + 128 };

static const char *const v1_names[CGROUP_TREES] = {"memory", "pids", "cpuacct"};

const char *cgroup_kind_name(enum cgroup_kind kind)
{
    static const char *const names[] = {"rlimits", "cgroup-v1", "cgroup-v2"};

    return names[kind];
}

/* --- the kernel's files ------------------------------------------------------------ */

static bool write_file(const char *dir, const char *name, const char *text)
{
    char path[ROOM];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    (void)close(fd);
    return good;
}

static bool read_file(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t n = read(fd, out, room - 1);
    (void)close(fd);
    out[n > 0 ? n : 0] = '\0';
    return n > 0;
}

static bool read_number(const char *dir, const char *name, const char *key, int64_t *out)
{
    char path[ROOM], text[1024];

    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    if (!read_file(path, text, sizeof(text)))
        return false;
    const char *at = key != NULL ? strstr(text, key) : text;
    if (at == NULL)
        return false;
    *out = strtoll(at + (key != NULL ? strlen(key) : 0), NULL, 10);
    return true;
}

static bool make_in(const char *dir, const char *name, char out[CGROUP_PATH_ROOM])
{
    int n = snprintf(out, CGROUP_PATH_ROOM, "%s/%s", dir, name);

    if (n > 0 && n < CGROUP_PATH_ROOM - 64 && (mkdir(out, 0755) == 0 || errno == EEXIST))
        return true;
    *out = '\0';
    return false;
}

/* --- which of them ------------------------------------------------------------------- */

static bool lists(struct str names, const char *want)
{
    struct str name;

    while (str_next(&names, ',', &name))
        if (str_is(name, want))
            return true;
    return false;
}

struct str cgroup_path(struct str text, const char *controller)
{
    struct str line, part;

    while (str_next(&text, '\n', &line)) {
        if (!str_next(&line, ':', &part) || !str_next(&line, ':', &part))
            continue;
        if (*controller == '\0' ? part.n == 0 : lists(part, controller))
            return line;
    }
    return STR("");
}

static bool has_controllers(const char *dir)
{
    char path[ROOM], text[512];

    (void)snprintf(path, sizeof(path), "%s/cgroup.controllers", dir);
    return read_file(path, text, sizeof(text)) && strstr(text, "memory") != NULL &&
           strstr(text, "pids") != NULL;
}

/* A group with members may not hand controllers down, so we move into one below first. */
static bool use_own_v2(const char *own, const char *name, struct cgroups *out)
{
    char self[CGROUP_PATH_ROOM], pid[32];

    if (!has_controllers(own) || !make_in(own, "sandfleet-server", self))
        return false;
    (void)snprintf(pid, sizeof(pid), "%d", (int)getpid());
    if (write_file(self, "cgroup.procs", pid) &&
        write_file(own, "cgroup.subtree_control", "+memory +pids") &&
        make_in(own, name, out->base[CGROUP_MEMORY]) &&
        write_file(out->base[CGROUP_MEMORY], "cgroup.subtree_control", "+memory +pids"))
        return true;
    (void)write_file(own, "cgroup.procs", pid);
    (void)rmdir(self);
    return false;
}

/* Root may also take a group beside all others. */
static bool use_top_v2(const char *name, struct cgroups *out)
{
    return geteuid() == 0 && has_controllers(ROOT) &&
           write_file(ROOT, "cgroup.subtree_control", "+memory +pids") &&
           make_in(ROOT, name, out->base[CGROUP_MEMORY]) &&
           write_file(out->base[CGROUP_MEMORY], "cgroup.subtree_control", "+memory +pids");
}

static bool use_v1(struct str text, const char *name, struct cgroups *out)
{
    for (size_t i = 0; i < CGROUP_TREES; i++) {
        char own[CGROUP_PATH_ROOM], top[ROOM];
        struct str path = cgroup_path(text, v1_names[i]);

        (void)snprintf(top, sizeof(top), ROOT "/%s", v1_names[i]);
        int n = snprintf(own, sizeof(own), "%s" STR_FMT, top, STR_ARG(path));
        /* in a container the path may be one that only its host has */
        if (path.n == 0 || n < 0 || (size_t)n >= sizeof(own) ||
            (!make_in(own, name, out->base[i]) && !make_in(top, name, out->base[i])))
            out->base[i][0] = '\0';
    }
    return *out->base[CGROUP_MEMORY] != '\0' && *out->base[CGROUP_PIDS] != '\0';
}

/* Of a server that is no more; a group with a process in it stays. */
static void sweep_one(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;)
        if (e->d_type == DT_DIR && *e->d_name != '.')
            (void)unlinkat(fd, e->d_name, AT_REMOVEDIR);
    if (d != NULL)
        (void)closedir(d);
    (void)unlinkat(parent, name, AT_REMOVEDIR);
}

/* What servers left that were killed, beside the group of ours at `base`. */
static void sweep(const char *base)
{
    char parent[CGROUP_PATH_ROOM];

    (void)snprintf(parent, sizeof(parent), "%s", base);
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        return;
    *slash = '\0';
    DIR *d = opendir(parent);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        bool named = strncmp(e->d_name, NAME, strlen(NAME)) == 0;
        long pid = named ? strtol(e->d_name + strlen(NAME), NULL, 10) : 0;

        if (pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH)
            sweep_one(dirfd(d), e->d_name);
    }
    if (d != NULL)
        (void)closedir(d);
}

void cgroups_find(struct cgroups *out)
{
    char text[4096], own[ROOM], name[64];

    (void)snprintf(name, sizeof(name), NAME "%d", (int)getpid());
    *out = (struct cgroups){.kind = CGROUP_NONE};
    if (!read_file("/proc/self/cgroup", text, sizeof(text)))
        return;
    struct str path = cgroup_path(str_of(text), "");
    (void)snprintf(own, sizeof(own), ROOT STR_FMT, STR_ARG(path));
    if (use_own_v2(own, name, out) || use_top_v2(name, out)) {
        out->kind = CGROUP_V2;
    } else {
        *out->base[CGROUP_MEMORY] = '\0';
        if (geteuid() == 0 && use_v1(str_of(text), name, out))
            out->kind = CGROUP_V1;
    }
    if (out->kind == CGROUP_NONE)
        cgroups_release(out);
    for (size_t i = 0; i < CGROUP_TREES; i++)
        sweep(out->base[i]);
}

void cgroups_release(struct cgroups *c)
{
    for (size_t i = 0; i < CGROUP_TREES; i++)
        if (*c->base[i] != '\0')
            (void)rmdir(c->base[i]);
    *c = (struct cgroups){.kind = CGROUP_NONE};
}

/* --- one sandbox's ------------------------------------------------------------------- */

static void set_limits(const struct cgroups *c, size_t tree, const char *dir,
                       const struct cgroup_limits *l, bool *good)
{
    char memory[32], pids[32];

    (void)snprintf(memory, sizeof(memory), "%lld", (long long)l->memory_bytes);
    (void)snprintf(pids, sizeof(pids), "%lld", (long long)l->pids);
    if (l->memory_bytes > 0 && tree == CGROUP_MEMORY)
        *good &=
            write_file(dir, c->kind == CGROUP_V2 ? "memory.max" : "memory.limit_in_bytes", memory);
    if (l->memory_bytes > 0 && tree == CGROUP_MEMORY) /* where swap is counted at all */
        (void)write_file(dir,
                         c->kind == CGROUP_V2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
                         c->kind == CGROUP_V2 ? "0" : memory);
    if (l->pids > 0 && tree == (c->kind == CGROUP_V2 ? CGROUP_MEMORY : CGROUP_PIDS))
        *good &= write_file(dir, "pids.max", pids);
}

enum err_code cgroup_make(const struct cgroups *c, const char *id, const struct cgroup_limits *l,
                          int fds[CGROUP_TREES], size_t *n, struct err *err)
{
    char dir[CGROUP_PATH_ROOM], procs[ROOM];
    bool good = true;

    *n = 0;
    for (size_t i = 0; good && i < CGROUP_TREES; i++) {
        if (*c->base[i] == '\0')
            continue;
        good = make_in(c->base[i], id, dir);
        if (good)
            set_limits(c, i, dir, l, &good);
        (void)snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
        int fd = good ? open(procs, O_WRONLY | O_CLOEXEC) : -1;
        good = fd >= 0;
        if (good)
            fds[(*n)++] = fd;
    }
    if (good)
        return ERR_OK;
    enum err_code rc = err_errno(err, errno, "cannot limit the sandbox by '%s'", dir);
    while (*n > 0)
        (void)close(fds[--*n]);
    cgroup_remove(c, id);
    return rc;
}

void cgroup_remove(const struct cgroups *c, const char *id)
{
    char dir[ROOM];

    for (size_t i = 0; i < CGROUP_TREES; i++) {
        (void)snprintf(dir, sizeof(dir), "%s/%s", c->base[i], id);
        if (*c->base[i] != '\0')
            (void)rmdir(dir);
    }
}

bool cgroup_usage(const struct cgroups *c, const char *id, struct cgroup_usage *out)
{
    char dir[CGROUP_TREES][ROOM];
    bool v2 = c->kind == CGROUP_V2;

    for (size_t i = 0; i < CGROUP_TREES; i++)
        (void)snprintf(dir[i], ROOM, "%s/%s", c->base[v2 ? CGROUP_MEMORY : i], id);
    *out = (struct cgroup_usage){0};
    if (c->kind == CGROUP_NONE || (!v2 && *c->base[CGROUP_CPU] == '\0'))
        return false;
    if (!read_number(dir[CGROUP_MEMORY], v2 ? "memory.current" : "memory.usage_in_bytes", NULL,
                     &out->memory_bytes) ||
        !read_number(dir[CGROUP_CPU], v2 ? "cpu.stat" : "cpuacct.usage", v2 ? "usage_usec " : NULL,
                     &out->cpu_ns))
        return false;
    if (v2)
        out->cpu_ns *= 1000;
    return true;
}
