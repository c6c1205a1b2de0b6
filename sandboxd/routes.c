/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/server.h"

#include "common/banned.h"

#define CONTROL PLANE_CONTROL
#define ENVD    PLANE_ENVD
#define PROCESS "/process.Process/"
#define FILES   "/filesystem.Filesystem/"

// clang-format off
const struct route server_routes[] = {
    {"GET",    "/health",                  CONTROL, ROUTE_OPEN, handle_health,     NULL},
    {"POST",   "/sandboxes",               CONTROL, 0,          handle_create_v1,  NULL},
    {"POST",   "/v2/sandboxes",            CONTROL, 0,          handle_create_v2,  NULL},
    {"GET",    "/sandboxes",               CONTROL, 0,          handle_list_v1,    NULL},
    {"GET",    "/v2/sandboxes",            CONTROL, 0,          handle_list_v2,    NULL},
    {"GET",    "/sandboxes/metrics",       CONTROL, 0,          handle_metrics_of_many, NULL},
    {"GET",    "/sandboxes/{}",            CONTROL, 0,          handle_get,        NULL},
    {"DELETE", "/sandboxes/{}",            CONTROL, 0,          handle_kill,       NULL},
    {"POST",   "/sandboxes/{}/timeout",    CONTROL, 0,          handle_timeout,    NULL},
    {"POST",   "/sandboxes/{}/refreshes",  CONTROL, 0,          handle_refresh,    NULL},
    {"POST",   "/sandboxes/{}/connect",    CONTROL, 0,          handle_connect_v1, NULL},
    {"POST",   "/v2/sandboxes/{}/connect", CONTROL, 0,          handle_connect_v2, NULL},
    {"POST",   "/sandboxes/{}/pause",      CONTROL, 0,          handle_pause,      NULL},
    {"POST",   "/sandboxes/{}/resume",     CONTROL, 0,          handle_resume,     NULL},
    {"POST",   "/sandboxes/{}/fork",       CONTROL, 0,          handle_fork,       NULL},
    {"PUT",    "/sandboxes/{}/network",    CONTROL, 0,          handle_network,    NULL},
    {"POST",   "/sandboxes/{}/snapshots",  CONTROL, 0,          handle_snapshot,   NULL},
    {"GET",    "/sandboxes/{}/metrics",    CONTROL, 0,          handle_metrics,    NULL},
    {"GET",    "/sandboxes/{}/logs",       CONTROL, 0,          handle_logs_v1,    NULL},
    {"GET",    "/v2/sandboxes/{}/logs",    CONTROL, 0,          handle_logs_v2,    NULL},
    {"GET",    "/snapshots",               CONTROL, 0,          handle_snapshots,  NULL},
    {"GET",    "/templates",               CONTROL, 0,          handle_templates,  NULL},
    {"DELETE", "/templates/{}",            CONTROL, 0,          handle_template_delete, NULL},
    {"GET",    "/events/sandboxes",        CONTROL, 0,          handle_events,     NULL},
    {"GET",    "/events/sandboxes/{}",     CONTROL, 0,          handle_events,     NULL},
    {"PUT",    "/sandfleet/faults",        CONTROL, ROUTE_FAULTLESS, handle_faults_put, NULL},
    {"GET",    "/sandfleet/faults",        CONTROL, ROUTE_FAULTLESS, handle_faults_get, NULL},

    {"GET",    "/health",                  ENVD, ROUTE_OPEN,    handle_envd_health,     NULL},
    {"POST",   PROCESS "Start",            ENVD, ROUTE_STREAM,  handle_start,           NULL},
    {"POST",   PROCESS "Connect",          ENVD, ROUTE_STREAM,  handle_process_connect, NULL},
    {"POST",   PROCESS "List",             ENVD, ROUTE_UNARY,   handle_process_list,    NULL},
    {"POST",   PROCESS "SendSignal",       ENVD, ROUTE_UNARY,   handle_send_signal,     NULL},
    {"POST",   PROCESS "Update",           ENVD, ROUTE_UNARY,   handle_update,          NULL},
    {"POST",   PROCESS "SendInput",        ENVD, ROUTE_UNARY,   handle_send_input,      NULL},
    {"POST",   PROCESS "CloseStdin",       ENVD, ROUTE_UNARY,   handle_close_stdin,     NULL},
    {"POST",   PROCESS "StreamInput",      ENVD, ROUTE_STREAM,  handle_stream_input,    &input_sink},
    {"GET",    "/files",                   ENVD, ROUTE_SIGNED,  handle_file_get,        NULL},
    {"POST",   "/files",                   ENVD, ROUTE_SIGNED,  handle_file_put,        &file_sink},
    {"POST",   "/files/compose",           ENVD, 0,             handle_compose,         NULL},
    {"GET",    "/envs",                    ENVD, 0,             handle_envs,            NULL},
    {"GET",    "/metrics",                 ENVD, 0,             handle_envd_metrics,    NULL},
    {"POST",   FILES "Stat",               ENVD, ROUTE_UNARY,   handle_stat,            NULL},
    {"POST",   FILES "MakeDir",            ENVD, ROUTE_UNARY,   handle_make_dir,        NULL},
    {"POST",   FILES "Move",               ENVD, ROUTE_UNARY,   handle_move,            NULL},
    {"POST",   FILES "Remove",             ENVD, ROUTE_UNARY,   handle_remove,          NULL},
    {"POST",   FILES "ListDir",            ENVD, ROUTE_UNARY,   handle_list_dir,        NULL},
    {"POST",   FILES "WatchDir",           ENVD, ROUTE_STREAM,  handle_watch_dir,       NULL},
    {"POST",   FILES "CreateWatcher",      ENVD, ROUTE_UNARY,   handle_create_watcher,  NULL},
    {"POST",   FILES "GetWatcherEvents",   ENVD, ROUTE_UNARY,   handle_watcher_events,  NULL},
    {"POST",   FILES "RemoveWatcher",      ENVD, ROUTE_UNARY,   handle_remove_watcher,  NULL},

    {"POST",   "/init",                    ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/freeze",                  ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/unfreeze",                ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/collapse",                ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/fsfreeze",                ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/fsthaw",                  ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
    {"POST",   "/upgrade",                 ENVD, ROUTE_OPEN,    handle_not_here,        NULL},
};
// clang-format on
const size_t server_n_routes = COUNTOF(server_routes);
