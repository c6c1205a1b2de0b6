/* SPDX-License-Identifier: Apache-2.0 */
/* Tells endpoints that runs came to an end.
 *
 *   events topic --(a run's end)--> intake: what the read model says of that run becomes a row for
 *                                   each endpoint, and only then the topic's position moves
 *   due rows     --(taken)--------> sender: posts them, and writes down how it went
 *
 * The log alone decides which records count, and the sink judges it: a run's end wakes us, and once
 * the sink's position is behind it, what stands in fleet.runs is told. So an old owner's end, or a
 * repeat, makes no row. Any number of processes share the work; whatever dies, each row is sent at
 * least once, and twice only by a process that died or was cut off between sending and saying so.
 */
#ifndef SANDFLEET_WEBHOOK_WEBHOOK_H
#define SANDFLEET_WEBHOOK_WEBHOOK_H

#include "common/err.h"
#include "webhook/settings.h"

/* Runs until SIGTERM, SIGINT or an error that no waiting cures. The exit status is
 * err_exit_status() of what it returns. */
enum err_code webhook_run(const struct settings *s, struct err *err) MUST_USE;

#endif
