/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/settings.h"

#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

#include "common/banned.h"

#define AT(member) offsetof(struct settings, member)

// clang-format off
const struct opt settings_rows[] = {
    {"listen", 0, OPT_STRING, AT(listen), "127.0.0.1:0", 3, 64, 0, "SANDFLEET_SANDBOXD_LISTEN",
     "<address:port>", "Where to listen; port 0 takes a free one below 32768 and prints it."},
    {"data", 0, OPT_STRING, AT(data), NULL, 1, 1024, 0, "SANDFLEET_SANDBOXD_DATA",
     "<folder>", "Where sandboxes and templates are kept; the sandboxes' user must be able to enter it."},
    {"claude", 0, OPT_STRING, AT(claude), NULL, 1, 4096, 0, "SANDFLEET_CLAUDE",
     "<program>", "Becomes `claude` in the sandboxes of template \"claude\"."},
    {"run-as", 0, OPT_STRING, AT(run_as), NULL, 1, 256, 0, "SANDFLEET_SANDBOXD_RUN_AS",
     "<user>", "The user that commands run as; needed, and only possible, as root."},
    {"isolation", 0, OPT_STRING, AT(isolation), NULL, 1, 16, 0, "SANDFLEET_SANDBOXD_ISOLATION",
     "<level>", "How sandboxes are kept apart; this version knows only: none."},
    {"max-sandboxes", 0, OPT_INT, AT(max_sandboxes), "100", 1, 10000, 0, "SANDFLEET_MAX_SANDBOXES",
     "<n>", "Most sandboxes at once; more are refused with 429."},
    {"e2b-api-key", 0, OPT_STRING, AT(api_key), NULL, 1, 4096, OPT_SECRET, "E2B_API_KEY",
     "<key>", "The key that callers must send as X-API-Key."},
    {"faults", 0, OPT_STRING, AT(faults), NULL, 1, 4096, OPT_NO_ENV, NULL,
     "<file>", "Scripted faults for tests, as JSON: which answers go wrong, and how."},
    {"fault-endpoint", 0, OPT_BOOL, AT(fault_endpoint), NULL, 0, 0, OPT_NO_ENV, NULL,
     NULL, "Lets PUT /sandfleet/faults replace the scripted faults; for tests."},
    {"log-level", 0, OPT_STRING, AT(log_level), "info", 1, 16, 0, NULL,
     "<level>", "Least level that is logged: error, warn, info or debug."},
    {"log-format", 0, OPT_STRING, AT(log_format), "text", 1, 16, 0, NULL,
     "<format>", "Log lines as text or json."},
    {"print-config", 0, OPT_BOOL, AT(print_config), NULL, 0, 0, OPT_NO_ENV, NULL,
     NULL, "Prints the settings in force and exits."},
    {"version", 'V', OPT_BOOL, AT(version), NULL, 0, 0, OPT_NO_ENV, NULL,
     NULL, "Prints the version and exits."},
    {"help", 'h', OPT_BOOL, AT(help), NULL, 0, 0, OPT_NO_ENV, NULL,
     NULL, "Prints this help and exits."},
};
// clang-format on
const size_t settings_n = COUNTOF(settings_rows);

static enum err_code set_log(const struct settings *s, struct err *err)
{
    bool json = strcmp(s->log_format, "json") == 0;
    enum log_level level;

    if (!log_parse_level(str_of(s->log_level), &level))
        return err_set(err, ERR_USAGE, "--log-level '%s' is not error, warn, info or debug",
                       s->log_level);
    if (!json && strcmp(s->log_format, "text") != 0)
        return err_set(err, ERR_USAGE, "--log-format '%s' is not text or json", s->log_format);
    log_setup(level, json ? LOG_JSON : LOG_TEXT, STDERR_FILENO);
    return ERR_OK;
}

static enum err_code check_isolation(const struct settings *s, struct err *err)
{
    static const char *const later[] = {"strong", "medium", "weak"};

    if (s->isolation == NULL)
        return err_set(err, ERR_CONFIG,
                       "no isolation level: this version has only --isolation none (sandboxes "
                       "share this machine's files, processes and network)");
    for (size_t i = 0; i < COUNTOF(later); i++)
        if (strcmp(s->isolation, later[i]) == 0)
            return err_set(err, ERR_CONFIG, "--isolation %s is not available yet: only none is",
                           s->isolation);
    if (strcmp(s->isolation, "none") != 0)
        return err_set(err, ERR_USAGE, "--isolation '%s' is not none", s->isolation);
    return ERR_OK;
}

static enum err_code check(const struct settings *s, struct err *err)
{
    if (s->data == NULL)
        return err_set(err, ERR_CONFIG, "no folder for sandboxes: give --data FOLDER");
    if (s->api_key == NULL)
        return err_set(err, ERR_CONFIG,
                       "no API key: set E2B_API_KEY or give --e2b-api-key-file FILE");
    return check_isolation(s, err);
}

enum err_code settings_read(struct settings *s, int argc, char **argv, struct err *err)
{
    int n_words = 0;
    enum err_code rc = option_parse(settings_rows, settings_n, s, argc, argv, &n_words, err);

    if (rc == ERR_OK && n_words > 1)
        rc = err_set(err, ERR_USAGE, "'%s' is no flag", argv[1]);
    if (rc == ERR_OK)
        rc = set_log(s, err);
    if (rc != ERR_OK || s->help || s->version || s->print_config)
        return rc;
    return check(s, err);
}

void settings_help(FILE *to)
{
    (void)fputs(
        "usage: sandfleet-sandboxd --data FOLDER --isolation none [--run-as USER] [options]\n\n"
        "Sandboxes on this machine behind E2B's API.\n\n",
        to);
    option_help(settings_rows, settings_n, to);
}

void settings_release(struct settings *s)
{
    option_release(settings_rows, settings_n, s);
}
