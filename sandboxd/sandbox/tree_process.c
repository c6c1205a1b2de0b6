/* SPDX-License-Identifier: Apache-2.0 */
/* Trees of processes, by /proc. */
#include "sandboxd/sandbox/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/banned.h"

enum { STOP_ROUNDS = 500, ROUND_MS = 2 };

struct task {
    int pid, parent;
    char state;
    bool ours;
    int64_t ticks, pages;
};

struct tasks {
    struct task *at;
    size_t n;
};

/* The fields behind a program's name, which may hold anything: 3 is the state, 4 the parent,
 * 14 to 17 the time, 24 the pages. */
static bool read_task(int proc, const char *name, struct task *t)
{
    char path[NAME_MAX + 8], text[1024];

    (void)snprintf(path, sizeof(path), "%s/stat", name);
    int fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    ssize_t n = read(fd, text, sizeof(text) - 1);
    (void)close(fd);
    text[n > 0 ? n : 0] = '\0';
    const char *p = n > 0 ? strrchr(text, ')') : NULL;
    if (p == NULL || strlen(p) < 4)
        return false;
    *t = (struct task){.pid = (int)strtol(name, NULL, 10), .state = p[2]};
    char *next = NULL;
    t->parent = (int)strtol(p + 4, &next, 10);
    for (int field = 5; field <= 24; field++) {
        long long v = strtoll(next, &next, 10);
        if (field >= 14 && field <= 17)
            t->ticks += v;
        if (field == 24)
            t->pages = v;
    }
    return true;
}

static struct tasks list_tasks(void)
{
    DIR *proc = opendir("/proc");
    struct tasks all = {0};
    size_t room = 0;

    for (struct dirent *e; proc != NULL && (e = readdir(proc)) != NULL;) {
        if (*e->d_name < '1' || *e->d_name > '9')
            continue;
        if (all.n == room) {
            room = room == 0 ? 256 : room * 2;
            struct task *more = realloc(all.at, room * sizeof(*more));
            if (more == NULL)
                break;
            all.at = more;
        }
        if (read_task(dirfd(proc), e->d_name, &all.at[all.n]))
            all.n++;
    }
    if (proc != NULL)
        (void)closedir(proc);
    return all;
}

/* Marks the descendants of root; mostly they come after their parents. */
static void mark(struct tasks *all, int root)
{
    bool more = true;

    while (more) {
        more = false;
        for (size_t i = 0; i < all->n; i++) {
            struct task *t = &all->at[i];
            bool child = t->parent == root;

            for (size_t j = 0; !t->ours && !child && j < all->n; j++)
                child = all->at[j].ours && all->at[j].pid == t->parent;
            more = more || (child && !t->ours);
            t->ours = t->ours || child;
        }
    }
}

static bool is_kept(int pid, const int *keep, int n)
{
    for (int i = 0; i < n; i++)
        if (keep[i] == pid)
            return true;
    return false;
}

int tree_kill_children(const int *keep, int n)
{
    struct tasks all = list_tasks();
    int self = (int)getpid(), killed = 0;

    for (size_t i = 0; i < all.n; i++)
        if (all.at[i].parent == self && !is_kept(all.at[i].pid, keep, n) &&
            kill(all.at[i].pid, SIGKILL) == 0)
            killed++;
    free(all.at);
    return killed;
}

/* To all descendants that are not in a state of `but`. How many of them may still be running:
 * one in state D (as one that waits for its vfork()ed child) is in the kernel, and acts on the
 * signal before it runs again. */
static int signal_all(int signum, const char *but)
{
    struct tasks all = list_tasks();
    int n = 0;

    mark(&all, (int)getpid());
    for (size_t i = 0; i < all.n; i++) {
        if (!all.at[i].ours || strchr(but, all.at[i].state) != NULL)
            continue;
        (void)kill(all.at[i].pid, signum);
        n += all.at[i].state != 'D';
    }
    free(all.at);
    return n;
}

bool tree_stop(void)
{
    for (int i = 0; i < STOP_ROUNDS; i++) {
        if (signal_all(SIGSTOP, "TtZX") == 0)
            return true;
        (void)poll(NULL, 0, ROUND_MS);
    }
    tree_continue(); /* all or none */
    return false;
}

void tree_continue(void)
{
    (void)signal_all(SIGCONT, "ZX");
}

void tree_usage(pid_t root, int64_t *memory_bytes, int64_t *cpu_ns)
{
    struct tasks all = list_tasks();
    int64_t ticks = 0, pages = 0;

    mark(&all, (int)root);
    for (size_t i = 0; i < all.n; i++) {
        if (!all.at[i].ours)
            continue;
        ticks += all.at[i].ticks;
        pages += all.at[i].pages;
    }
    free(all.at);
    *memory_bytes = pages * sysconf(_SC_PAGESIZE);
    *cpu_ns = ticks * (1000000000 / sysconf(_SC_CLK_TCK));
}

int64_t tree_tasks_of(uid_t uid)
{
    DIR *proc = opendir("/proc");
    int64_t n = 0;

    for (struct dirent *e; proc != NULL && (e = readdir(proc)) != NULL;) {
        char path[NAME_MAX + 8];
        struct stat st;

        (void)snprintf(path, sizeof(path), "%s/task", e->d_name);
        if (*e->d_name >= '1' && *e->d_name <= '9' && fstatat(dirfd(proc), path, &st, 0) == 0 &&
            st.st_uid == uid && st.st_nlink > 2)
            n += (int64_t)st.st_nlink - 2; /* a folder in it each */
    }
    if (proc != NULL)
        (void)closedir(proc);
    return n;
}
