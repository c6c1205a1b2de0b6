/* SPDX-License-Identifier: Apache-2.0 */
/* A prompt with places to fill: {{name}}, and nothing else that begins with {{; \{{ stands for {{
 * itself. Pure. */
#ifndef SANDFLEET_PRODUCER_BATCH_PROMPT_TEMPLATE_H
#define SANDFLEET_PRODUCER_BATCH_PROMPT_TEMPLATE_H

#include <stdbool.h>

#include "common/buf.h"

enum { TEMPLATE_MAX_BYTES = 256 * 1024, TEMPLATE_NAMES_MAX = 256, TEMPLATE_NAME_MAX_BYTES = 64 };

struct prompt_template; /* opaque */

struct template_fault {
    int64_t line, column; /* from 1 */
};

/* Copies the text. A name is a letter, then letters (of any language), digits, _ . - and spaces
 * between them. ERR_INVALID at *fault, ERR_TOO_BIG, ERR_NOMEM. */
enum err_code template_parse(struct str text, struct prompt_template **out,
                             struct template_fault *fault, struct err *err) MUST_USE;
void template_free(struct prompt_template *t);

/* The names, each once, in the order of their first places; views that live as long as t. */
size_t template_names(const struct prompt_template *t);
struct str template_name(const struct prompt_template *t, size_t i);
struct template_fault template_place(const struct prompt_template *t, size_t i); /* the first */

/* Appends the text with values[i] in the places of name i, as they are: what stands in a value is
 * not looked at again. */
void template_fill(const struct prompt_template *t, const struct str *values, struct buf *out);

#endif
