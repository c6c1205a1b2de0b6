/* SPDX-License-Identifier: Apache-2.0 */
#include "api/auth/auth.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <sodium.h>

#include "api/api_internal.h"
#include "api/auth/keys.h"
#include "api/auth/read_token.h"
#include "api/seen.h"
#include "common/clock.h"
#include "common/banned.h"

/* What came with a request: a key, or a read token for the run that it names. */
struct proof {
    bool is_token;
    struct api_key key; /* of a token: its id only */
    struct read_token token;
};

struct waiting { /* for the database to tell the key */
    struct call *call;
    void (*next)(struct call *c);
    struct proof proof;
};

/* --- refused ------------------------------------------------------------------------- */

/* One sentence for all of it: a stranger learns nothing of why. */
static void refuse(struct call *c, bool none_given)
{
    if (!call_is_open(c))
        return;
    seen_auth(c->api->metrics, none_given ? SEEN_AUTH_NONE : SEEN_AUTH_REFUSED);
    http_reply_header(c->http, "WWW-Authenticate",
                      none_given ? "Bearer" : "Bearer error=\"invalid_token\"");
    call_problem(c, PROBLEM_UNAUTHORIZED, "%s",
                 none_given ? "no key was given: send Authorization: Bearer sfk_…"
                            : "the key or token does not count: it is unknown, revoked or expired");
}

static void refuse_scope(struct call *c)
{
    const char *need = permission_name(c->route->permission);
    char header[80];

    seen_auth(c->api->metrics, SEEN_AUTH_SCOPE);
    (void)snprintf(header, sizeof(header), "Bearer error=\"insufficient_scope\", scope=\"%s\"",
                   need);
    http_reply_header(c->http, "WWW-Authenticate", header);
    call_problem(c, PROBLEM_FORBIDDEN, "this needs a key with scope %s", need);
}

/* --- whom it stands for --------------------------------------------------------------- */

static bool choose_tenant(struct call *c)
{
    struct str other = http_request_query(c->http, "tenant");

    if (!other.p || str_is(other, c->who.tenant))
        return true;
    if (!run_name_ok(other))
        call_problem_at(c, PROBLEM_BAD_REQUEST, "tenant", "tenant is no tenant's name");
    else if (!c->who.any_tenant)
        call_problem(c, PROBLEM_FORBIDDEN,
                     "to ask for another tenant needs a key with scope admin");
    else
        (void)snprintf(c->who.tenant, sizeof(c->who.tenant), STR_FMT, STR_ARG(other));
    return call_is_open(c);
}

static void stand_for(struct call *c, const struct key *key)
{
    (void)snprintf(c->who.tenant, sizeof(c->who.tenant), "%s", key->tenant);
    (void)snprintf(c->who.key_id, sizeof(c->who.key_id), "%s", key->id);
    memcpy(c->who.hash, key->hash, sizeof(c->who.hash));
    c->who.ends_ms = key->ends_ms;
    c->who.may[PERMIT_PUBLIC] = true;
    c->who.may[PERMIT_READ] = api_scopes_allow(key->scopes, API_READ);
    c->who.may[PERMIT_SUBMIT] = api_scopes_allow(key->scopes, API_SUBMIT);
    c->who.may[PERMIT_ADMIN] = c->who.any_tenant = api_scopes_allow(key->scopes, API_ADMIN);
}

/* A token reads what it was signed for, and nothing else. */
static void stand_for_token(struct call *c, const struct key *key, const struct read_token *t)
{
    (void)snprintf(c->who.tenant, sizeof(c->who.tenant), "%s", t->tenant);
    (void)snprintf(c->who.key_id, sizeof(c->who.key_id), "%s", key->id);
    (void)snprintf(c->who.only_run, sizeof(c->who.only_run), "%s", c->param[0].p);
    c->who.ends_ms = key->ends_ms;
    c->who.may[PERMIT_PUBLIC] = c->who.may[PERMIT_READ] = true;
}

static void anonymous(struct call *c)
{
    (void)snprintf(c->who.tenant, sizeof(c->who.tenant), "%s", c->api->set->anonymous);
    for (size_t p = PERMIT_PUBLIC; p < PERMISSIONS; p++)
        c->who.may[p] = true;
    c->who.any_tenant = true;
    c->who.ends_ms = INT64_MAX;
}

/* --- the key is known ------------------------------------------------------------------- */

static bool proves(const struct call *c, const struct proof *p, const struct key *key)
{
    if (!key_counts(key, loop_now_ms(c->api->loop)))
        return false;
    if (!p->is_token)
        return api_key_matches(&p->key, key->hash);
    /* a key that lost its right to read takes its tokens with it */
    return uuid_valid(c->param[0]) && read_token_matches(&p->token, c->param[0].p, key->hash) &&
           clock_wall_ms() / 1000 < p->token.expires_s && api_scopes_allow(key->scopes, API_READ) &&
           (strcmp(p->token.tenant, key->tenant) == 0 || api_scopes_allow(key->scopes, API_ADMIN));
}

