/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/prompt_input.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "schema/run_request.h"
#include "common/banned.h"

/* All of the stream, one byte more than is allowed at most. A terminal that said it is at its end
 * would be asked again without feof(). */
static enum err_code read_all(FILE *in, const char *name, struct buf *out, struct err *err)
{
    char chunk[16384];
    size_t n;

    while (out->rc == ERR_OK && !feof(in) && (n = fread(chunk, 1, sizeof(chunk), in)) > 0)
        buf_add(out, chunk, n);
    if (ferror(in))
        return err_set(err, ERR_NOT_FOUND, "cannot read '%s': %s", name, strerror(errno));
    if (out->rc != ERR_OK)
        return err_set(err, out->rc, "the prompt in '%s' is over %d bytes", name,
                       RUN_PROMPT_MAX_BYTES);
    return ERR_OK;
}

static enum err_code read_file(const char *path, struct buf *out, struct err *err)
{
    FILE *in;
    enum err_code rc;

    if (strcmp(path, "-") == 0)
        return read_all(stdin, "standard input", out, err);
    in = fopen(path, "re");
    if (!in)
        return err_set(err, ERR_NOT_FOUND, "cannot open '%s': %s", path, strerror(errno));
    rc = read_all(in, path, out, err);
    fclose(in);
    return rc;
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
