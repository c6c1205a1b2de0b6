/* SPDX-License-Identifier: Apache-2.0 */
/* Where a prompt comes from: a flag, the first word, a file, or standard input. Blocks. */
#ifndef SANDFLEET_PRODUCER_PROMPT_INPUT_H
#define SANDFLEET_PRODUCER_PROMPT_INPUT_H

#include "producer/client.h"

/* Appends the prompt to out. ERR_USAGE when there is none or more than one source;
 * ERR_TOO_BIG names limit and size; ERR_NOT_FOUND names the file. */
enum err_code prompt_read(const struct client *c, int n_words, char **words, struct buf *out,
                          struct err *err) MUST_USE;

#endif
