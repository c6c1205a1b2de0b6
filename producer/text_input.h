/* SPDX-License-Identifier: Apache-2.0 */
/* A text that a file or standard input has, whole, under its ceiling. Blocks. */
#ifndef SANDFLEET_PRODUCER_TEXT_INPUT_H
#define SANDFLEET_PRODUCER_TEXT_INPUT_H

#include "common/buf.h"

/* Appends it to out. ERR_NOT_FOUND names the file; ERR_TOO_BIG: it is over out->max bytes, and what
 * ("the prompt in") is said before the name. */
enum err_code text_input_file(const char *path, const char *what, struct buf *out,
                              struct err *err) MUST_USE;
enum err_code text_input_stdin(const char *what, struct buf *out, struct err *err) MUST_USE;

#endif
