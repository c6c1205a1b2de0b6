/* SPDX-License-Identifier: Apache-2.0 */
/* What the sandbox service answers, read with ceilings: ERR_PROTOCOL when it is not what the
 * service promises. Nothing of it goes into an address or a header unchecked. Pure. */
#ifndef SANDFLEET_WORKER_E2B_SANDBOX_ANSWER_H
#define SANDFLEET_WORKER_E2B_SANDBOX_ANSWER_H

#include "common/buf.h"
#include "common/err.h"
#include "common/json/json.h"
#include "worker/e2b/sandbox.h"
#include "worker/e2b/sandbox_report.h"

enum {
    SANDBOX_PAGE_ITEMS = 100,      /* what we ask for; a longer page is no answer to that */
    SANDBOX_OLD_LIST_ITEMS = 5000, /* what a list without pages may hold */
    SANDBOX_TOKEN_MAX_BYTES = 512,
    SANDBOX_HOST_MAX_BYTES = 254
};

/* Of create and connect. The tokens are secrets: sandbox_made_wipe(). */
struct sandbox_made {
    char id[SANDBOX_ID_MAX_BYTES];
    char token[SANDBOX_TOKEN_MAX_BYTES];         /* of envd; "": it asks for none */
    char traffic_token[SANDBOX_TOKEN_MAX_BYTES]; /* of the other ports; "": none */
    char domain[SANDBOX_HOST_MAX_BYTES];         /* "": the one we know */
};
enum err_code sandbox_made_parse(struct str body, struct sandbox_made *out,
                                 struct err *err) MUST_USE;
void sandbox_made_wipe(struct sandbox_made *m);

/* One sandbox of a list, or the detail. out->metadata is borrowed from `item`. */
enum err_code sandbox_info_parse(const cJSON *item, struct sandbox_info *out,
                                 struct err *err) MUST_USE;

/* Of a new snapshot, or one of a list. */
enum err_code sandbox_snapshot_parse(const cJSON *item, char out[SANDBOX_TEMPLATE_MAX_BYTES],
                                     struct err *err) MUST_USE;

/* An array of at most `most` objects; *out is yours. */
enum err_code sandbox_array_parse(struct str body, int most, cJSON **out, struct err *err) MUST_USE;

/* *out is yours: free(). *n was 0. The logs' texts are borrowed from `tree`. */
enum err_code sandbox_metrics_parse(struct str body, struct sandbox_metric **out, size_t *n,
                                    struct err *err) MUST_USE;
enum err_code sandbox_logs_parse(const cJSON *tree, struct sandbox_log **out, size_t *n,
                                 struct err *err) MUST_USE;

/* --- what may stand in an address or a header line ------------------------------------ */
bool sandbox_id_ok(struct str id);       /* [a-z0-9], and "-" behind the first */
bool sandbox_template_ok(struct str id); /* of a template or snapshot: "owner/name:tag" */
bool sandbox_token_ok(struct str token); /* of an access token, and of a page */
bool sandbox_host_ok(struct str host);   /* a host name, a port allowed behind it */
bool sandbox_url_ok(struct str url);     /* http(s)://host[:port][/path] */

#endif
