/* SPDX-License-Identifier: Apache-2.0 */
/* A list, page by page. A page is read whole before any of it is told, so that a page that
 * must be asked for again is not told twice. */
#include <stdlib.h>
#include <string.h>

#include "common/json/json.h"
#include "worker/e2b/sandbox_answer.h"
#include "worker/e2b/sandbox_call.h"
#include "worker/e2b/sandbox_query.h"

#include "common/banned.h"

enum { LIST_QUERY_MAX_BYTES = 6144 };

struct sandbox_list {
    LIST_ENTRY(sandbox_list) link;
    struct sandbox_service *service;
    enum sandbox_verb verb;
    char *first, *old; /* the queries: of every page, without its token; of an old service */
    struct sandbox_pager pager;
    void (*each)(void *ctx, const struct sandbox_info *info);
    void (*each_snapshot)(void *ctx, const char *id); /* instead */
    sandbox_fn done;
    void *ctx;
    bool telling, cancelled;
};

struct item { /* one of the two */
    struct sandbox_info info;
    char snapshot[SANDBOX_TEMPLATE_MAX_BYTES];
};

static enum err_code item_parse(const struct sandbox_list *l, const cJSON *json, struct item *out,
                                struct err *err)
{
    return l->each_snapshot ? sandbox_snapshot_parse(json, out->snapshot, err)
                            : sandbox_info_parse(json, &out->info, err);
}

static void item_tell(const struct sandbox_list *l, const struct item *i)
{
    if (l->each_snapshot)
        l->each_snapshot(l->ctx, i->snapshot);
    else
        l->each(l->ctx, &i->info);
}

static void list_free(struct sandbox_list *l)
{
    LIST_REMOVE(l, link);
    sandbox_call_cancel(l->service, l);
    free(l->first);
    free(l->old);
    free(l);
}

void sandbox_list_free_all(struct sandbox_service *s)
{
    while (!LIST_EMPTY(&s->lists))
        list_free(LIST_FIRST(&s->lists));
}

void sandbox_list_cancel(struct sandbox_list *l)
{
    if (!l)
        return;
    l->cancelled = true;
    if (!l->telling)
        list_free(l);
}

static void list_end(struct sandbox_list *l, const struct err *e)
{
    sandbox_fn done = l->done;
    void *ctx = l->ctx;

    list_free(l);
    done(ctx, e);
}

/* --- a page ----------------------------------------------------------------------------- */

static enum err_code told_page(struct sandbox_call *c, const struct http_answer *a,
                               const struct err *e, struct err *err);

static enum err_code list_ask(struct sandbox_list *l, struct err *err)
{
    AUTO_BUF query = BUF_INIT(LIST_QUERY_MAX_BYTES);

    sandbox_pager_query(&l->pager, l->verb == SANDBOX_CALL_LIST_OLD ? l->old : l->first, &query);
    if (query.rc != ERR_OK)
        return err_set(err, query.rc, "list sandboxes");
    return sandbox_call_start(
        l->service,
        &(struct sandbox_ask){.verb = l->verb, .query = query.p, .told = told_page, .ctx = l}, err);
}

/* All of the page, before any of it is told. */
static enum err_code check_page(const struct sandbox_list *l, const cJSON *page, struct err *err)
{
    struct item one;
    const cJSON *item;

    cJSON_ArrayForEach(item, page)
    {
        if (item_parse(l, item, &one, err) != ERR_OK)
            return err->code;
    }
    return ERR_OK;
}

static void tell_page(struct sandbox_list *l, const cJSON *page)
{
    struct item one;
    const cJSON *item;
    struct err e;

    l->telling = true;
    cJSON_ArrayForEach(item, page)
    {
        if (!l->cancelled && item_parse(l, item, &one, &e) == ERR_OK)
            item_tell(l, &one);
    }
    l->telling = false;
}

static enum err_code read_page(struct sandbox_list *l, const struct http_answer *a, cJSON **page,
                               struct err *err)
{
    int most = l->verb == SANDBOX_CALL_LIST_OLD ? SANDBOX_OLD_LIST_ITEMS : SANDBOX_PAGE_ITEMS;

    if (sandbox_array_parse(a->body, most, page, err) != ERR_OK ||
        check_page(l, *page, err) != ERR_OK)
        return err->code;
    return sandbox_pager_next(&l->pager, str_of(http_answer_header(a, "X-Next-Token")), err);
}

