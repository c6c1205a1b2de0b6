/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet config …`: the client's settings. */
#include "producer/client.h"
#include "producer/commands.h"

static const struct command rows[] = {
    {.name = "config show",
     .alias = "config",
     .args = "",
     .help = "Tells every setting and where its value comes from; secrets are not shown.",
     .scope = SCOPE_NONE,
     .options = OPTIONS(&options_answer, &options_api),
     .run = command_config_show,
     .all_options = true},
};

const struct command_list commands_config = COMMAND_LIST(rows);
