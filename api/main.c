/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "api/api.h"
#include "common/log.h"
#include "common/secret/secret.h"
#include "common/std_fds.h"

#include "common/banned.h"

static int end(struct settings *s, enum err_code rc)
{
    api_settings_release(s);
    return err_exit_status(rc);
}

int main(int argc, char **argv)
{
    struct settings s = {0};
    struct err err = ERR_INIT;

    std_fds_hold();
    if (secret_init(&err) != ERR_OK || api_settings_read(&s, argc, argv, &err) != ERR_OK) {
        fprintf(stderr, "sandfleet-api: %s\n", err.msg);
        return end(&s, err.code);
    }
    if (s.help) {
        api_settings_help(stdout);
    } else if (s.version) {
        puts("sandfleet-api " SF_VERSION);
    } else if (s.print_config) {
        option_print(api_settings_rows, api_settings_n, &s, stdout);
    } else if (api_run(&s, &err) != ERR_OK) {
        log_event(LOG_ERROR, "api.failed", LF_ERR(&err));
        return end(&s, err.code);
    }
    return end(&s, ERR_OK);
}
