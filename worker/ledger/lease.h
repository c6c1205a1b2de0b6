/* SPDX-License-Identifier: Apache-2.0 */
/* Who is alive, by counters and one's own clock: no two clocks are ever compared.
 * A worker is dead when its counter stood still for one whole lease while the ledger
 * answered us. Our own lease lapses before anybody may think that of us. Pure: the
 * time (clock_boot_ms) is passed in. */
#ifndef SANDFLEET_WORKER_LEASE_H
#define SANDFLEET_WORKER_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum { LEASE_ID_TEXT = 96, LEASE_PEERS_MAX = 4096 };

struct lease_peer {
    char worker_id[LEASE_ID_TEXT];
    int64_t counter, since_ms; /* seen unchanged since */
    bool listed;               /* in the newest list */
    bool told;                 /* its death is in the log: the caller's */
};

struct lease {
    int64_t lease_ms;
    int64_t beat_ms;               /* when the newest beat that succeeded was SENT; 0: none yet */
    int64_t asked_ms, answered_ms; /* the newest reading of the peers; 0: none yet */
    struct lease_peer *peers;
    size_t n, cap;
};

void lease_init(struct lease *l, int64_t lease_ms);
void lease_release(struct lease *l);

int64_t lease_beat_every_ms(const struct lease *l);

/* A beat sent at sent_ms was answered. */
void lease_beaten(struct lease *l, int64_t sent_ms);
/* May we publish? False from 0.7 leases after the last beat on. */
bool lease_holds(const struct lease *l, int64_t now_ms);

/* One reading of ledger.workers: begin, one call a row, end. A counter counts as seen when
 * the answer came and as unchanged up to when it was asked for. After a silence of the
 * ledger of more than half a lease all waiting starts anew. */
void lease_look_begin(struct lease *l, int64_t asked_ms, int64_t answered_ms);
enum err_code lease_look(struct lease *l, const char *worker_id, int64_t counter,
                         struct err *err) MUST_USE;
void lease_look_end(struct lease *l);

/* Is this peer's lease over by what was read so far? */
bool lease_dead(const struct lease *l, const struct lease_peer *p);

#endif
