/* SPDX-License-Identifier: Apache-2.0 */
/* Warm sandboxes: made before a run asks for one, for any run of any tenant, used once. The
 * pool is the whole fleet's, counted in the ledger; only the leader fills it, any worker
 * takes from it (sandbox_sql_place). Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_WORKER_POOL_H
#define SANDFLEET_WORKER_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/loop.h"
#include "common/option/option.h"
#include "worker/e2b/sandbox.h"
#include "worker/ledger/ledger.h"
#include "worker/sandbox/sandbox_sizes.h"

struct pool; /* opaque */

enum { POOL_TEMPLATES_MAX = 16, POOL_TEMPLATE_TEXT = 161, POOL_SIZE_MAX = 1000 };

struct pool_targets {
    struct {
        char template[POOL_TEMPLATE_TEXT];
        int64_t n;
    } of[POOL_TEMPLATES_MAX];
    int n;
};
/* "claude=2,base=1", in one item or several. ERR_USAGE says which word is wrong. */
enum err_code pool_targets_parse(const struct opt_list *list, struct pool_targets *out,
                                 struct err *err) MUST_USE;

struct pool_opts { /* copied; what it points to is borrowed for the pool's life */
    struct loop *loop;
    struct ledger *ledger;
    struct sandbox_service *sandboxes;
    struct sandbox_sizes *sizes;
    const char *worker_id, *ledger_id;
    struct pool_targets targets;
    int64_t warm_age_ms; /* so long a ready one waits; then a new one replaces it */
    bool update_claude;  /* once, while it is warmed */
    int64_t calm_ms;     /* no refill for so long after an eviction */
};

struct pool *pool_new(const struct pool_opts *opts); /* NULL: no memory */
/* Not leading: what is being made is left to the next leader, who asks with the same key. */
void pool_lead(struct pool *p, bool leading);
void pool_look(struct pool *p);          /* fills it as far as it should be; call it often */
bool pool_is_idle(const struct pool *p); /* nothing is asked for or being made */
void pool_free(struct pool *p);          /* after ledger and sandbox service; NULL is fine */

#endif
