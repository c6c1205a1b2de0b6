/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/secret/secret.h"
#include "common/std_fds.h"
#include "producer/audit.h"
#include "producer/client.h"
#include "producer/command.h"
#include "producer/config/config.h"
#include "producer/manual/usage.h"
#include "common/banned.h"

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

static int run_parsed(const struct command *c, struct client *settings, int n_words, char **argv)
{
    struct err err = ERR_INIT;

    if (parse_output(settings, &err) != ERR_OK || parse_log_level(settings, &err) != ERR_OK ||
        client_check(settings, &err) != ERR_OK)
        return client_fail(&err);
    if (n_words > c->max_words) {
        err_set(&err, ERR_USAGE, "too many words after '%s': '%.40s'%s", c->name,
                argv[1 + c->max_words], strstr(c->args, "PROMPT") ? "; quote the prompt" : "");
        return client_fail(&err);
    }
    audit_command(c, n_words, argv + 1);
    int status = c->run(settings, n_words, argv + 1);
    audit_done();
    return status;
}

/* A flag's value, else the variable's; NULL: neither is set. */
static const char *said(const struct call *call, const char *flag, const char *variable, int argc,
                        char **argv)
{
    const char *v = option_peek(call->rows, call->n_rows, flag, argc, argv);

    v = v ? v : getenv(variable);
    return v && *v ? v : NULL;
}

static enum err_code read_config(struct call *call, int argc, char **argv, struct err *err)
{
    const char *path = said(call, "config", "SANDFLEET_CONFIG", argc, argv);
    const char *profile = said(call, "profile", "SANDFLEET_PROFILE", argc, argv);
    enum err_code rc = ERR_OK;

    if (call->command->config != CONFIG_IGNORED)
        rc = config_load(path, profile, &call->config, err);
    if (rc == ERR_OK || call->command->config != CONFIG_REPORTED)
        return rc;
    call->config_fault = *err;
    *err = ERR_INIT;
    return ERR_OK;
}

static int parse_and_run(struct call *call, struct client *settings, int argc, char **argv)
{
    struct opt_input in = {.rows = call->rows,
                           .n = call->n_rows,
                           .settings = settings,
                           .argc = argc,
                           .argv = argv,
                           .origins = call->origins};
    struct err err = ERR_INIT;
    int n_words = 0;

    settings->priority = -1; /* not given */
    settings->call = call;
    if (read_config(call, argc, argv, &err) != ERR_OK)
        return client_fail(&err);
    in.source = call->config ? config_source(call->config) : NULL;
    int status = option_parse_from(&in, &n_words, &err) == ERR_OK
                     ? run_parsed(call->command, settings, n_words, argv)
                     : client_fail(&err);
    option_release(call->rows, call->n_rows, settings);
    return status;
}

static int run_command(const struct command *c, int argc, char **argv)
{
    struct call call = {.command = c};
    struct client *settings = calloc(1, command_size(c));
    struct err err = ERR_INIT;
    int status;

    client_called(c->name);
    call.rows = command_rows(c, &call.n_rows);
    call.origins = call.rows ? calloc(call.n_rows, sizeof *call.origins) : NULL;
    if (!call.origins || !settings) {
        err_set(&err, ERR_NOMEM, "out of memory");
        status = client_fail(&err);
    } else if (option_peek(call.rows, call.n_rows, "help", argc, argv)) {
        usage_command(c, stdout);
        status = EXIT_OK;
    } else {
        status = parse_and_run(&call, settings, argc, argv);
    }
    config_free(call.config);
    free(settings);
    free(call.origins);
    free(call.rows);
    return status;
}

static int unknown(int argc, char **argv)
{
    char near[64];
    struct err err = ERR_INIT;

    command_nearest(argc, argv, near, sizeof near);
    if (near[0])
        err_set(&err, ERR_USAGE, "'%.40s' is no command: did you mean 'sandfleet %s'?", argv[0],
                near);
    else
        err_set(&err, ERR_USAGE, "'%.40s' is no command", argv[0]);
    return client_fail(&err);
}

/* A noun was named, and none of its verbs. */
static int noun_alone(const struct command_match *m, int argc, char **argv)
{
    struct err err = ERR_INIT;
    char near[64];
    bool help = argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0);

    if (argc > 1 && argv[1][0] != '-') {
        command_nearest(argc, argv, near, sizeof near);
        err_set(&err, ERR_USAGE, "'%.20s %.40s' is no command%s%s%s", argv[0], argv[1],
                near[0] ? ": did you mean 'sandfleet " : "", near, near[0] ? "'?" : "");
        return client_fail(&err);
    }
    usage_group(m->group, help ? stdout : stderr);
    return help ? EXIT_OK : EXIT_USAGE;
}

/* `sandfleet help`, with or without a command's or a noun's name. */
static int help(int argc, char **argv)
{
    struct command_match m = command_find(argc, argv);

    if (argc == 0)
        usage_all(stdout);
    else if (m.group && (!m.command || m.by_noun))
        usage_group(m.group, stdout);
    else if (m.command)
        usage_command(m.command, stdout);
    else
        return unknown(argc, argv);
    return EXIT_OK;
}

/* `sandfleet --profile prod runs list`: what stands before the command goes behind it. */
static void bring_forward(int argc, char **argv)
{
    size_t n;
    struct opt *rows = command_all_rows(&n);
    int lead = rows ? option_leading(rows, n, argc, argv) : 0, words;

    free(rows);
    words = lead > 0 && 1 + lead < argc ? command_find(argc - 1 - lead, argv + 1 + lead).words : 0;
    for (int w = 0; w < words; w++)
        for (int i = 1 + lead + w; i > 1 + w; i--) {
            char *other = argv[i];

            argv[i] = argv[i - 1];
            argv[i - 1] = other;
        }
}

/* `sandfleet limits --help`, `sandfleet limits se`: the noun is meant, or another of its verbs. */
static bool wants_verb(const struct command_match *m, int argc, char **argv)
{
    const char *next = 1 + m->words < argc ? argv[1 + m->words] : "-";

    return strcmp(next, "--help") == 0 || strcmp(next, "-h") == 0 ||
           (next[0] != '-' && m->command->max_words == 0);
}

static int dispatch(int argc, char **argv)
{
    struct command_match m;

    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return help(0, NULL);
    if (strcmp(argv[1], "help") == 0)
        return help(argc - 2, argv + 2);
    if (strcmp(argv[1], "--version") == 0) {
        puts("sandfleet " SF_VERSION);
        return EXIT_OK;
    }
    m = command_find(argc - 1, argv + 1);
    if (m.command && !(m.by_noun && wants_verb(&m, argc, argv)))
        return run_command(m.command, argc - m.words, argv + m.words);
    return m.group ? noun_alone(&m, argc - 1, argv + 1) : unknown(argc - 1, argv + 1);
}

/* What stdio still held is written now, or said to be lost; who reads no further is no fault. */
static int flushed(int status)
{
    struct err err = ERR_INIT;

    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    if (errno == EPIPE || status != EXIT_OK)
        return status;
    err_set(&err, ERR_IO, "cannot write to standard output%s%s", errno ? ": " : "",
            errno ? strerror(errno) : "");
    return client_fail(&err);
}

int main(int argc, char **argv)
{
    struct err err = ERR_INIT;

    std_fds_hold();
    signal(SIGPIPE, SIG_IGN);
    if (secret_init(&err) != ERR_OK)
        return client_fail(&err);
    if (argc < 2) {
        usage_all(stderr);
        return EXIT_USAGE;
    }
    bring_forward(argc, argv);
    return flushed(dispatch(argc, argv));
}
