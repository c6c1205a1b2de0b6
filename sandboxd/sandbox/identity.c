/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/identity.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/fsuid.h>
#include <unistd.h>

#include "common/banned.h"

static enum err_code own_identity(const char *user, struct identity *out, struct err *err)
{
    const struct passwd *pw = user != NULL ? getpwnam(user) : NULL;

    *out = (struct identity){.uid = geteuid(), .gid = getegid()};
    if (user != NULL && (pw == NULL || pw->pw_uid != out->uid))
        return err_set(err, ERR_CONFIG,
                       "--run-as '%s' needs root: start as root, or leave --run-as out", user);
    return ERR_OK;
}

enum err_code identity_find(const char *user, struct identity *out, struct err *err)
{
    if (geteuid() != 0)
        return own_identity(user, out, err);
    if (user == NULL)
        return err_set(err, ERR_CONFIG,
                       "sandboxes must not run as root: make a user (useradd --system sandfleet) "
                       "and give --run-as sandfleet");
    errno = 0;
    const struct passwd *pw = getpwnam(user);
    if (pw == NULL)
        return err_set(err, ERR_CONFIG, "no user '%s' for --run-as: make one (useradd --system %s)",
                       user, user);
    if (pw->pw_uid == 0)
        return err_set(err, ERR_CONFIG, "--run-as '%s' is root: name another user", user);
    *out = (struct identity){
        .drop = true, .uid = pw->pw_uid, .gid = pw->pw_gid, .n_groups = IDENTITY_GROUPS};
    if (getgrouplist(user, pw->pw_gid, out->groups, &out->n_groups) < 0)
        return err_set(err, ERR_CONFIG, "user '%s' is in more than %d groups", user,
                       IDENTITY_GROUPS);
    return ERR_OK;
}

void identity_enter(const struct identity *id)
{
    if (!id->drop)
        return;
    (void)setfsgid(id->gid);
    (void)setfsuid(id->uid); /* also takes root's file capabilities away */
}

void identity_leave(const struct identity *id)
{
    if (!id->drop)
        return;
    (void)setfsuid(0);
    (void)setfsgid(0);
}

bool identity_drop(const struct identity *id)
{
    if (!id->drop)
        return true;
    return setgroups((size_t)id->n_groups, id->groups) == 0 &&
           setresgid(id->gid, id->gid, id->gid) == 0 && setresuid(id->uid, id->uid, id->uid) == 0 &&
           setuid(0) < 0; /* and there is no way back */
}
