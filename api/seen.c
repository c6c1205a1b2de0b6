/* SPDX-License-Identifier: Apache-2.0 */
#include "api/seen.h"

#include <assert.h>
#include <stdio.h>

#include "api/api_internal.h"
#include "api/live/streams.h"
#include "common/clock.h"
#include "common/banned.h"

enum {
    SEEN_REQUESTS,     /* by route and status */
    SEEN_REQUEST_TIME, /* by route */
    SEEN_AUTH,         /* by enum seen_auth */
    SEEN_CALLS,
    SEEN_CONNECTIONS,
    SEEN_STREAMS,
    SEEN_KAFKA_UP,
    SEEN_KAFKA_RECORDS,
    SEEN_DATABASE_UP,
    SEEN_DATABASE_QUEUED,
    SEEN_DRAINING,
    SEEN_METRICS
};

/* --- labels ------------------------------------------------------------------------ */

enum { ROUTES_ROOM = 128, ROUTE_NAME_ROOM = 64 };

/* "POST /v1/runs/{}/cancel"; the last one: no route. Made once each. */
static const char *route_name(size_t i)
{
    static char names[ROUTES_ROOM][ROUTE_NAME_ROOM];

    if (!names[i][0] && i < api_routes_n)
        (void)snprintf(names[i], sizeof(names[i]), "%s %s", api_routes[i].method,
                       api_routes[i].path);
    return i < api_routes_n ? names[i] : "none";
}

static const int statuses[] = {200, 201, 202, 204, 400, 401, 403, 404, 405, 406,
                               409, 413, 414, 415, 422, 429, 431, 500, 503};

/* 0: the client went away before an answer. */
static const char *status_name(size_t i)
{
    static char names[COUNTOF(statuses)][4];

    if (i == 0 || i > COUNTOF(statuses))
        return i == 0 ? "none" : "other";
    if (!names[i - 1][0])
        (void)snprintf(names[i - 1], sizeof(names[i - 1]), "%d", statuses[i - 1]);
    return names[i - 1];
}

static size_t status_index(int status)
{
    size_t i = 0;

    if (status == 0)
        return 0;
    while (i < COUNTOF(statuses) && statuses[i] != status)
        i++;
    return i + 1;
}

static const char *auth_name(size_t i)
{
    return (const char *const[]){"ok", "none", "refused", "scope", "too_often", "unknowable"}[i];
}

/* --- the table ----------------------------------------------------------------------- */

static const double time_bounds[] = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                     0.1,    0.25,  0.5,    1,     2.5,  10,    60};

#define NONE {{NULL, NULL, 0}}
#define ONE(name, f, n)                                                                            \
    {                                                                                              \
        {                                                                                          \
            name, f, n                                                                             \
        }                                                                                          \
    }

// clang-format off
static struct metric table[SEEN_METRICS] = { /* but for how many routes there are */
    [SEEN_REQUESTS] = {"sandfleet_api_requests_total", "Requests that are over; status none: the client went away first.",
        METRIC_COUNTER, {{"route", route_name, 0}, {"status", status_name, COUNTOF(statuses) + 2}}, NULL, 0},
    [SEEN_REQUEST_TIME] = {"sandfleet_api_request_seconds", "From a request's headers to its answer's last byte, waiting by ?wait= included; streams are not timed.",
        METRIC_HISTOGRAM, ONE("route", route_name, 0), time_bounds, COUNTOF(time_bounds)},
    [SEEN_AUTH] = {"sandfleet_api_auth_total", "Requests that need a key, by what became of that.",
        METRIC_COUNTER, ONE("result", auth_name, SEEN_AUTHS), NULL, 0},
    [SEEN_CALLS] = {"sandfleet_api_requests", "Requests under way.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_CONNECTIONS] = {"sandfleet_api_connections", "Clients connected.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_STREAMS] = {"sandfleet_api_streams", "Readers that follow a run's events live.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_KAFKA_UP] = {"sandfleet_api_kafka_up", "1: a broker can be reached.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_KAFKA_RECORDS] = {"sandfleet_api_kafka_queue_records", "Records sent and not yet acknowledged.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_DATABASE_UP] = {"sandfleet_api_database_up", "1: Postgres answers.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_DATABASE_QUEUED] = {"sandfleet_api_database_queue_queries", "Queries sent and not yet answered.",
        METRIC_GAUGE, NONE, NULL, 0},
    [SEEN_DRAINING] = {"sandfleet_api_draining", "1: it takes no more requests.",
        METRIC_GAUGE, NONE, NULL, 0},
};
// clang-format on

struct metrics *seen_new(void)
{
    assert(api_routes_n < ROUTES_ROOM);
    table[SEEN_REQUESTS].label[0].n = table[SEEN_REQUEST_TIME].label[0].n = api_routes_n + 1;
    return metrics_new(table, SEEN_METRICS);
}

/* --- counting --------------------------------------------------------------------------- */

void seen_request(struct metrics *m, const struct route *route, int status, int64_t began_us,
                  bool stream)
{
    size_t at = route ? (size_t)(route - api_routes) : api_routes_n;

    metrics_add(m, SEEN_REQUESTS, at, status_index(status), 1);
    if (!stream && status != 0)
        metrics_observe(m, SEEN_REQUEST_TIME, at, 0, (double)(clock_boot_us() - began_us) / 1e6);
}

void seen_auth(struct metrics *m, enum seen_auth what)
{
    metrics_add(m, SEEN_AUTH, what, 0, 1);
}

/* --- writing ------------------------------------------------------------------------------ */

static void look(const struct api *a)
{
    struct metrics *m = a->metrics;
    size_t queued = 0;

    for (size_t i = 0; i < a->n_db; i++)
        queued += pg_queued(a->db[i]);
    const struct {
        size_t what;
        double is;
    } gauges[] = {{SEEN_CALLS, (double)a->n_calls},
                  {SEEN_CONNECTIONS, (double)http_server_connections(a->server)},
                  {SEEN_STREAMS, (double)streams_open(a->streams)},
                  {SEEN_KAFKA_UP, producer_is_up(a->producer)},
                  {SEEN_KAFKA_RECORDS, (double)producer_in_flight(a->producer)},
                  {SEEN_DATABASE_UP, api_db(a) != NULL},
                  {SEEN_DATABASE_QUEUED, (double)queued},
                  {SEEN_DRAINING, a->stopping}};
    for (size_t i = 0; i < COUNTOF(gauges); i++)
        metrics_set(m, gauges[i].what, 0, 0, gauges[i].is);
}

void seen_write(const struct api *a, struct buf *out)
{
    look(a);
    metrics_write(a->metrics, out);
}
