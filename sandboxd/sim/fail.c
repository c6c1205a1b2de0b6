/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sim/lines.h"

#include <stddef.h>

#include "common/banned.h"

// clang-format off
static const struct fail fails[] = {
    {"overloaded",  "success", "api_error", 529, "overloaded_error", "server_error",
     "API Error: Repeated 529 Overloaded errors. The API is at capacity (simulated).", 2, false},
    {"api_error",   "success", "api_error", 500, "api_error", "server_error",
     "API Error: 500 Internal server error (simulated).", 1, false},
    {"usage_limit", "success", "api_error", 429, "rate_limit_error", "rate_limit",
     "You've hit your 5-hour limit (simulated)", 0, true},
    {"auth",        "success", "api_error", 0, NULL, "authentication_failed",
     "Not logged in \xc2\xb7 Please run /login", 0, false},
    {"max_turns",   "error_max_turns", "max_turns", 0, NULL, NULL,
     "Reached maximum number of turns", 0, false},
    {"interrupted", "error_during_execution", "aborted_streaming", 0, NULL, NULL,
     "[ede_diagnostic] result_type=user last_content_type=n/a stop_reason=null", 0, false},
    {"no_result",   NULL, NULL, 0, NULL, NULL, NULL, 0, false},
};
// clang-format on

const struct fail *fail_find(struct str name)
{
    for (size_t i = 0; i < COUNTOF(fails); i++)
        if (str_is(name, fails[i].name))
            return &fails[i];
    return NULL;
}