/* Only for asking too often; that the fleet is full is nothing to refuse a request for. */
static bool asks_too_often(struct call *c, struct key *key)
{
    const struct settings *s = c->api->set;
    int64_t wait_s;
    char header[24];

    if (s->key_rate == 0 || bucket_take(&key->bucket, loop_now_ms(c->api->loop), s->key_rate,
                                        s->key_burst > 0 ? s->key_burst : 1, &wait_s))
        return false;
    seen_auth(c->api->metrics, SEEN_AUTH_TOO_OFTEN);
    (void)snprintf(header, sizeof(header), "%" PRId64, wait_s);
    http_reply_header(c->http, "Retry-After", header);
    call_problem(c, PROBLEM_THROTTLED,
                 "key %s asks more than %" PRId64 " times a second: come again in %" PRId64 " s",
                 key->id, s->key_rate, wait_s);
    return true;
}

static void judge(struct call *c, const struct proof *p, struct key *key,
                  void (*next)(struct call *c))
{
    if (!proves(c, p, key)) {
        refuse(c, false);
        return;
    }
    if (asks_too_often(c, key))
        return;
    keys_used(c->api->keys, key);
    if (p->is_token)
        stand_for_token(c, key, &p->token);
    else
        stand_for(c, key);
    if (!c->who.may[c->route->permission]) {
        refuse_scope(c);
        return;
    }
    seen_auth(c->api->metrics, SEEN_AUTH_OK);
    if (choose_tenant(c))
        next(c);
}

/* --- the key is not known yet --------------------------------------------------------------- */

static void say_away(struct call *c, enum keys_answer answer)
{
    seen_auth(c->api->metrics, SEEN_AUTH_UNKNOWABLE);
    if (answer == KEYS_BUSY)
        call_problem(c, PROBLEM_OVERLOADED, "too many unknown keys are being looked up");
    else
        call_problem(c, PROBLEM_DATABASE_AWAY, "the database is away, and it knows the keys");
}

static void on_key(void *ctx, enum keys_answer answer, struct key *key)
{
    struct waiting *w = ctx;

    if (!call_is_open(w->call))
        ; /* it went away meanwhile */
    else if (answer == KEYS_FOUND)
        judge(w->call, &w->proof, key, w->next);
    else if (answer == KEYS_NONE)
        refuse(w->call, false);
    else
        say_away(w->call, answer);
    struct call *c = w->call;
    call_disown(w);
    call_drop(c);
}

static void look_up(struct call *c, const struct proof *p, void (*next)(struct call *c))
{
    struct waiting *w = call_own(c, sizeof(*w));
    enum keys_answer answer;

    if (!w) {
        call_problem(c, PROBLEM_INTERNAL, "out of memory");
        return;
    }
    *w = (struct waiting){c, next, *p};
    call_keep(c);
    answer = keys_ask(c->api->keys, p->key.id, on_key, w);
    if (answer != KEYS_FOUND) {
        say_away(c, answer);
        call_disown(w);
        call_drop(c);
    }
}

/* --- what was given --------------------------------------------------------------------------- */

static struct str bearer(const struct call *c)
{
    const char *header = http_request_header(c->http, "Authorization");

    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return STR("");
    return str_trim(str_of(header + 7));
}

static bool read_proof(const struct call *c, struct str text, struct proof *out)
{
    out->is_token = (c->route->flags & ROUTE_READ_TOKEN) && str_starts(text, READ_TOKEN_PREFIX);
    if (!out->is_token)
        return api_key_parse(text, &out->key);
    if (!read_token_parse(text, &out->token))
        return false;
    memcpy(out->key.id, out->token.key_id, sizeof(out->key.id));
    return true;
}

/* Where both are given, the header counts. A key never comes in the URL: those are logged. NULL:
 * nothing; "": something, and not what we know. */
static struct str what_was_given(const struct call *c)
{
    struct str text = {0};

    if (http_request_header(c->http, "Authorization"))
        return bearer(c);
    if (c->route->flags & ROUTE_READ_TOKEN)
        text = http_request_query(c->http, "access_token");
    return str_starts(text, READ_TOKEN_PREFIX) ? text : (struct str){0};
}

void auth_check(struct call *c, void (*next)(struct call *c))
{
    struct proof proof = {0};
    struct str text;
    struct key *key;

    if (c->route->permission == PERMIT_PUBLIC) {
        next(c);
        return;
    }
    if (c->api->set->anonymous) {
        anonymous(c);
        if (choose_tenant(c))
            next(c);
        return;
    }
    text = what_was_given(c);
    if (!text.p || !read_proof(c, text, &proof)) {
        refuse(c, !text.p);
        return;
    }
    key = keys_find(c->api->keys, proof.key.id);
    if (key)
        judge(c, &proof, key, next);
    else
        look_up(c, &proof, next);
    sodium_memzero(&proof, sizeof(proof));
}
