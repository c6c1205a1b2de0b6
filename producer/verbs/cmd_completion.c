/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet completion`: a shell's script; `sandfleet complete`: what the scripts ask. */
#include <string.h>

#include "producer/manual/complete.h"
#include "producer/verbs/cmd_config.h"
#include "common/banned.h"

enum { ANSWER_MAX_BYTES = 1 << 20 };

extern const char completion_bash[], completion_zsh[], completion_fish[];

int command_completion(struct client *c, int n, char **words)
{
    static const struct {
        const char *shell, *script;
    } shells[] = {{"bash", completion_bash}, {"zsh", completion_zsh}, {"fish", completion_fish}};
    struct err err = ERR_INIT;
    bool gone = false;

    (void)c;
    for (size_t i = 0; n == 1 && i < COUNTOF(shells); i++)
        if (strcmp(words[0], shells[i].shell) == 0)
            return client_put(shells[i].script, strlen(shells[i].script), &gone, &err)
                       ? EXIT_OK
                       : client_fail(&err);
    err_set(&err, ERR_USAGE, "completion takes a shell's name: bash, zsh or fish");
    return client_fail(&err);
}

int command_complete(struct client *c, int n, char **words)
{
    AUTO_BUF out = BUF_INIT(ANSWER_MAX_BYTES);
    struct err err = ERR_INIT;
    bool gone = false;

    (void)c;
    if (complete_words(n, words, &out))
        buf_adds(&out, ":files\n");
    return client_put(out.p ? out.p : "", out.len, &gone, &err) ? EXIT_OK : EXIT_IO;
}
