/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/seccomp_filter.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#include "common/attrs.h"

#include "common/banned.h"

/* Refused with EPERM. A name that this machine's kernel or libseccomp does not know is skipped. */
static const char *const refused[] = {
    /* mounts and namespaces */
    "mount", "umount", "umount2", "pivot_root", "chroot", "setns", "unshare", "fsopen", "fsconfig",
    "fsmount", "fspick", "open_tree", "move_mount", "mount_setattr",
    /* files by handle, past every path */
    "open_by_handle_at", "name_to_handle_at", "fanotify_init",
    /* the machine */
    "acct", "quotactl", "quotactl_fd", "swapon", "swapoff", "reboot", "kexec_load",
    "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module",
    "query_module", "get_kernel_syms", "nfsservctl", "settimeofday", "clock_settime",
    "clock_settime64", "clock_adjtime", "clock_adjtime64", "adjtimex", "stime", "sethostname",
    "setdomainname", "syslog", "vhangup", "iopl", "ioperm", "lookup_dcookie",
    /* where kernels broke before */
    "bpf", "perf_event_open", "userfaultfd", "add_key", "request_key", "keyctl", "uselib", "ustat",
    "sysfs", "_sysctl", "vm86", "vm86old", "kcmp", "pidfd_getfd", "process_madvise",
    "io_uring_setup", "io_uring_enter", "io_uring_register"};

/* A new process may have no new namespace. */
static const unsigned long namespaces[] = {CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET,
                                           CLONE_NEWNS,   CLONE_NEWIPC, CLONE_NEWCGROUP,
                                           CLONE_NEWUTS};
/* Sockets to this machine and the network; netlink is what lists its interfaces. */
static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static int refuse_calls(scmp_filter_ctx f)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < COUNTOF(refused); i++) {
        int number = seccomp_syscall_resolve_name(refused[i]);

        if (number != __NR_SCMP_ERROR)
            rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), number, 0);
        if (rc == -EDOM || rc == -EEXIST) /* not of this architecture */
            rc = 0;
    }
    return rc;
}

static int refuse_namespaces(scmp_filter_ctx f)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < COUNTOF(namespaces); i++)
        rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                              SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
    if (rc == 0) /* its flags lie in memory, where no filter can look: libc falls back to clone */
        rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
    return rc;
}

static int refuse_families(scmp_filter_ctx f)
{
    int rc = 0, next = 0;

    for (size_t i = 0; rc == 0 && i < COUNTOF(families); i++) { /* each gap between two of them */
        for (; rc == 0 && next < families[i]; next++)
            rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                  SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)next, 0));
        next = families[i] + 1;
    }
    if (rc == 0)
        rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                              SCMP_A0(SCMP_CMP_GE, (scmp_datum_t)next, 0));
    return rc;
}

/* Typing into somebody else's terminal. */
static int refuse_typing(scmp_filter_ctx f)
{
    static const unsigned long requests[] = {TIOCSTI, TIOCLINUX};
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < COUNTOF(requests); i++)
        rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                              SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffffUL, requests[i]));
    return rc;
}

static int read_program(scmp_filter_ctx f, struct buf *out)
{
    int fd = memfd_create("seccomp", MFD_CLOEXEC);
    int rc = fd < 0 ? -errno : seccomp_export_bpf(f, fd);
    off_t n = rc == 0 ? lseek(fd, 0, SEEK_END) : 0;
    char *room = n > 0 ? buf_room(out, (size_t)n) : NULL;

    if (rc == 0 && (room == NULL || pread(fd, room, (size_t)n, 0) != n))
        rc = -EIO;
    if (rc == 0)
        buf_grew(out, (size_t)n);
    if (fd >= 0)
        (void)close(fd);
    return rc;
}

enum err_code seccomp_filter_make(struct buf *out, struct err *err)
{
    scmp_filter_ctx f = seccomp_init(SCMP_ACT_ALLOW);
    int rc = f == NULL ? -ENOMEM : 0;

    if (rc == 0) /* programs for another architecture would not be looked at */
        rc = seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    if (rc == 0)
        rc = refuse_calls(f);
    if (rc == 0)
        rc = refuse_namespaces(f);
    if (rc == 0)
        rc = refuse_families(f);
    if (rc == 0)
        rc = refuse_typing(f);
    if (rc == 0)
        rc = read_program(f, out);
    seccomp_release(f);
    if (rc == 0)
        return ERR_OK;
    return err_set(err, ERR_CONFIG, "cannot make a filter of system calls: %s", strerror(-rc));
}
