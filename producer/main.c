/* SPDX-License-Identifier: Apache-2.0 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/log.h"
#include "common/secret.h"
#include "common/std_fds.h"
#include "producer/client.h"
#include "schema/cancel.h"
#include "common/banned.h"

static const struct command commands[] = {
    {"run", "[PROMPT]", "Submits one prompt and follows the run to its end.", "submit",
     client_run_rows, &client_run_n, 1, command_run},
    {"submit", "[PROMPT | -]", "Submits a prompt or a file of prompts; prints the run ids.",
     "submit", client_submit_rows, &client_submit_n, 1, command_submit},
    {"follow", "RUN_ID", "Follows a run from its first event to its end.", "read",
     client_follow_rows, &client_follow_n, 1, command_follow},
    {"events", "RUN_ID | --gaps [RUN_ID]", "Tells a run's events, or what is missing of them.",
     "read", client_events_rows, &client_events_n, 1, command_events},
    {"cancel", "RUN_ID… | --batch NAME", "Ends runs, wherever they are.", "cancel",
     client_cancel_rows, &client_cancel_n, CANCEL_RUNS_MAX, command_cancel},
    {"topics apply", "", "Creates the Kafka topics, or checks those that exist.", "admin",
     client_topics_rows, &client_topics_n, 0, command_topics_apply},
    {"migrate", "", "Brings the database to this version's shape.", "admin", client_migrate_rows,
     &client_migrate_n, 0, command_migrate},
    {"retention", "--keep DURATION", "Drops the events of old runs; runs and sums stay.", "admin",
     client_retention_rows, &client_retention_n, 0, command_retention},
    {"limits get", "", "Tells what the fleet may run at once, and how it is shared.", "admin",
     client_limits_rows, &client_limits_n, 0, command_limits_get},
    {"limits set", "fleet|tenant:NAME|credential:NAME|key:NAME LIMIT VALUE|none|default",
     "Changes a limit of the fleet, a tenant, a credential or a key; it holds from the next start "
     "on.",
     "admin", client_limits_rows, &client_limits_n, 3, command_limits_set},
};

static int usage(FILE *to)
{
    fputs("sandfleet: runs Claude Code prompts in sandboxes, through Kafka into Postgres\n\n"
          "usage: sandfleet COMMAND [options]\n\n",
          to);
    for (size_t i = 0; i < COUNTOF(commands); i++)
        fprintf(to, "  %-14s %s\n", commands[i].name, commands[i].help);
    fputs("\n`sandfleet COMMAND --help` tells its options. Those of an installation may also come\n"
          "from the environment: --brokers as SANDFLEET_BROKERS. Exit status: 0 ok, 1 the run\n"
          "failed, 2 usage, 3 a cancel came too late for some, 65 bad input, 66 no such file or\n"
          "run, 74 output failed, 75 broker or server unreachable, 78 configuration, 124 the wait\n"
          "ended first, 130 interrupted.\n",
          to);
    return to == stderr ? 2 : 0;
}

static void command_help(const struct command *c)
{
    printf("%s\n\nusage: sandfleet %s %s%s[options]\n\n", c->help, c->name, c->args,
           c->args[0] ? " " : "");
    option_help(c->rows, *c->n_rows, stdout);
}

/* The command that argv begins with; *words is how many of argv name it. */
static const struct command *find(int argc, char **argv, int *words)
{
    for (size_t i = 0; i < COUNTOF(commands); i++) {
        struct str rest = str_of(commands[i].name), word;
        int n = 0;
        bool same = true;

        while (same && rest.n && str_next(&rest, ' ', &word)) {
            n++;
            same = n < argc && str_is(word, argv[n]);
        }
        if (same) {
            *words = n;
            return &commands[i];
        }
    }
    return NULL;
}

static enum err_code parse_output(struct client *c, struct err *err)
{
    static const char *const names[] = {"text", "json", "jsonl"};

    for (size_t i = 0; c->output_text && i < COUNTOF(names); i++)
        if (strcmp(c->output_text, names[i]) == 0) {
            c->output = (enum output)i;
            return ERR_OK;
        }
    return c->output_text ? err_set(err, ERR_USAGE, "--output is text, json or jsonl, not '%.40s'",
                                    c->output_text)
                          : ERR_OK;
}

static enum err_code parse_log_level(const struct client *c, struct err *err)
{
    enum log_level level = LOG_WARN;

    if (c->log_level && !log_parse_level(str_of(c->log_level), &level))
        return err_set(err, ERR_USAGE, "--log-level is error, warn, info or debug, not '%.40s'",
                       c->log_level);
    log_setup(level, LOG_TEXT, 2);
    return ERR_OK;
}

static int run_command(const struct command *c, int argc, char **argv)
{
    struct client settings = {.priority = -1}; /* -1: not given */
    struct err err = ERR_INIT;
    int n_words = 0, status;

    if (option_parse(c->rows, *c->n_rows, &settings, argc, argv, &n_words, &err) != ERR_OK ||
        parse_output(&settings, &err) != ERR_OK || parse_log_level(&settings, &err) != ERR_OK) {
        status = client_fail(&err);
    } else if (settings.help) {
        command_help(c);
        status = 0;
    } else if (n_words > c->max_words) {
        err_set(&err, ERR_USAGE, "too many words after '%s': '%.40s'; quote the prompt", c->name,
                argv[1 + c->max_words]);
        status = client_fail(&err);
    } else {
        status = c->run(&settings, n_words, argv + 1);
    }
    option_release(c->rows, *c->n_rows, &settings);
    return status;
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;
    int words = 0;

    std_fds_hold();
    signal(SIGPIPE, SIG_IGN);
    if (secret_init(&err) != ERR_OK)
        return client_fail(&err);
    if (argc < 2)
        return usage(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0)
        return usage(stdout);
    if (strcmp(argv[1], "--version") == 0) {
        puts("sandfleet " SF_VERSION);
        return 0;
    }
    const struct command *c = find(argc, argv, &words);
    if (!c) {
        err_set(&err, ERR_USAGE, "'%.40s' is no command", argv[1]);
        return client_fail(&err);
    }
    return run_command(c, argc - words, argv + words);
}
