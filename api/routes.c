/* SPDX-License-Identifier: Apache-2.0 */
#include "api/api_internal.h"
#include "api/intake/handlers.h"
#include "api/intake/items.h"

#include "api/reads/reads.h"
#include "common/attrs.h"
#include "common/banned.h"

// clang-format off
const struct route api_routes[] = {
    ROUTE("GET", "/healthz", PUBLIC, health_get),
    ROUTE("GET", "/readyz", PUBLIC, ready_get),
    ROUTE("GET", "/metrics", ADMIN, metrics_get),
    ROUTE("GET", "/openapi.yaml", PUBLIC, contract_get),
    ROUTE("POST", "/v1/runs", SUBMIT, run_create, .body_max = API_BODY_MAX),
    ROUTE("GET", "/v1/runs", READ, runs_list),
    ROUTE("GET", "/v1/runs/{}", READ, run_get),
    ROUTE("GET", "/v1/runs/{}/events", READ, events_get, .flags = ROUTE_READ_TOKEN),
    ROUTE("GET", "/v1/runs/{}/result", READ, run_result),
    ROUTE("GET", "/v1/runs/{}/log", READ, run_log),
    ROUTE("GET", "/v1/runs/{}/attempts", READ, run_attempts),
    ROUTE("GET", "/v1/runs/{}/usage", READ, run_usage),
    ROUTE("GET", "/v1/runs/{}/explain", READ, run_explain),
    ROUTE("POST", "/v1/runs/{}/cancel", SUBMIT, run_cancel, .body_max = API_BODY_MAX),
    ROUTE("POST", "/v1/runs/{}/retry", SUBMIT, run_retry),
    ROUTE("POST", "/v1/runs/{}/read-token", READ, read_token_post, .body_max = API_BODY_MAX),
    ROUTE("POST", "/v1/batches", SUBMIT, batch_create, .body_max = API_BODY_MAX),
    ROUTE("GET", "/v1/batches", READ, batches_list),
    ROUTE("GET", "/v1/batches/{}", READ, batch_get),
    ROUTE("POST", "/v1/batches/{}/cancel", SUBMIT, batch_cancel, .body_max = API_BODY_MAX),
    ROUTE("POST", "/v1/batches/{}/retry", SUBMIT, batch_retry, .body_max = API_BODY_MAX, .flags = ROUTE_LASTS),
    ROUTE("POST", "/v1/batches/{}/items", SUBMIT, items_whole, .begin = items_begin, .body_max = ITEMS_BODY_MAX, .held = ITEMS_HELD, .flags = ROUTE_NDJSON | ROUTE_LASTS),
    ROUTE("POST", "/v1/batches/{}/seal", SUBMIT, batch_seal),
    ROUTE("GET", "/v1/batches/{}/results", READ, batch_results),
    ROUTE("GET", "/v1/sessions", READ, sessions_list),
    ROUTE("GET", "/v1/sessions/{}", READ, session_get),
    ROUTE("DELETE", "/v1/sessions/{}", SUBMIT, session_delete),
    ROUTE("POST", "/v1/sandboxes", ADMIN, sandboxes_ask, .body_max = API_BODY_MAX),
    ROUTE("GET", "/v1/sandboxes", READ, sandboxes_list),
    ROUTE("GET", "/v1/sandboxes/{}", READ, sandbox_get),
    ROUTE("DELETE", "/v1/sandboxes/{}", SUBMIT, sandbox_delete),
    ROUTE("GET", "/v1/stats", READ, stats_get),
    ROUTE("GET", "/v1/workers", ADMIN, workers_list),
    ROUTE("GET", "/v1/limits", ADMIN, limits_show),
    ROUTE("PUT", "/v1/limits", ADMIN, limit_set, .body_max = API_BODY_MAX),
    ROUTE("GET", "/v1/dlq", ADMIN, letters_list),
    ROUTE("GET", "/v1/dlq/{}", ADMIN, letter_get),
    ROUTE("POST", "/v1/dlq/redrive", ADMIN, letters_redrive, .body_max = API_BODY_MAX, .flags = ROUTE_LASTS),
    ROUTE("POST", "/v1/dlq/purge", ADMIN, letters_purge, .body_max = API_BODY_MAX, .flags = ROUTE_LASTS),
};
// clang-format on
const size_t api_routes_n = COUNTOF(api_routes);
