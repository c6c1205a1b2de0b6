/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP door as a whole. Single-threaded. */
#ifndef SANDFLEET_API_API_H
#define SANDFLEET_API_API_H

#include "api/settings.h"
#include "common/err.h"

/* Answers until it is told to stop, and then what is under way; blocks. */
enum err_code api_run(const struct settings *set, struct err *err) MUST_USE;

#endif
