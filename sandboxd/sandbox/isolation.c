/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/isolation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sandboxd/sandbox/bubblewrap.h"
#include "sandboxd/sandbox/init.h"
#include "sandboxd/sandbox/seccomp_filter.h"

#include "common/banned.h"

// clang-format off
static const struct {
    const char *name;
    uint32_t mechanisms;
    const char *warning; /* always true of it */
} levels[ISOLATION_LEVELS] = {
    [ISOLATION_NONE] = {"none", 0,
        "sandboxes share this machine's files, processes and network; run only what you would run "
        "yourself"},
    [ISOLATION_WEAK] = {"weak", MECH_SECCOMP | MECH_FENCE | MECH_LIMITS,
        "sandboxes see this machine's processes; its unix sockets, its UDP and its TCP ports are "
        "not contained"},
    [ISOLATION_MEDIUM] = {"medium", MECH_NAMESPACES | MECH_SECCOMP | MECH_LIMITS,
        "sandboxes can reach the network services of this machine, those on 127.0.0.1 as well"},
    [ISOLATION_STRONG] = {"strong", MECH_NAMESPACES | MECH_NETWORK | MECH_SECCOMP | MECH_LIMITS, ""},
};
// clang-format on

bool isolation_parse(const char *name, enum isolation_level *out)
{
    for (size_t i = 0; i < ISOLATION_LEVELS; i++) {
        if (strcmp(name, levels[i].name) != 0)
            continue;
        *out = (enum isolation_level)i;
        return true;
    }
    return false;
}

const char *isolation_name(enum isolation_level level)
{
    return levels[level].name;
}

uint32_t isolation_mechanisms(enum isolation_level level)
{
    return levels[level].mechanisms;
}

bool isolation_own_root(const struct isolation *iso)
{
    return (iso->mechanisms & MECH_NAMESPACES) != 0;
}

/* --- what there must be ----------------------------------------------------------- */

/* Beside our own program, wherever that was put. */
static enum err_code open_program(struct isolation *iso, struct err *err)
{
    char path[PATH_MAX + 32];
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

    path[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return err_errno(err, errno, "cannot tell where this program is");
    (void)snprintf(slash, sizeof(path) - (size_t)(slash - path), "/sandfleet-init");
    iso->program = open(path, O_RDONLY | O_CLOEXEC);
    if (iso->program >= 0)
        return ERR_OK;
    return err_set(err, ERR_CONFIG,
                   "cannot open '%s' (%s): install sandfleet-init beside sandfleet-sandboxd", path,
                   strerror(errno));
}

static enum err_code check_landlock(struct isolation *iso, struct err *err)
{
    const char *level = isolation_name(iso->want.level);

