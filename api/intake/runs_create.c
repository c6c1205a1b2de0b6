/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/runs */
#include "api/api_internal.h"
#include "api/intake/create.h"
#include "api/intake/handlers.h"
#include "common/banned.h"

/* What is the same for two requests that ask for the same. */
struct what {
    uint8_t request[32];
    uint8_t lane;
};

void run_create(struct call *c)
{
    static const char *const none[] = {NULL};
    struct body_errors errors = BODY_ERRORS_INIT;
    struct creation *cr;
    struct what what = {0};
    cJSON *tree;

    if (!call_params(c, none))
        return;
    if (c->http->body.len == 0) {
        call_problem_at(c, PROBLEM_BAD_JSON, "", "the body is empty: it is the run, a JSON object");
        return;
    }
    tree = call_object(c);
    if (!tree)
        return;
    cr = creation_new(c);
    if (!cr) {
        cJSON_Delete(tree);
        return;
    }
    if (!body_run_read(tree, &cr->run, &errors)) {
        call_problem_fields(c, errors.fields, errors.n);
        return;
    }
    run_request_hash(&cr->run.request, what.request);
    what.lane = (uint8_t)cr->run.lane;
    creation_submit(c, "POST /v1/runs", &what, sizeof(what));
}
