/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/manual/manual.h"

#include <stdlib.h>
#include <string.h>

#include "producer/client.h"
#include "producer/config/config.h"
#include "producer/exit_status.h"
#include "producer/options.h"
#include "common/banned.h"

enum { TEXT_MAX = 64 << 10, SETS_MAX = 64 };

static const char about[] =
    "`sandfleet` puts prompts for Claude Code on Kafka as run requests. Workers take them, run "
    "each "
    "in a sandbox of its own and keep every line that Claude prints; with `sandfleet` you follow "
    "runs, read them, end them, and look after the installation.\n\n"
    "Submitting goes straight to Kafka. A run's id is handed out once Kafka has acknowledged the "
    "request, and not before.";

static const char configuration[] =
    "Each option that stands for a property of an installation rather than of one call may come "
    "from a flag, from the environment, from a profile of the configuration file, or from the "
    "file's "
    "part for all profiles; the first of these that has it decides. `sandfleet config show` tells "
    "each value and where it comes from.\n\n"
    "The file is `$SANDFLEET_CONFIG` or what `--config` names, else `sandfleet/config` in "
    "`$XDG_CONFIG_HOME` or `~/.config`. It holds options by their names:\n\n"
    "  # for all profiles; `profile` is the one to use when none is named\n"
    "  profile = staging\n"
    "  tenant = acme\n"
    "\n"
    "  [staging]\n"
    "  brokers = kafka-1.example:9092,kafka-2.example:9092\n"
    "  api-url = https://sandfleet.staging.example\n"
    "  api-key-file = staging.key\n"
    "\n"
    "  [prod]\n"
    "  brokers = kafka.example:9094\n"
    "  kafka.security.protocol = SASL_SSL\n"
    "  kafka.sasl.mechanism = SCRAM-SHA-512\n"
    "  kafka.sasl.username = submitter\n"
    "  kafka.sasl.password-file = ~/.secrets/kafka\n\n"
    "What begins with `kafka.` goes to librdkafka, as `-X` does. A secret stands in a file of its "
    "own, named by the key with `-file` behind it, beside the configuration or by an absolute path "
    "or one that begins with `~/`; or in the configuration itself, if nobody else can read that "
    "(`chmod 600`). A value with a # in it stands in quotes: \"…\" with the escapes \\\" \\\\ \\n "
    "\\t, or "
    "'…' without any. What is not understood is refused with its line.";

/* --- pieces ------------------------------------------------------------------------- */

static void put_option(const struct page_form *form, const struct opt *row, struct buf *out)
{
    AUTO_BUF term = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);

    option_term(row, &term);
    option_text(row, &text);
    form->term(out, term.p, text.p);
}

static void put_set(const struct page_form *form, const struct option_set *set, struct buf *out)
{
    for (size_t i = 0; i < set->n; i++)
        put_option(form, &set->rows[i], out);
}

static void put_line(const struct command *c, struct buf *out)
{
    buf_addf(out, "sandfleet %s [options]%s%s", c->name, c->args[0] ? " " : "", c->args);
}

static const struct command *command_of(const struct command_group *group, size_t *i)
{
    const struct command_group *its;
    const struct command *c;

    while ((c = command_at((*i)++, &its)))
        if (its == group && !c->hidden)
            return c;
    return NULL;
}

static void put_examples(const struct page_form *form, const struct command_group *group,
                         const char *only, struct buf *out)
{
    const struct command *c;

    for (size_t i = 0; (c = command_of(group, &i));) {
        struct str rest = str_of(c->examples ? c->examples : ""), line;

        if (only && strcmp(c->name, only) != 0)
            continue;
        while (rest.n > 0 && str_next(&rest, '\n', &line)) {
            AUTO_BUF one = BUF_INIT(TEXT_MAX);

            buf_addstr(&one, line);
            form->code(out, one.p ? one.p : "");
        }
    }
}

static bool has_examples(const struct command_group *group)
{
    const struct command *c;

    for (size_t i = 0; (c = command_of(group, &i));)
        if (c->examples)
            return true;
    return false;
}

/* --- sandfleet(1) --------------------------------------------------------------------- */

