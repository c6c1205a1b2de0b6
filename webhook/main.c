/* SPDX-License-Identifier: Apache-2.0 */
#include "common/program.h"
#include "webhook/webhook.h"

#include "common/banned.h"

static enum err_code run(const void *settings, struct err *err)
{
    return webhook_run(settings, err);
}

int main(int argc, char **argv)
{
    struct settings s = {0};
    const struct program p = {
        .name = "sandfleet-webhook",
        .failed = "webhook.failed",
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
