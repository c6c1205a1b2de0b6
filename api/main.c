/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api.h"
#include "common/program.h"

#include "common/banned.h"

static enum err_code run(const void *settings, struct err *err)
{
    return api_run(settings, err);
}

int main(int argc, char **argv)
{
    struct settings s = {0};
    const struct program p = {
        .name = "sandfleet-api",
        .failed = "api.failed",
        .usage = api_settings_usage,
        .rows = api_settings_rows,
        .n = api_settings_n,
        .settings = &s,
        .common = &s.common,
        .check = api_settings_check,
        .run = run,
    };

    return program_main(&p, argc, argv);
}