static void put_commands(const struct page_form *form, struct buf *out)
{
    form->heading(out, 1, "Commands");
    for (size_t g = 0; g < command_groups_n; g++) {
        const struct command *c;

        form->heading(out, 2, command_groups[g].help);
        for (size_t i = 0; (c = command_of(&command_groups[g], &i));) {
            AUTO_BUF term = BUF_INIT(TEXT_MAX), text = BUF_INIT(TEXT_MAX);

            buf_addf(&term, "%s%s%s", c->name, c->args[0] ? " " : "", c->args);
            buf_adds(&text, c->help);
            if (c->alias)
                buf_addf(&text, " Short: `%s`.", c->alias);
            form->term(out, term.p, text.p);
        }
    }
}

static void put_environment(const struct page_form *form, struct buf *out)
{
    size_t n;
    struct opt *rows = command_all_rows(&n);

    form->heading(out, 1, "Environment");
    form->text(out, "An empty variable counts as not set. Besides these, libpq reads its own: "
                    "`PGPASSFILE`, `PGSSLMODE` and so on.");
    for (size_t i = 0; i < n; i++) {
        AUTO_BUF text = BUF_INIT(TEXT_MAX), term = BUF_INIT(TEXT_MAX);
        char room[OPTION_NAME_ROOM];

        if (rows[i].flags & OPT_NO_ENV)
            continue;
        buf_adds(&term, option_variable(&rows[i], room));
        buf_addf(&text, "`--%s%s`: %s", rows[i].name, rows[i].flags & OPT_SECRET ? "-file" : "",
                 rows[i].help);
        form->term(out, term.p, text.p);
    }
    form->term(out, "NO_COLOR", "No colours when it is set to anything.");
    form->term(out, "COLUMNS", "How wide a terminal is taken to be.");
    form->term(out, "XDG_CONFIG_HOME", "Where the configuration file is looked for.");
    free(rows);
}

static void put_statuses(const struct page_form *form, struct buf *out)
{
    form->heading(out, 1, "Exit status");
    for (size_t i = 0; i < exit_rows_n; i++) {
        AUTO_BUF term = BUF_INIT(64), text = BUF_INIT(TEXT_MAX);

        buf_addf(&term, "%d", exit_rows[i].status);
        buf_addf(&text, "%c%s.", exit_rows[i].when[0] - 'a' + 'A', exit_rows[i].when + 1);
        form->term(out, term.p, text.p);
    }
}

static void put_all_examples(const struct page_form *form, struct buf *out)
{
    form->heading(out, 1, "Examples");
    form->code(out,
               "sandfleet run \"fix the failing test\"  # submits it, and follows it to its end");
    form->code(out, "sandfleet submit --file prompts.jsonl --batch nightly");
    form->code(out, "sandfleet --profile prod runs follow RUN_ID");
    form->code(out, "sandfleet config show");
}

static void put_see_also(const struct page_form *form, const char *but, struct buf *out)
{
    AUTO_BUF text = BUF_INIT(TEXT_MAX);

    form->heading(out, 1, "See also");
    if (but)
        buf_adds(&text, "`sandfleet`(1)");
    for (size_t g = 0; g < command_groups_n; g++)
        if (!but || strcmp(command_groups[g].name, but) != 0)
            buf_addf(&text, "%s`sandfleet-%s`(1)", text.len ? ", " : "", command_groups[g].name);
    form->text(out, text.p);
}

static void put_main(const struct page_form *form, struct buf *out)
{
    form->heading(out, 1, "Synopsis");
    form->code(out, "sandfleet COMMAND [options] [words]");
    form->code(out, "sandfleet help [COMMAND]");
    form->heading(out, 1, "Description");
    form->text(out, about);
    put_commands(form, out);
    form->heading(out, 1, "Options");
    form->text(out, "Every command has these; they may stand before it, too.");
    put_set(form, &options_general, out);
    form->heading(out, 1, "Configuration");
    form->text(out, configuration);
    put_environment(form, out);
    form->heading(out, 1, "Files");
    form->term(out, "~/.config/sandfleet/config", "The configuration, if no other place is said.");
    put_statuses(form, out);
    put_all_examples(form, out);
}

void manual_main(const struct page_form *form, const char *date, struct buf *out)
{
    form->begin(out, "sandfleet",
                "runs Claude Code prompts in sandboxes, through Kafka into Postgres", date);
    put_main(form, out);
    put_see_also(form, NULL, out);
}

/* --- sandfleet-GROUP(1) ----------------------------------------------------------------- */

struct sets { /* of a group's commands, those that more than one has */
    const struct option_set *set[SETS_MAX];
    size_t n;
};

