/* SPDX-License-Identifier: Apache-2.0 */
/* Why a run waits or how it ended, for people: what is stored about it becomes a sentence and what
 * one can do. Each word that the fleet has for it stands in the table; a test compares them with
 * the workers' own. Pure. */
#ifndef SANDFLEET_API_READS_EXPLAIN_H
#define SANDFLEET_API_READS_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

struct explain_word {
    const char *code;
    const char *waits, *waits_advice; /* it waits for this, or because of it; NULL: it cannot */
    const char *ends, *ends_advice;   /* it ended so; NULL: it cannot. An advice may be NULL */
};
extern const struct explain_word explain_words[];
extern const size_t explain_words_n;
const struct explain_word *explain_find(const char *code); /* NULL: none of ours */

struct explain_case { /* as it is stored; NULL: nothing */
    const char *state, *outcome;
    const char *hold_reason; /* the ledger's word, else the newest event's */
    const char *refused;     /* reason of its dead letter */
    bool ended, claimed;
    bool cancel_asked;
    bool workers; /* some beat lately */
};

struct explanation { /* borrowed from the case or for ever */
    const char *code, *summary, *advice;
};
void explain(const struct explain_case *c, struct explanation *out);

#endif
