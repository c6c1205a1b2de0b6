/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/e2b/sandbox_query.h"

#include <string.h>

#include "common/http/http.h"

#include "common/banned.h"

enum { QUERY_MAX_BYTES = 4096 };

static void escape_buf(struct buf *out, const struct buf *in)
{
    if (in->rc != ERR_OK)
        out->rc = in->rc;
    http_escape(out, buf_str(in));
}

/* Once each part, then the form, and then the value of the query. */
void sandbox_query_metadata(struct buf *out, const char *const *pairs)
{
    AUTO_BUF form = BUF_INIT(QUERY_MAX_BYTES);

    for (; pairs[0] && pairs[1]; pairs += 2) {
        AUTO_BUF name = BUF_INIT(QUERY_MAX_BYTES), value = BUF_INIT(QUERY_MAX_BYTES);

        http_escape(&name, str_of(pairs[0]));
        http_escape(&value, str_of(pairs[1]));
        if (form.len > 0)
            buf_addc(&form, '&');
        escape_buf(&form, &name);
        buf_addc(&form, '=');
        escape_buf(&form, &value);
    }
    escape_buf(out, &form);
}

static bool states_ok(const char *states)
{
    static const char *const known[] = {"running", "paused", "running,paused", "paused,running"};

    for (size_t i = 0; i < COUNTOF(known); i++)
        if (str_is(str_of(states), known[i]))
            return true;
    return false;
}

static void put_metadata(struct buf *out, const struct sandbox_query *q, char before)
{
    if (!q->metadata || !q->metadata[0])
        return;
    buf_addc(out, before);
    buf_adds(out, "metadata=");
    sandbox_query_metadata(out, q->metadata);
}

void sandbox_query_list(struct buf *out, const struct sandbox_query *q)
{
    buf_addf(out, "?limit=%d", SANDBOX_PAGE_ITEMS);
    if (q->states && states_ok(q->states))
        buf_addf(out, "&state=%s", q->states);
    else if (q->states)
        out->rc = ERR_INVALID;
    put_metadata(out, q, '&');
}

void sandbox_query_list_old(struct buf *out, const struct sandbox_query *q)
{
    put_metadata(out, q, '?');
}

enum err_code sandbox_pager_next(struct sandbox_pager *p, struct str token, struct err *err)
{
    if (token.n > 0 && !sandbox_token_ok(token))
        return err_set(err, ERR_PROTOCOL, "sandbox service: the next page's token makes no sense");
    if ((token.n > 0 && str_is(token, p->token)) || p->pages >= SANDBOX_PAGES_MAX)
        return err_set(err, ERR_PROTOCOL, "sandbox service: its list does not end");
    if (token.n > 0)
        memcpy(p->token, token.p, token.n);
    p->token[token.n] = '\0';
    p->pages++;
    return ERR_OK;
}

void sandbox_pager_query(const struct sandbox_pager *p, const char *query, struct buf *out)
{
    buf_adds(out, query);
    if (!p->token[0])
        return;
    buf_adds(out, "&nextToken=");
    http_escape(out, str_of(p->token));
}
