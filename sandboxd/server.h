/* SPDX-License-Identifier: Apache-2.0 */
/* What the handlers of one server share, and the handlers themselves: each
 * answers one row of the table in routes.c. */
#ifndef SANDFLEET_SANDBOXD_SERVER_H
#define SANDFLEET_SANDBOXD_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/secret/secret.h"
#include "sandboxd/envd/connect_rpc_http.h"
#include "sandboxd/control/idempotency.h"
#include "sandboxd/control/journal.h"
#include "sandboxd/control/snapshots.h"
#include "sandboxd/sandbox/sandbox.h"
#include "sandboxd/web/web.h"

enum { ENVD_PORT = 49983 };
#define ENVD_VERSION  "0.6.13"
#define ISOLATION_KEY "sandfleet.isolation"
#define SANDBOX_USER  "user" /* the only one of a sandbox, as clients name it */

struct server {
    struct fleet fleet;
    struct web *web;
    struct idempotency *created;
    struct lifecycle_log *lifecycle;
    struct snapshots snapshots;
    const struct secret *api_key;
    struct isolation isolation;
    struct identity identity;
    struct faults *faults; /* scripted; NULL: none */
    bool fault_endpoint;   /* they may be replaced over HTTP */
};

extern const struct route server_routes[];
extern const size_t server_n_routes;
bool server_admit(struct request *r); /* web_opts.admit */
void server_lose(struct request *r);  /* web_opts.lose */
bool server_guess(struct request *r); /* web_opts.guess */
/* The rules of --faults. ERR_CONFIG. */
enum err_code server_load_faults(struct server *s, const char *path, struct err *err) MUST_USE;

/* The sandbox a request is about; NULL: answered 404 or 502. */
struct sandbox *request_sandbox(struct request *r);
/* Whether the user that the request names (by Authorization, or a query's `username`) is the
 * sandbox's only one, "user", or none is named; else it is answered as envd does: a Connect
 * error on RPC, 401 on plain paths. */
bool request_user_ok(struct request *r);

/* control plane */
void handle_health(struct request *r);
void handle_create_v1(struct request *r);
void handle_create_v2(struct request *r);
void handle_list_v1(struct request *r);
void handle_list_v2(struct request *r);
void handle_get(struct request *r);
void handle_kill(struct request *r);
void handle_timeout(struct request *r);
void handle_refresh(struct request *r);
void handle_connect_v1(struct request *r);
void handle_connect_v2(struct request *r);
void handle_pause(struct request *r);
void handle_resume(struct request *r);
void handle_fork(struct request *r);
void handle_network(struct request *r);
void handle_snapshot(struct request *r);
void handle_snapshots(struct request *r);
void handle_template_delete(struct request *r);
void handle_templates(struct request *r);
void handle_metrics(struct request *r);
void handle_metrics_of_many(struct request *r);
void handle_logs_v1(struct request *r);
void handle_logs_v2(struct request *r);
void handle_events(struct request *r);
void handle_faults_put(struct request *r);
void handle_faults_get(struct request *r);
/* envd */
void handle_envd_health(struct request *r);
void handle_start(struct request *r);
void handle_process_connect(struct request *r);
void handle_process_list(struct request *r);
void handle_send_signal(struct request *r);
void handle_update(struct request *r);
void handle_send_input(struct request *r);
void handle_close_stdin(struct request *r);
void handle_stream_input(struct request *r);
extern const struct body_sink input_sink;
void handle_file_get(struct request *r);
void handle_file_put(struct request *r);
extern const struct body_sink file_sink;
void handle_stat(struct request *r);
void handle_make_dir(struct request *r);
void handle_move(struct request *r);
void handle_remove(struct request *r);
void handle_list_dir(struct request *r);
void handle_watch_dir(struct request *r);
void handle_create_watcher(struct request *r);
void handle_watcher_events(struct request *r);
void handle_remove_watcher(struct request *r);
void handle_compose(struct request *r);
void handle_envs(struct request *r);
void handle_envd_metrics(struct request *r);
void handle_not_here(struct request *r);

/* Answers of the control plane, also used by several handlers. */
void sandbox_json(const struct sandbox *sb, struct buf *out);

#endif
