/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet config …`: the client's settings. */
#include <limits.h>
#include <stddef.h>

#include "producer/commands.h"
#include "producer/verbs/cmd_config.h"

// clang-format off
static const struct opt man_rows[] = {
    {"folder", 0, OPT_STRING, offsetof(struct manual_settings, folder), NULL, 1, 4000, OPT_NO_ENV, NULL, "<path>", "Writes all pages into this folder."},
};
// clang-format on

static const struct option_set of_man = OPTION_SET("Manual", man_rows);

static const struct command rows[] = {
    {.name = "config show",
     .alias = "config",
     .args = "",
     .help = "Tells every setting and where its value comes from; secrets are not shown.",
     .scope = SCOPE_NONE,
     .options = OPTIONS(&options_answer, &options_api),
     .run = command_config_show,
     .all_options = true,
     .more = "Every option that the configuration file may have can be given here, to see what it "
             "would do.",
     .examples = "sandfleet config show\n"
                 "sandfleet config show --profile prod -o json"},
    {.name = "completion",
     .args = "bash|zsh|fish",
     .help = "Prints a script that lets a shell complete sandfleet's command lines.",
     .scope = SCOPE_NONE,
     .options = OPTIONS(NULL),
     .max_words = 1,
     .run = command_completion,
     .config = CONFIG_IGNORED,
     .examples = "source <(sandfleet completion bash)  # in ~/.bashrc; zsh likewise\n"
                 "sandfleet completion fish | source  # in ~/.config/fish/config.fish"},
    {.name = "man",
     .args = "[PAGE]",
     .help = "Prints a page of the manual for man(1): of sandfleet, or of a noun.",
     .scope = SCOPE_NONE,
     .options = OPTIONS(&of_man),
     .max_words = 1,
     .run = command_man,
     .size = sizeof(struct manual_settings),
     .config = CONFIG_IGNORED,
     .examples = "sandfleet man runs | man -l -"},
    {.name = "complete",
     .args = "-- WORD…",
     .help = "Tells the shells' scripts what may stand at the cursor.",
     .scope = SCOPE_NONE,
     .options = OPTIONS(NULL),
     .max_words = INT_MAX,
     .run = command_complete,
     .config = CONFIG_IGNORED,
     .hidden = true},
    {.name = "reference",
     .args = "",
     .help = "Prints docs/cli.md.",
     .scope = SCOPE_NONE,
     .options = OPTIONS(NULL),
     .run = command_reference,
     .config = CONFIG_IGNORED,
     .hidden = true},
};

const struct command_list commands_config = COMMAND_LIST(rows);
