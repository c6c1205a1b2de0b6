/* SPDX-License-Identifier: Apache-2.0 */
#include "common/program.h"

#include "common/log.h"
#include "common/secret/secret.h"
#include "common/std_fds.h"

#include "common/banned.h"

static enum err_code read_settings(const struct program *p, int argc, char **argv, struct err *err)
{
    int words = 0;

    if (secret_init(err) != ERR_OK ||
        option_parse(p->rows, p->n, p->settings, argc, argv, &words, err) != ERR_OK)
        return err->code;
    if (words > p->words)
        return err_set(err, ERR_USAGE, "'%.40s' is no option", argv[1 + p->words]);
    if (log_setup_as(p->common->log_level, p->common->log_format, err) != ERR_OK)
        return err->code;
    return p->check(p->settings, words > 0 ? argv[1] : NULL, err);
}

static void tell(const struct program *p)
{
    if (p->common->help) {
        (void)fputs(p->usage, stdout);
        option_help(p->rows, p->n, stdout);
    } else if (p->common->version) {
        (void)printf("%s %s\n", p->name, SF_VERSION);
    } else {
        option_print(p->rows, p->n, p->settings, stdout);
    }
}

int program_main(const struct program *p, int argc, char **argv)
{
    struct err err = ERR_INIT;
    enum err_code rc;

    std_fds_hold();
    rc = read_settings(p, argc, argv, &err);
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n", p->name, err.msg);
    } else if (program_asked(p->common)) {
        tell(p);
    } else {
        rc = p->run(p->settings, &err);
        if (rc != ERR_OK)
            log_event(LOG_ERROR, p->failed, LF_ERR(&err));
    }
    option_release(p->rows, p->n, p->settings);
    return err_exit_status(rc);
}
