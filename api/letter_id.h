/* SPDX-License-Identifier: Apache-2.0 */
/* The id of a dead letter: where it stands, "sandfleet.runs.dlq-0-17". Pure. */
#ifndef SANDFLEET_API_LETTER_ID_H
#define SANDFLEET_API_LETTER_ID_H

#include <stdbool.h>

#include "common/buf.h"

enum { LETTER_ID_MAX = 320, LETTER_TOPIC_TEXT = 256, LETTER_NUMBER_TEXT = 24 };

struct letter_id { /* as Postgres takes them: an int, a bigint */
    char topic[LETTER_TOPIC_TEXT], partition[LETTER_NUMBER_TEXT], offset[LETTER_NUMBER_TEXT];
};

/* False: it is none. */
bool letter_id_parse(struct str text, struct letter_id *out);

#endif
