/* SPDX-License-Identifier: Apache-2.0 */
/* sandfleet-sandboxd: sandboxes on this machine behind E2B's API. */
#include "common/program.h"
#include "sandboxd/sandboxd.h"

#include "common/banned.h"

static enum err_code run(const void *settings, struct err *err)
{
    return sandboxd_run(settings, err);
}

int main(int argc, char **argv)
{
    struct settings s = {0};
    const struct program p = {
        .name = "sandfleet-sandboxd",
        .failed = "sandboxd.failed",
        .usage = settings_usage,
        .rows = settings_rows,
        .n = settings_n,
        .settings = &s,
        .common = &s.common,
        .check = settings_check,
        .run = run,
    };

    return program_main(&p, argc, argv);
}