    iso->landlock = landlock_abi();
    if ((iso->mechanisms & MECH_FENCE) && iso->landlock < LANDLOCK_ABI_FILES)
        return err_set(err, ERR_CONFIG,
                       "--isolation %s needs Landlock, which this kernel has not or has switched "
                       "off: boot with lsm=landlock,… (Linux 5.13 and later), or take medium",
                       level);
    if (iso->want.n_ports == 0)
        return ERR_OK;
    if (iso->want.level == ISOLATION_NONE || iso->want.level == ISOLATION_STRONG)
        return err_set(err, ERR_CONFIG, "--connect-ports is for weak and medium: %s %s", level,
                       iso->want.level == ISOLATION_NONE ? "contains nothing"
                                                         : "has no network but the proxy");
    if (iso->landlock < LANDLOCK_ABI_TCP)
        return err_set(err, ERR_CONFIG,
                       "--connect-ports needs Landlock's version %d, this kernel has %d: leave it "
                       "out, or start Linux 6.7 or later",
                       LANDLOCK_ABI_TCP, iso->landlock);
    return ERR_OK;
}

static enum err_code check_namespaces(struct isolation *iso, const struct identity *id,
                                      const char *data, struct err *err)
{
    enum err_code rc = bubblewrap_find(iso->bwrap, err);

    if (rc == ERR_OK)
        rc = bubblewrap_prepare(iso, data, err);
    if (rc == ERR_OK)
        rc = init_try(iso, id, err);
    if (rc == ERR_OK)
        return ERR_OK;
    return err_wrap(err, "--isolation %s", isolation_name(iso->want.level));
}

/* --- what there is, for people ------------------------------------------------------- */

static void describe(struct isolation *iso)
{
    AUTO_BUF b = BUF_INIT(sizeof(iso->text) - 1);
    bool none = iso->want.level == ISOLATION_NONE;

    if (iso->mechanisms & MECH_NAMESPACES)
        buf_adds(&b, "namespaces(user,pid,mount,ipc,uts,cgroup) minimal-root no-capabilities ");
    if (iso->mechanisms & MECH_NETWORK)
        buf_adds(&b, "namespaces(net) ");
    if (iso->mechanisms & MECH_FENCE)
        buf_adds(&b, "landlock(files) ");
    if (!none && iso->landlock >= LANDLOCK_ABI_SCOPES)
        buf_adds(&b, "landlock(signals,abstract-sockets) ");
    if (iso->want.n_ports > 0)
        buf_adds(&b, "landlock(tcp) ");
    if (iso->mechanisms & MECH_SECCOMP)
        buf_adds(&b, "seccomp ");
    if (iso->mechanisms & MECH_LIMITS)
        buf_addf(&b, "limits(%s) ", cgroup_kind_name(iso->cgroups.kind));
    buf_adds(&b, "no-new-privileges");
    (void)snprintf(iso->text, sizeof(iso->text), STR_FMT, STR_ARG(buf_str(&b)));
}

static void warn_also(struct isolation *iso, bool really, const char *what)
{
    size_t n = strlen(iso->warning);

    if (really)
        (void)snprintf(iso->warning + n, sizeof(iso->warning) - n, "%s%s", n > 0 ? "; " : "", what);
}

static void warn(struct isolation *iso)
{
    enum isolation_level level = iso->want.level;

    warn_also(iso, *levels[level].warning != '\0', levels[level].warning);
    warn_also(iso, level == ISOLATION_WEAK && iso->landlock < LANDLOCK_ABI_SCOPES,
              "they can signal processes of the same user and reach abstract sockets (Landlock is "
              "older than version 6)");
    warn_also(iso, level == ISOLATION_MEDIUM && iso->landlock < LANDLOCK_ABI_SCOPES,
              "they can reach abstract sockets of this machine (Landlock is older than version 6)");
    warn_also(iso, (iso->mechanisms & MECH_LIMITS) && iso->cgroups.kind == CGROUP_NONE,
              "memory is limited per process only (no cgroup could be used)");
}

/* --- the whole ----------------------------------------------------------------------- */

enum err_code isolation_prepare(const struct isolation_want *want, const struct identity *id,
                                const char *data, struct isolation *iso, struct err *err)
{
    *iso = (struct isolation){.want = *want,
                              .mechanisms = isolation_mechanisms(want->level),
                              .program = -1,
                              .filter = BUF_INIT(SECCOMP_FILTER_MAX),
                              .bwrap_args = BUF_INIT(BUBBLEWRAP_ARGS_MAX)};
    enum err_code rc = open_program(iso, err);
    if (rc == ERR_OK)
        rc = check_landlock(iso, err);
    if (rc == ERR_OK && (iso->mechanisms & MECH_SECCOMP))
        rc = seccomp_filter_make(&iso->filter, err);
    if (rc == ERR_OK && (iso->mechanisms & MECH_LIMITS))
        cgroups_find(&iso->cgroups);
    if (rc == ERR_OK && (iso->mechanisms & MECH_NAMESPACES))
        rc = check_namespaces(iso, id, data, err);
    describe(iso);
    warn(iso);
    return rc;
}

void isolation_release(struct isolation *iso)
{
    if (iso->program > 0)
        (void)close(iso->program);
    buf_release(&iso->filter);
    buf_release(&iso->bwrap_args);
    cgroups_release(&iso->cgroups);
}
