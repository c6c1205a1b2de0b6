/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of this folder. */
#ifndef SANDFLEET_SANDBOXD_WEB_WEB_INTERNAL_H
#define SANDFLEET_SANDBOXD_WEB_WEB_INTERNAL_H

#include <sys/queue.h>

#include "sandboxd/web/web.h"

/* A connection that a fault keeps suspended: at the server's end it must be let go. */
struct held {
    LIST_ENTRY(held) link;
    void (*shut)(struct held *h); /* takes it off the list and resumes */
};
void web_hold(struct web *w, struct held *h);
struct loop *web_loop(const struct web *w);
struct web_opts *web_opts_of(struct web *w);

/* Plane, sandbox, row of the table; or an answer: nothing there, not let in, a fault. */
void request_route(struct request *r, const char *method);
int64_t request_body_max(const struct request *r);
bool request_too_long(const struct request *r); /* by its Content-Length */
/* Streaming methods take and give application/connect+json, unary ones JSON. True: answered. */
bool request_wrong_type(struct request *r);

/* A rule for this request, if there is one: answers, or notes what is to come. */
void fault_meet(struct request *r);
/* Before the handler, and before the answer: true when the request is suspended for a while;
 * finish() comes again. */
bool fault_delays(struct request *r);
void fault_forget(struct request *r);

#endif
