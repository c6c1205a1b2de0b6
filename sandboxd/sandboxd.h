/* SPDX-License-Identifier: Apache-2.0 */
/* The whole server, from its settings to the end of its last sandbox. */
#ifndef SANDFLEET_SANDBOXD_SANDBOXD_H
#define SANDFLEET_SANDBOXD_SANDBOXD_H

#include "sandboxd/settings.h"

/* Serves until SIGTERM or SIGINT; then ends every sandbox first. */
enum err_code sandboxd_run(const struct settings *s, struct err *err) MUST_USE;

#endif
