/* SPDX-License-Identifier: Apache-2.0 */
/* Servers for the tests of this folder: the shared ones of ops/test by
 * environment, and, where a test kills a server, a stack of the test's own. */
#ifndef SANDFLEET_TESTS_DEV_STACK_H
#define SANDFLEET_TESTS_DEV_STACK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static inline const char *shared_server(const char *variable)
{
    const char *value = getenv(variable);
    if (!value || !*value)
        fail_msg("%s is not set: run this by ops/test, or source the env file of `ops/dev up`",
                 variable);
    return value;
}

struct dev_stack {
    char dir[256];
    char address[512]; /* SANDFLEET_BROKERS or SANDFLEET_DATABASE */
};

static inline void dev_stack_do(struct dev_stack *s, const char *command, const char *args)
{
    char line[1024];
    snprintf(line, sizeof line, "ops/dev %s --dir '%s' %s >>'%s.log' 2>&1", command, s->dir, args,
             s->dir);
    if (system(line) != 0)
        fail_msg("failed: %s", line);
}

/* Starts one part ("kafka", "postgres") and reads its address from the env file. */
static inline void dev_stack_up(struct dev_stack *s, const char *part, const char *variable)
{
    const char *base = getenv("SANDFLEET_TEST_DIR");
    char line[1024], args[64];
    snprintf(s->dir, sizeof s->dir, "%s/%s-%d", base ? base : "/tmp", part, (int)getpid());
    snprintf(args, sizeof args, "--only %s", part);
    dev_stack_do(s, "up", args);
    snprintf(line, sizeof line, ". '%s/env' && printf %%s \"$%s\"", s->dir, variable);
    FILE *f = popen(line, "r");
    if (!f || !fgets(s->address, sizeof s->address, f) || pclose(f) != 0)
        fail_msg("no %s in %s/env", variable, s->dir);
}

static inline void dev_stack_down(struct dev_stack *s)
{
    char log[300];
    dev_stack_do(s, "down", "--wipe");
    snprintf(log, sizeof log, "%s.log", s->dir);
    unlink(log);
}

#endif
