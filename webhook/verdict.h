/* SPDX-License-Identifier: Apache-2.0 */
/* What the end of a try means for a delivery. Pure. */
#ifndef SANDFLEET_WEBHOOK_VERDICT_H
#define SANDFLEET_WEBHOOK_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

/* name; the word for the statement that writes it down, and for the metrics */
#define VERDICT_MAP(X)                                                                             \
    X(DELIVERED, "delivered") /* it answered 2xx */                                                \
    X(AGAIN, "again")         /* it is sent again, as long as a delivery's time lasts */           \
    X(GONE, "gone")           /* 410: nobody wants to be told any more */
#define VERDICT_ENUM(name, text) VERDICT_##name,
enum verdict { VERDICT_MAP(VERDICT_ENUM) VERDICTS };
#undef VERDICT_ENUM

const char *verdict_name(enum verdict v);

/* status: of the answer, 0: there was none. A 2xx is one, also where its body was cut off. */
enum verdict verdict_of(int status);

struct verdict_waits { /* milliseconds */
    int64_t base, cap;
};
/* How long until it is sent again. tries: how often it was, at least 1. retry_after_ms: what it
 * asked for, 0: nothing; that is the least then. random: any number. */
int64_t verdict_wait_ms(const struct verdict_waits *w, int64_t tries, int64_t retry_after_ms,
                        uint32_t random);

#endif
