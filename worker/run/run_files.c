/* SPDX-License-Identifier: Apache-2.0 */
/* The working directory: FILLING before the agent starts, COLLECTING behind its end. */
#include "worker/run/run_internal.h"
#include "common/banned.h"

void run_enter_filling(struct run *r)
{
    run_apply(r, RUN_EV_FILLED);
}

void run_enter_collecting(struct run *r)
{
    run_apply(r, RUN_EV_COLLECTED);
}