static enum err_code told_page(struct sandbox_call *c, const struct http_answer *a,
                               const struct err *e, struct err *err)
{
    struct sandbox_list *l = sandbox_call_ctx(c);
    AUTO_JSON *page = NULL;
    struct err next = *e;

    if (e->code == ERR_OK && read_page(l, a, &page, err) != ERR_OK)
        return err->code;
    (void)sandbox_call_take(c);
    if (e->code == ERR_OK)
        tell_page(l, page);
    if (l->cancelled) {
        list_free(l);
        return ERR_OK;
    }
    if (e->code == ERR_OK && l->pager.token[0] && list_ask(l, &next) == ERR_OK)
        return ERR_OK;
    /* A service without v2: what it lists are the running ones, and all at once. */
    if (a && sandbox_route_missing(a) && l->verb == SANDBOX_CALL_LIST && l->pager.pages == 0) {
        l->verb = SANDBOX_CALL_LIST_OLD;
        next = ERR_INIT;
        if (list_ask(l, &next) == ERR_OK)
            return ERR_OK;
    }
    list_end(l, &next);
    return ERR_OK;
}

/* --- public ------------------------------------------------------------------------------ */

static struct sandbox_list *list_new(struct sandbox_service *s, enum sandbox_verb verb,
                                     sandbox_fn done, void *ctx)
{
    struct sandbox_list *l = calloc(1, sizeof(*l));

    if (!l)
        return NULL;
    l->service = s;
    l->verb = verb;
    l->done = done;
    l->ctx = ctx;
    LIST_INSERT_HEAD(&s->lists, l, link);
    return l;
}

/* Takes the queries; frees the list when it cannot start. */
static enum err_code list_start(struct sandbox_list *l, struct buf *first, struct buf *old,
                                struct sandbox_list **out, struct err *err)
{
    enum err_code rc = first->rc != ERR_OK ? first->rc : old->rc;

    l->first = buf_take(first);
    l->old = buf_take(old);
    if (rc == ERR_OK && (!l->first || !l->old))
        rc = ERR_NOMEM;
    if (rc != ERR_OK)
        (void)err_set(err, rc, "list sandboxes: the query");
    if (rc != ERR_OK || list_ask(l, err) != ERR_OK) {
        list_free(l);
        return err->code;
    }
    if (out)
        *out = l;
    return ERR_OK;
}

enum err_code sandbox_list(struct sandbox_service *s, const struct sandbox_query *query,
                           void (*each)(void *ctx, const struct sandbox_info *info),
                           sandbox_fn done, void *ctx, struct sandbox_list **out, struct err *err)
{
    struct sandbox_list *l = list_new(s, SANDBOX_CALL_LIST, done, ctx);
    AUTO_BUF first = BUF_INIT(LIST_QUERY_MAX_BYTES), old = BUF_INIT(LIST_QUERY_MAX_BYTES);

    if (!l)
        return err_set(err, ERR_NOMEM, "list sandboxes");
    l->each = each;
    sandbox_query_list(&first, query);
    sandbox_query_list_old(&old, query);
    return list_start(l, &first, &old, out, err);
}

enum err_code sandbox_snapshot_list(struct sandbox_service *s, const char *sandbox_id,
                                    void (*each)(void *ctx, const char *id), sandbox_fn done,
                                    void *ctx, struct sandbox_list **out, struct err *err)
{
    struct sandbox_list *l;
    AUTO_BUF first = BUF_INIT(LIST_QUERY_MAX_BYTES), old = BUF_INIT(LIST_QUERY_MAX_BYTES);

    if (sandbox_id && !sandbox_id_ok(str_of(sandbox_id)))
        return err_set(err, ERR_INVALID, "list snapshots: the sandbox's id");
    l = list_new(s, SANDBOX_CALL_SNAPSHOT_LIST, done, ctx);
    if (!l)
        return err_set(err, ERR_NOMEM, "list snapshots");
    l->each_snapshot = each;
    buf_addf(&first, "?limit=%d", SANDBOX_PAGE_ITEMS);
    if (sandbox_id)
        buf_addf(&first, "&sandboxID=%s", sandbox_id);
    return list_start(l, &first, &old, out, err);
}
