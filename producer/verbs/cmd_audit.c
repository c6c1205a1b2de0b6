/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/verbs/cmd_audit.h"

#include "common/banned.h"

enum { LIST_MAX_BYTES = 256 << 20 };

int command_audit_list(struct client *c, int n, char **words)
{
    const struct audit_settings *s = (const struct audit_settings *)c;
    const struct audit_filter f = {.tenant = s->tenant,
                                   .actor = s->actor,
                                   .action = s->action,
                                   .object = s->object,
                                   .outcome = s->outcome,
                                   .since_ms = s->since_ms,
                                   .limit = s->limit};
    AUTO_BUF text = BUF_INIT(LIST_MAX_BYTES);
    struct err err = ERR_INIT;

    (void)n, (void)words;
    if (!c->database)
        err_set(&err, ERR_USAGE, "--database is missing: give it, or set SANDFLEET_DATABASE");
    bool done = c->database &&
                audit_list(c->database, &f, c->output != OUTPUT_TEXT, &text, &err) == ERR_OK &&
                client_put_list(c, &text, "such entries", &err);
    return done ? EXIT_OK : client_fail(&err);
}
