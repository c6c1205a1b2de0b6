/* SPDX-License-Identifier: Apache-2.0 */
/* The sink: requests and events from Kafka into the read model, exactly once in effect.
 *
 *   one batch forms while one commits; more wait in Kafka
 *   the position moves in the transaction that writes the rows (fleet.sink_offsets)
 *   whenever the database says another position than ours, it is right: seek there
 *
 * Kafka or PostgreSQL missing, at the start or later: it waits, says so, and goes on. */
#ifndef SANDFLEET_SINK_SINK_H
#define SANDFLEET_SINK_SINK_H

#include "common/err.h"
#include "sink/settings.h"

/* Runs until SIGTERM, SIGINT or an error that no waiting cures. The exit status is
 * err_exit_status() of what it returns. */
enum err_code sink_run(const struct settings *s, struct err *err) MUST_USE;

#endif
