/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/create.h"

#include <stdio.h>
#include <stdlib.h>

#include <sodium.h>

#include "api/api_internal.h"
#include "api/intake/doc.h"
#include "api/intake/intake.h"
#include "api/intake/note.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/banned.h"

enum { NOTED_MS = 1000 /* a 201 waits so long for the database, and no longer */ };

/* --- the answer ------------------------------------------------------------------------ */

static void reply(struct call *c)
{
    const struct creation *cr = c->state;

    timer_stop(cr->deadline);
    idem_answer(c, cr->location, buf_str(&cr->answer), false);
}

static void refuse(struct call *c, const struct err *e)
{
    const struct creation *cr = c->state;

    if (e->code == ERR_TOO_BIG)
        call_problem_at(c, PROBLEM_TOO_LARGE, "", "%s", body_reason_text(e));
    else
        call_problem(c, intake_problem(e), "nothing was accepted: %s; ask again%s", e->msg,
                     cr->idem.key[0] ? " with the same Idempotency-Key" : "");
}

/* --- what the database hears of it -------------------------------------------------------- */

static void on_noted(void *ctx, bool told)
{
    struct call *c = ctx;

    (void)told; /* then the sink tells of it a moment later */
    reply(c);
    call_drop(c);
}

static bool note_accepted(struct call *c, note_fn fn, void *ctx)
{
    const struct creation *cr = c->state;
    bool keyed = cr->idem.key[0] != '\0';
    const struct note n = {.tenant = c->who.tenant,
                           .run_id = cr->run_id,
                           .lane = cr->run.lane,
                           .request = buf_str(&cr->value),
                           .key = keyed ? cr->idem.key : NULL,
                           .holder = c->id,
                           .location = cr->location,
                           .answer = buf_str(&cr->answer)};

    return note_tell(c->api->notes, &n, fn, ctx);
}

static void ignore(void *ctx, bool told)
{
    (void)ctx, (void)told;
}

/* Its 503 was sent, or is, and Kafka may have it. With a key that is fine: whoever asks again gets
 * this run. Without one they would get another, so this one is not to be. */
static void revoke(struct call *c)
{
    const struct creation *cr = c->state;
    const struct note n = {.tenant = c->who.tenant, .run_id = cr->run_id};
    bool told = note_tell(c->api->notes, &n, ignore, NULL);

    log_event(LOG_WARN, "run.revoked", LF("run", cr->run_id), LF_INT("told", told));
}

/* --- Kafka -------------------------------------------------------------------------------- */

static void accepted(struct call *c)
{
    struct creation *cr = c->state;

    cr->acked = true;
    doc_run(&cr->run.request, cr->run.lane, &cr->answer);
    call_keep(c);
    if (note_accepted(c, on_noted, c)) {
        timer_start(cr->deadline, NOTED_MS);
        return;
    }
    reply(c);
    call_drop(c);
}

static void not_accepted(struct call *c, const struct err *e)
{
    const struct creation *cr = c->state;
    bool surely = e->code != ERR_IO;

    if (!surely && !cr->idem.key[0])
        revoke(c);
    idem_let_go(c, surely);
    refuse(c, e);
}

/* Behind the 503. */
static void too_late(struct call *c, const struct err *e)
{
    struct creation *cr = c->state;

    if (cr->idem.key[0] && e->code == ERR_OK) {
        doc_run(&cr->run.request, cr->run.lane, &cr->answer);
        (void)!note_accepted(c, ignore, NULL);
    } else if (!cr->idem.key[0] && (e->code == ERR_OK || e->code == ERR_IO)) {
        revoke(c);
    }
}

static void on_acked(void *ctx, const struct err *e, int32_t partition, int64_t offset)
{
    struct call *c = ctx;
    struct creation *cr = c->state;

    (void)partition, (void)offset;
    timer_stop(cr->deadline);
    if (cr->given_up)
        too_late(c, e);
    else if (e->code == ERR_OK)
        accepted(c);
    else
        not_accepted(c, e);
    call_drop(c);
}

static void on_deadline(void *ctx)
{
    struct call *c = ctx;
    struct creation *cr = c->state;
    struct err err = ERR_INIT;

    if (cr->acked) {
        reply(c);
        return;
    }
    cr->given_up = true;
    idem_let_go(c, false);
    err_set(&err, ERR_TIMEOUT, "kafka did not acknowledge it in %lld ms",
            (long long)c->api->set->ack_ms);
    refuse(c, &err);
}

static void send(struct call *c)
{
    struct creation *cr = c->state;
    struct err err = ERR_INIT;

    call_keep(c);
    timer_start(cr->deadline, c->api->set->ack_ms);
    if (intake_send(c->api, &cr->run.request, cr->run.lane, buf_str(&cr->value), on_acked, c,
                    &err) == ERR_OK)
        return;
    timer_stop(cr->deadline);
    idem_let_go(c, true);
    refuse(c, &err);
    call_drop(c);
}

/* --- life ---------------------------------------------------------------------------------- */

static void release(struct call *c)
{
    struct creation *cr = c->state;

    run_request_release(&cr->run.request);
    buf_release(&cr->value);
    buf_release(&cr->answer);
    timer_free(cr->deadline);
    free(cr);
}

struct creation *creation_new(struct call *c)
{
    struct creation *cr = calloc(1, sizeof(*cr));
    struct timer *deadline = cr ? timer_new(c->api->loop, on_deadline, c) : NULL;
    struct run_request *r = cr ? &cr->run.request : NULL;

    if (!deadline) {
        free(cr);
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return NULL;
    }
    cr->deadline = deadline;
    cr->value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES);
    cr->answer = BUF_INIT(DOC_MAX_BYTES);
    c->state = cr;
    c->release = release;
    *r = RUN_REQUEST_INIT;
    if (!idem_read(c, &cr->idem))
        return NULL;
    r->tenant = c->who.tenant;
    r->run_id = cr->run_id;
    r->created_ms = clock_wall_ms();
    if (cr->idem.key[0]) {
        r->idempotency_key = cr->idem.key;
        run_request_derive_id(r->tenant, cr->idem.key, cr->run_id);
    } else {
        uuid_v7(r->created_ms, cr->run_id);
    }
    (void)snprintf(cr->location, sizeof(cr->location), "/v1/runs/%s", cr->run_id);
    return cr;
}

void creation_submit(struct call *c, const char *op, const void *what, size_t n)
{
    struct creation *cr = c->state;
    uint8_t hash[32];
    struct err err = ERR_INIT;

    if (run_request_write(&cr->run.request, &cr->value, &err) != ERR_OK) {
        refuse(c, &err);
        return;
    }
    run_request_hash(&cr->run.request, hash);
    sodium_bin2hex(cr->hash, sizeof(cr->hash), hash, sizeof(hash));
    idem_work(&cr->idem, op, what, n);
    idem_begin(c, cr->run_id, cr->hash, send);
}
