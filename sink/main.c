/* SPDX-License-Identifier: Apache-2.0 */
#include "common/program.h"
#include "sink/sink.h"

#include "common/banned.h"

static enum err_code run(const void *settings, struct err *err)
{
    return sink_run(settings, err);
}

int main(int argc, char **argv)
{
    struct settings s = {0};
    const struct program p = {
        .name = "sandfleet-sink",
        .failed = "sink.failed",
        .usage = settings_usage,
        .rows = settings_rows,
        .n = settings_n,
        .settings = &s,
        .common = &s.common,
        .words = 1,
        .check = settings_check,
        .run = run,
    };

    return program_main(&p, argc, argv);
}
