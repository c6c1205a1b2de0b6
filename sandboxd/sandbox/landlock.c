/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/attrs.h"

#include "common/banned.h"

enum { CREATE_VERSION = 1 << 0, RULE_PATH = 1, RULE_PORT = 2 };

enum { /* rights on files; each kernel knows the first so many of them */
       FS_EXECUTE = 1 << 0,
       FS_WRITE_FILE = 1 << 1,
       FS_READ_FILE = 1 << 2,
       FS_READ_DIR = 1 << 3,
       FS_TRUNCATE = 1 << 14,
       FS_IOCTL_DEV = 1 << 15
};
enum { FS_READING = FS_EXECUTE | FS_READ_FILE | FS_READ_DIR };
enum { FS_OF_FILE = FS_EXECUTE | FS_WRITE_FILE | FS_READ_FILE | FS_TRUNCATE | FS_IOCTL_DEV };
enum { NET_CONNECT = 1 << 1 };
enum { SCOPE_ABSTRACT = 1 << 0, SCOPE_SIGNAL = 1 << 1 };

struct ruleset_attr {
    uint64_t fs, net, scoped;
};
struct path_attr {
    uint64_t allowed;
    int32_t parent;
} __attribute__((packed));
struct port_attr {
    uint64_t allowed, port;
};

static const int calls[] = {444, 445, 446}; /* create, add rule, restrict: the same everywhere */

int landlock_abi(void)
{
    long v = syscall(calls[0], NULL, (size_t)0, CREATE_VERSION);

    return v < 0 ? 0 : (int)v;
}

static uint64_t all_of(int abi)
{
    static const int rights[] = {0, 13, 14, 15, 15}; /* by version; from 5 on 16 */

    return (UINT64_C(1) << (abi < (int)COUNTOF(rights) ? rights[abi] : 16)) - 1;
}

static size_t attr_size(int abi)
{
    if (abi >= LANDLOCK_ABI_SCOPES)
        return sizeof(struct ruleset_attr);
    return abi >= LANDLOCK_ABI_TCP ? offsetof(struct ruleset_attr, scoped)
                                   : offsetof(struct ruleset_attr, net);
}

static bool add_path(int set, uint64_t all, const struct landlock_path *p)
{
    struct stat st;
    struct path_attr a = {.allowed = p->what == LANDLOCK_READ ? FS_READING : all,
                          .parent = open(p->path, O_PATH | O_CLOEXEC)};

    if (a.parent < 0) /* nothing there, or nothing that we may see */
        return true;
    if (fstat(a.parent, &st) == 0 && !S_ISDIR(st.st_mode))
        a.allowed &= FS_OF_FILE;
    a.allowed &= all;
    long rc = syscall(calls[1], set, RULE_PATH, &a, 0U);
    int errnum = errno;
    (void)close(a.parent);
    errno = errnum;
    return rc == 0;
}

static bool add_rules(int set, uint64_t all, const struct landlock_rules *r)
{
    for (uint32_t i = 0; i < r->n_paths; i++)
        if (!add_path(set, all, &r->paths[i]))
            return false;
    for (uint32_t i = 0; i < r->n_ports; i++) {
        const struct port_attr a = {NET_CONNECT, r->ports[i]};

        if (syscall(calls[1], set, RULE_PORT, &a, 0U) != 0)
            return false;
    }
    return true;
}

bool landlock_enter(const struct landlock_rules *r)
{
    int abi = landlock_abi();
    const struct ruleset_attr a = {
        .fs = r->n_paths > 0 ? all_of(abi) : 0,
        .net = r->n_ports > 0 ? NET_CONNECT : 0,
        .scoped = abi >= LANDLOCK_ABI_SCOPES ? SCOPE_ABSTRACT | SCOPE_SIGNAL : 0};

    if (a.net != 0 && abi < LANDLOCK_ABI_TCP) {
        errno = EOPNOTSUPP;
        return false;
    }
    if (a.fs == 0 && a.net == 0 && a.scoped == 0)
        return true;
    int set = (int)syscall(calls[0], &a, attr_size(abi), 0U);
    if (set < 0)
        return false;
    bool good = add_rules(set, a.fs, r) && syscall(calls[2], set, 0U) == 0;
    int errnum = errno;
    (void)close(set);
    errno = errnum;
    return good;
}
