/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet limits get` and `limits set`: what the fleet may run at once, while it runs. */
#include "producer/client.h"
#include "schema/limits.h"
#include "common/banned.h"

enum { LIST_MAX_BYTES = 64 << 20 };

static bool have_database(const struct client *c, struct err *err)
{
    if (c->database)
        return true;
    err_set(err, ERR_USAGE, "--database is missing: give it, or set SANDFLEET_DATABASE");
    return false;
}

int command_limits_get(struct client *c, int n, char **words)
{
    AUTO_BUF text = BUF_INIT(LIST_MAX_BYTES);
    struct err err = ERR_INIT;
    bool gone = false;

    (void)n, (void)words;
    bool done = have_database(c, &err) &&
                limits_list(c->database, c->output != OUTPUT_TEXT, &text, &err) == ERR_OK &&
                client_put(text.p ? text.p : "", text.len, &gone, &err);
    return done ? 0 : client_fail(&err);
}

int command_limits_set(struct client *c, int n, char **words)
{
    struct limit_change change;
    struct err err = ERR_INIT;

    if (n != 3)
        err_set(&err, ERR_USAGE, "want of whom, which limit, and its value: fleet concurrency 200");
    bool done = n == 3 && limits_parse(words[0], words[1], words[2], &change, &err) == ERR_OK &&
                have_database(c, &err) && limits_set(c->database, &change, &err) == ERR_OK;
    return done ? 0 : client_fail(&err);
}
