/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand at the cursor of a command line; the shells' own scripts (completion/) ask for it
 * by `sandfleet complete`. Reads the configuration file for the names of profiles. */
#ifndef SANDFLEET_PRODUCER_MANUAL_COMPLETE_H
#define SANDFLEET_PRODUCER_MANUAL_COMPLETE_H

#include "common/buf.h"

/* words: those behind the program's name up to the cursor; the last one is being typed and may be
 * empty. Appends a line each: the whole word, a tab, what it is. True: a file's name may stand
 * there, too. */
bool complete_words(int n, char *const *words, struct buf *out);

#endif