static bool has_set(const struct sets *s, const struct option_set *set)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->set[i] == set)
            return true;
    return false;
}

static size_t users_of(const struct command_group *group, const struct option_set *set)
{
    const struct command *c;
    size_t users = 0;

    for (size_t i = 0; (c = command_of(group, &i));)
        for (const struct option_set *const *s = c->options; *s; s++)
            users += *s == set;
    return users;
}

static struct sets shared_sets(const struct command_group *group)
{
    struct sets found = {0};
    const struct command *c;

    for (size_t i = 0; (c = command_of(group, &i));)
        for (const struct option_set *const *s = c->options; *s; s++)
            if (!has_set(&found, *s) && users_of(group, *s) > 1 && found.n < SETS_MAX)
                found.set[found.n++] = *s;
    return found;
}

static void put_command(const struct page_form *form, const struct command *c,
                        const struct sets *shared, struct buf *out)
{
    AUTO_BUF line = BUF_INIT(TEXT_MAX), others = BUF_INIT(TEXT_MAX), name = BUF_INIT(TEXT_MAX);

    buf_addf(&name, "sandfleet %s", c->name);
    form->heading(out, 2, name.p);
    put_line(c, &line);
    form->code(out, line.p);
    form->text(out, c->help);
    if (c->alias) {
        AUTO_BUF text = BUF_INIT(TEXT_MAX);

        buf_addf(&text, "Short: `sandfleet %s`.", c->alias);
        form->text(out, text.p);
    }
    if (c->more)
        form->text(out, c->more);
    for (const struct option_set *const *s = c->options; *s; s++) {
        if (has_set(shared, *s))
            buf_addf(&others, "%s%s", others.len ? ", " : "Besides, the options of: ", (*s)->title);
        else
            put_set(form, *s, out);
    }
    if (others.len) {
        buf_adds(&others, ".");
        form->text(out, others.p);
    }
}

static void put_group(const struct page_form *form, const struct command_group *group,
                      struct buf *out)
{
    struct sets shared = shared_sets(group);
    const struct command *c;

    form->heading(out, 1, "Commands");
    for (size_t i = 0; (c = command_of(group, &i));)
        put_command(form, c, &shared, out);
    if (shared.n > 0)
        form->heading(out, 1, "Shared options");
    for (size_t i = 0; i < shared.n; i++) {
        form->heading(out, 2, shared.set[i]->title);
        put_set(form, shared.set[i], out);
    }
    if (has_examples(group)) {
        form->heading(out, 1, "Examples");
        put_examples(form, group, NULL, out);
    }
}

void manual_group(const struct page_form *form, const struct command_group *group, const char *date,
                  struct buf *out)
{
    AUTO_BUF name = BUF_INIT(64), help = BUF_INIT(TEXT_MAX);
    const struct command *c;

    buf_addf(&name, "sandfleet-%s", group->name);
    buf_adds(&help, group->help);
    if (help.len)
        help.p[0] =
            (char)(help.p[0] >= 'A' && help.p[0] <= 'Z' ? help.p[0] - 'A' + 'a' : help.p[0]);
    form->begin(out, name.p, help.p, date);
    form->heading(out, 1, "Synopsis");
    for (size_t i = 0; (c = command_of(group, &i));) {
        AUTO_BUF line = BUF_INIT(TEXT_MAX);

        put_line(c, &line);
        form->code(out, line.p);
    }
    put_group(form, group, out);
    form->heading(out, 1, "Exit status");
    form->text(out,
               "As in `sandfleet`(1), which also tells of the general options, the environment "
               "and the configuration file.");
    put_see_also(form, group->name, out);
}

void manual_reference(struct buf *out)
{
    buf_adds(out, "<!-- Made by `sandfleet reference`; a test compares. SPDX-License-Identifier: "
                  "Apache-2.0 -->\n");
    page_markdown.begin(out, "sandfleet",
                        "Runs Claude Code prompts in sandboxes, through Kafka into "
                        "Postgres. The same as its manual pages.",
                        NULL);
    put_main(&page_markdown, out);
    for (size_t g = 0; g < command_groups_n; g++) {
        AUTO_BUF name = BUF_INIT(64);

        buf_addf(&name, "sandfleet-%s", command_groups[g].name);
        page_markdown.begin(out, name.p, command_groups[g].help, NULL);
        put_group(&page_markdown, &command_groups[g], out);
    }
}
