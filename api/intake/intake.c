/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/intake.h"

#include "api/api_internal.h"
#include "common/banned.h"

enum err_code intake_send(struct api *a, const struct run_request *r, enum run_lane lane,
                          struct str value, produced_fn fn, void *ctx, struct err *err)
{
    return producer_send(a->producer, a->topics.name[topic_of_lane(lane)], run_request_key(r),
                         value, NULL, 0, fn, ctx, err);
}

void intake_wait(struct api *a, struct intake_waiter *w)
{
    if (!w->waits)
        LIST_INSERT_HEAD(&a->waiters, w, link);
    w->waits = true;
}

void intake_unwait(struct intake_waiter *w)
{
    if (w->waits)
        LIST_REMOVE(w, link);
    w->waits = false;
}

void intake_on_room(void *api)
{
    struct api *a = api;
    struct intake_waiters all = a->waiters;
    struct intake_waiter *w;

    LIST_INIT(&a->waiters);
    if (LIST_FIRST(&all)) /* the head moved */
        LIST_FIRST(&all)->link.le_prev = &LIST_FIRST(&all);
    while ((w = LIST_FIRST(&all))) {
        intake_unwait(w);
        w->room(w);
    }
}

enum problem intake_problem(const struct err *e)
{
    if (e->code == ERR_TOO_BIG)
        return PROBLEM_TOO_LARGE;
    return e->code == ERR_THROTTLED ? PROBLEM_OVERLOADED : PROBLEM_KAFKA_AWAY;
}
