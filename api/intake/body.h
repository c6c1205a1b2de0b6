/* SPDX-License-Identifier: Apache-2.0 */
/* What a body says of a run or a batch, checked; all its mistakes are told at once. Pure. */
#ifndef SANDFLEET_API_BODY_H
#define SANDFLEET_API_BODY_H

#include <stdbool.h>

#include "api/problem.h"
#include "common/json/json.h"
#include "schema/run_request.h"

enum { BODY_ERRORS_MAX = 32, BODY_POINTER_BYTES = 160 };

struct body_errors {
    size_t n; /* further ones are dropped */
    struct problem_field fields[BODY_ERRORS_MAX];
    char pointers[BODY_ERRORS_MAX][BODY_POINTER_BYTES];
    char details[BODY_ERRORS_MAX][sizeof(((struct err *)0)->msg)];
};
#define BODY_ERRORS_INIT ((struct body_errors){.n = 0})

/* member: of the object at `under`, a JSON pointer; "": that object as a whole. */
void body_errors_add(struct body_errors *e, const char *under, const char *member, enum problem p,
                     const char *fmt, ...) PRINTF(5, 6);

/* What an error of run_request.h says behind its reason's word, which is the code. Borrowed. */
const char *body_reason_text(const struct err *e);

struct body_run {
    struct run_request request; /* begun by who reads it: see run_request_read() */
    enum run_lane lane;         /* unless the body says another */
};

/* `tree` is an object, and taken. False: *errors has why. out->request is yours either way. */
bool body_run_read(cJSON *tree, struct body_run *out, struct body_errors *errors);

/* Of an object that says what a batch's items do not: what an item without its own prompt and
 * custom_id may say. Borrowed. */
bool body_defaults_check(const cJSON *defaults, int64_t now_ms, struct body_errors *errors);
/* Gives `item` those members of `defaults` that it has not; they must outlive it. False: no
 * memory. defaults NULL: none. */
bool body_defaults_add(cJSON *item, const cJSON *defaults);

/* The member if the object has it and it is a name; NULL: it has not, or it is told in *errors. */
const char *body_name(const cJSON *tree, const char *member, struct body_errors *errors);
/* Tells each member that is not among `names` (NULL ends them). */
void body_only(const cJSON *tree, const char *const *names, struct body_errors *errors);

#endif
