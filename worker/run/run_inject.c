/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a credential that never enters the sandbox: the service adds it to the agent's
 * requests on their way out (E2B's network rules; sandboxd's egress proxy). Where the service
 * refuses that, the agent gets it by file descriptor after all, or, where that is forbidden, no
 * agent starts. */
#include <string.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/log.h"
#include "worker/run/credential.h"
#include "worker/run/run_internal.h"
#include "common/banned.h"

enum {
    REFUSED_MS = 10 * 60 * 1000, /* so long the service is not asked again */
    RULES_MAX_BYTES = 4 * SECRET_MAX_BYTES
};

const char *run_mode_name(enum run_mode m)
{
    static const char *const names[] = {
        [RUN_MODE_NONE] = "none", [RUN_MODE_FD] = "fd", [RUN_MODE_PROXY] = "proxy"};
    return names[m];
}

const char *run_base_url(const struct run *r)
{
    const struct claim_credential *c = r->claim.credential;

    if (c->base_url)
        return c->base_url;
    if (r->host->base_url)
        return r->host->base_url;
    return r->mode == RUN_MODE_PROXY ? CREDENTIAL_API_URL : NULL;
}

/* The host of an https:// address; empty: it is another one. What goes by plain HTTP would be plain
 * behind the proxy, too. */
static struct str host_of(const char *url)
{
    if (!str_starts(str_of(url), "https://") || url[8] == '[')
        return (struct str){0};
    return (struct str){url + 8, strcspn(url + 8, "/:?#")};
}

const char *run_exposed(const struct run *r)
{
    const struct claim_credential *c = r->claim.credential;
    const char *url = c->base_url ? c->base_url : r->host->base_url;

    if (!r->host->proxy || !r->host->proxy->only || c->kind == CREDENTIAL_NONE ||
        r->claim.started || !url || host_of(url).n > 0)
        return NULL;
    return "the address of its credential is not https: nothing is added to such requests";
}

/* {"rules":{"HOST":[{"transform":{"headers":{"NAME":"VALUE"}}}]}}
 * All room at once: a buffer that moves leaves a copy behind. */
static void put_rules(const struct run *r, struct str host, struct str secret, struct buf *out)
{
    bool key = r->claim.credential->kind == CREDENTIAL_API_KEY;
    AUTO_BUF value = BUF_INIT(SECRET_MAX_BYTES + 16);

    (void)buf_room(&value, value.max);
    (void)buf_room(out, out->max);
    buf_adds(&value, key ? "" : "Bearer ");
    buf_addstr(&value, secret);
    buf_adds(out, "{\"rules\":{");
    json_put_string(out, host);
    buf_adds(out, ":[{\"transform\":{\"headers\":{");
    json_kv_str(out, key ? "x-api-key" : "Authorization", buf_str(&value));
    buf_adds(out, "}}}]}}");
    if (value.rc != ERR_OK)
        out->rc = value.rc;
    if (value.p)
        sodium_memzero(value.p, value.cap);
}

static void go_on(struct run *r)
{
    if (!run_follow(r))
        run_apply(r, RUN_EV_ENDED);
}

/* The service does not add headers, or not these, or not for us. */
static bool declines(const struct err *e)
{
    return err_action(e->code) == ERR_DO_REJECT || e->code == ERR_UNAUTHORIZED;
}

static void declined(struct run *r, const struct err *e)
{
    if (r->host->proxy->only) {
        run_end_with(r, OUTCOME_CREDENTIAL_NOT_PROXIED, e->msg, 0);
        run_apply(r, RUN_EV_ENDED);
        return;
    }
    log_event(LOG_WARN, "credential.by_descriptor", LF("run", r->claim.run_id), LF_ERR(e),
              LF("next", "the service adds no headers: agents get their credentials themselves"));
    r->host->proxy->refused_until_ms = clock_boot_ms() + REFUSED_MS;
    r->mode = RUN_MODE_FD;
    go_on(r);
}

static void on_ruled(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    if (!run_answered(r) || r->state != RUN_STARTING || r->capture)
        return; /* cancelled, or suspended, meanwhile */
    if (e->code == ERR_OK) {
        r->ruled = true;
        go_on(r);
    } else if (declines(e)) {
        declined(r, e);
    } else {
        run_end_with(r, e->code == ERR_GONE ? OUTCOME_SANDBOX_LOST : outcome_of_error(e), e->msg,
                     e->retry_ms);
        run_apply(r, RUN_EV_ENDED);
    }
}

static enum err_code rule(struct run *r, struct str host, struct err *err)
{
    struct buf rules = BUF_INIT(RULES_MAX_BYTES);
    struct secret *plain = NULL;
    enum err_code rc =
        credential_learn(r->claim.credential, r->host->keys, r->host->redactor, &plain, err);

    if (rc == ERR_OK) {
        put_rules(r, host, secret_value(plain), &rules);
        rc = rules.rc != ERR_OK ? err_set(err, rules.rc, "network rules")
                                : sandbox_set_network(r->host->sandboxes, r->place.sandbox_id,
                                                      rules.p, on_ruled, r, err);
    }
    if (rules.p)
        sodium_memzero(rules.p, rules.cap);
    buf_release(&rules);
    secret_free(plain);
    return rc;
}

bool run_inject(struct run *r)
{
    const struct run_proxy *p = r->host->proxy;
    struct err err = ERR_INIT;

    r->mode = r->claim.credential->kind == CREDENTIAL_NONE ? RUN_MODE_NONE : RUN_MODE_FD;
    if (r->mode == RUN_MODE_NONE || !p || clock_boot_ms() < p->refused_until_ms)
        return false;
    r->mode = RUN_MODE_PROXY;
    struct str host = host_of(run_base_url(r));
    if (host.n == 0) {
        r->mode = RUN_MODE_FD;
        return false;
    }
    if (r->claim.started) { /* its agent is at work: the service has the rules */
        r->ruled = true;
        return false;
    }
    if (rule(r, host, &err) != ERR_OK) {
        run_end_with(r, outcome_of_error(&err), err.msg, 0);
        run_apply(r, RUN_EV_ENDED);
        return true;
    }
    r->calls++;
    return true;
}

static void on_cleared(void *ctx, const struct err *e)
{
    struct run *r = ctx;

    if (!run_answered(r))
        return;
    if (e->code != ERR_OK && e->code != ERR_GONE)
        log_event(LOG_WARN, "credential.rules_stay", LF("run", r->claim.run_id),
                  LF("sandbox", r->place.sandbox_id), LF_ERR(e));
    r->clearing = false;
    if (r->state == RUN_SETTLING)
        run_settle(r);
}

void run_clear_rules(struct run *r)
{
    struct err err = ERR_INIT;

    if (!r->ruled || !r->request.session_id ||
        sandbox_set_network(r->host->sandboxes, r->place.sandbox_id, "{}", on_cleared, r, &err) !=
            ERR_OK)
        return; /* one that nobody keeps ends with its rules */
    r->ruled = false;
    r->clearing = true;
    r->calls++;
}
