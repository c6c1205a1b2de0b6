/* SPDX-License-Identifier: Apache-2.0 */
/* The command tree: one row a command, and everything that is said of it (usage, help, man page,
 * completion, reference) comes from the row. A noun's rows stand in a file of their own
 * (commands_NOUN.c); commands.c says which nouns there are. Pure. */
#ifndef SANDFLEET_PRODUCER_COMMAND_H
#define SANDFLEET_PRODUCER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "common/option/option.h"

struct client;

enum scope { /* what a command needs to be allowed; a row without one is refused by a test */
             SCOPE_MISSING,
             SCOPE_NONE,   /* nothing: it asks nobody */
             SCOPE_READ,   /* reads runs */
             SCOPE_SUBMIT, /* makes runs, and ends them */
             SCOPE_ADMIN   /* changes the installation, or sees all tenants */
};

/* Options that belong together, shared by the commands that have them. */
struct option_set {
    const char *title; /* "Kafka": how help calls them */
    const struct opt *rows;
    size_t n;
};

enum config_use {                 /* what a command wants of the configuration file */
                  CONFIG_NEEDED,  /* a fault in it ends the command */
                  CONFIG_IGNORED, /* it is not even looked at: help, completion */
                  CONFIG_REPORTED /* a fault is for the command to tell: client->call->config_fault
                                   */
};

struct command {
    const char *name;  /* "runs list"; a noun alone where it has no verbs: "submit" */
    const char *alias; /* the short form people type: "events"; NULL: none */
    const char *args;  /* "[PROMPT]", "RUN_ID"; "" */
    const char *help;  /* one full sentence */
    enum scope scope;
    const struct option_set *const *options; /* OPTIONS(&…, &…), without &options_general */
    int max_words;                           /* words that are no flag, after the name */
    int (*run)(struct client *c, int n_words, char **words); /* exit status */
    size_t size;          /* of its settings, which begin with a struct client; 0: just that */
    const char *more;     /* paragraphs for help and man page, an empty line between; NULL */
    const char *examples; /* a line each: what is typed, then "  # why"; NULL */
    enum config_use config;
    bool hidden;      /* for other programs: not told of */
    bool all_options; /* it has the settings of every command: `config show`, `doctor` */
};

/* How a command was called; each finds its own in client->call. */
struct call {
    const struct command *command;
    struct opt *rows;
    size_t n_rows;
    struct opt_origin *origins; /* of each row */
    struct config *config;      /* NULL: ignored, or at fault */
    struct err config_fault;
};

#define OPTION_SET(title, rows) {(title), (rows), COUNTOF(rows)}
#define OPTIONS(...)            ((const struct option_set *const[]){__VA_ARGS__, NULL})

struct command_list {
    const struct command *rows;
    size_t n;
};

enum { GROUP_LISTS = 4 };

struct command_group { /* a noun, or what belongs together: a man page, a part of the usage */
    const char *name;  /* "runs"; man page sandfleet-runs(1) */
    const char *help;  /* a few words: "Runs: list them, read them, end them" */
    const struct command_list *lists[GROUP_LISTS]; /* in this order; NULL: no more */
};

extern const struct command_group command_groups[];
extern const size_t command_groups_n;

/* What a command line begins with. */
struct command_match {
    const struct command *command;     /* NULL: none */
    const struct command_group *group; /* of the command, or the noun that was named; NULL: none */
    int words;                         /* of argv that name it */
    bool by_noun; /* the command was not named, its noun alone stands for it: "limits" */
};

/* Looks argv[0..] up: the longest name or alias that it begins with, else its noun. */
struct command_match command_find(int argc, char *const *argv);

/* The name most like what was typed, "" when none is. */
void command_nearest(int argc, char *const *argv, char *out, size_t size);

/* All the command's rows in one array (options_general first): free() it. NULL: no memory. */
struct opt *command_rows(const struct command *c, size_t *n);

/* Each option of all commands once, by its name, for looking up: free() it. NULL: no memory. */
struct opt *command_all_rows(size_t *n);

/* Bytes of the settings that the rows of command_rows() fill. */
size_t command_size(const struct command *c);

/* Each command once, in the order of the tree; i counts from 0; NULL behind the last. */
const struct command *command_at(size_t i, const struct command_group **group);

#endif
