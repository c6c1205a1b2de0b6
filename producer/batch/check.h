/* SPDX-License-Identifier: Apache-2.0 */
/* What submitting and validating a batch file have in common: which file, and how it is told. */
#ifndef SANDFLEET_PRODUCER_BATCH_CHECK_H
#define SANDFLEET_PRODUCER_BATCH_CHECK_H

#include "producer/batch/batch_client.h"
#include "producer/batch/batch_file.h"
#include "producer/show/meter.h"

/* The file that words or --file name, or --template and --data. ERR_USAGE, and as
 * batch_file_open. */
enum err_code batch_open(const struct batch_client *b, int n, char **words, struct batch_file **out,
                         struct err *err) MUST_USE;

/* "prompts.jsonl:7:12: /params/top_p: it has no meaning here …", without newline. */
void batch_problem_text(const char *path, const struct batch_problem *p, struct buf *out);

void batch_counts_notes(const struct batch_counts *n); /* what one should know, on stderr */
void batch_counts_json(struct buf *b, const struct batch_counts *n); /* `,"lines":7,…` */

#endif
