/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/prompt_input.h"

#include <string.h>
#include <unistd.h>

#include "producer/text_input.h"
#include "schema/run_request.h"
#include "common/banned.h"

#define PROMPT_IN "the prompt in"

static enum err_code read_file(const char *path, struct buf *out, struct err *err)
{
    return strcmp(path, "-") == 0 ? text_input_stdin(PROMPT_IN, out, err)
                                  : text_input_file(path, PROMPT_IN, out, err);
}

enum err_code prompt_read(const struct client *c, int n_words, char **words, struct buf *out,
                          struct err *err)
{
    const char *word = n_words > 0 ? words[0] : NULL;
    int sources = (c->prompt != NULL) + (c->prompt_file != NULL) + (word != NULL);
    enum err_code rc = ERR_OK;

    if (sources > 1)
        return err_set(err, ERR_USAGE,
                       "give the prompt once: as a word, --prompt or --prompt-file");
    if (sources == 0 && isatty(STDIN_FILENO))
        return err_set(err, ERR_USAGE, "no prompt was given");
    if (c->prompt)
        buf_adds(out, c->prompt);
    else if (c->prompt_file)
        rc = read_file(c->prompt_file, out, err);
    else if (word && strcmp(word, "-") != 0)
        buf_adds(out, word);
    else
        rc = read_file("-", out, err);
    if (rc != ERR_OK)
        return rc;
    if (sources == 0 && out->len == 0)
        return err_set(err, ERR_USAGE, "no prompt was given, and standard input is empty");
    if (out->rc != ERR_OK)
        return err_set(err, out->rc, "the prompt has %zu bytes, over the limit of %d",
                       strlen(c->prompt ? c->prompt : word), RUN_PROMPT_MAX_BYTES);
    return ERR_OK;
}
