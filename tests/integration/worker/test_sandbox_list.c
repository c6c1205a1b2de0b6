/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a list tells every sandbox that matches, each once, however many pages it takes and
 * whatever the metadata holds; one sandbox is found, or known to be gone. Proof: against a
 * sandboxd. */
#include "fixture.h"

#include "common/json/json.h"

static struct {
    struct sandbox_service *service;
    char ids[8][SANDBOX_ID_MAX_BYTES];
} world;

enum { SEEN_MAX = 256 };

struct seen {
    int n, calls;
    struct sandbox_info info[SEEN_MAX];
    char tenant[SEEN_MAX][64];
    struct err e;
    struct sandbox_list *list;
    int cancel_at; /* 0: never */
};

static void on_each(void *ctx, const struct sandbox_info *info)
{
    struct seen *s = ctx;
    const char *tenant = json_get_string(info->metadata, "tenant");

    assert_true(s->n < SEEN_MAX);
    (void)snprintf(s->tenant[s->n], sizeof(s->tenant[0]), "%s", tenant ? tenant : "");
    s->info[s->n++] = *info;
    if (s->n == s->cancel_at) {
        sandbox_list_cancel(s->list);
        loop_stop(fx.loop);
    }
}

static void on_done(void *ctx, const struct err *e)
{
    struct seen *s = ctx;

    s->calls++;
    s->e = *e;
    loop_stop(fx.loop);
}

static void list(struct seen *s, const char *const *metadata, const char *states)
{
    const struct sandbox_query q = {.metadata = metadata, .states = states};
    struct err e = ERR_INIT;

    assert_string_equal(
        err_name(sandbox_list(world.service, &q, on_each, on_done, s, &s->list, &e)), "OK");
    assert_int_equal(s->n, 0);
    fx_run();
}

static void on_info(void *ctx, const struct sandbox_info *info, const struct err *e)
{
    struct seen *s = ctx;

    s->calls++;
    s->e = *e;
    if (info)
        s->info[s->n++] = *info;
    loop_stop(fx.loop);
}

static void on_state(void *ctx, enum sandbox_state state, const struct err *e)
{
    assert_string_equal(err_name(e->code), "OK");
    *(enum sandbox_state *)ctx = state;
    loop_stop(fx.loop);
}

static enum sandbox_state probe(const char *id)
{
    enum sandbox_state state = SANDBOX_PAUSED;
    struct err e = ERR_INIT;

    assert_string_equal(err_name(sandbox_probe(world.service, id, on_state, &state, &e)), "OK");
    fx_run();
    return state;
}

/* --- tests ------------------------------------------------------------------------------ */

static const char *const tenants[] = {"plain", "a b&c=d%20/+ü\"\\?#", ""};

static void special_characters_match(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(tenants); i++) {
        const char *const metadata[] = {"fleet", "test", "tenant", tenants[i], NULL};
        struct seen s = {0};

        list(&s, metadata, NULL);
        assert_string_equal(err_name(s.e.code), "OK");
        assert_int_equal(s.n, 1);
        assert_string_equal(s.info[0].id, world.ids[i]);
        assert_string_equal(s.tenant[0], tenants[i]);
        assert_false(s.info[0].paused);
        assert_true(s.info[0].end_ms > s.info[0].started_ms);
        assert_true(s.info[0].cpu_count > 0 && s.info[0].memory_mb > 0);
    }
}

static void all_pairs_must_match(void **state)
{
    static const char *const metadata[] = {"fleet", "other", "tenant", "plain", NULL};
    struct seen s = {0};

    (void)state;
    list(&s, metadata, NULL);
    assert_string_equal(err_name(s.e.code), "OK");
    assert_int_equal(s.n, 0);
    assert_int_equal(s.calls, 1);
}

static void states_are_told_apart(void **state)
{
    struct seen running = {0}, paused = {0}, bad = {0};
    const struct sandbox_query q = {.states = "running&x=y"};
    struct err e;

    (void)state;
    list(&running, NULL, "running");
    list(&paused, NULL, "paused");
    assert_int_equal(running.n, COUNTOF(tenants));
    assert_int_equal(paused.n, 0);
    assert_string_equal(
        err_name(sandbox_list(world.service, &q, on_each, on_done, &bad, &bad.list, &e)),
        "INVALID");
}

static void one_is_found_or_gone(void **state)
{
    struct seen s = {0}, gone = {0};
    struct err e;

    (void)state;
    assert_string_equal(err_name(sandbox_get(world.service, world.ids[0], on_info, &s, &e)), "OK");
    fx_run();
    assert_int_equal(s.n, 1);
    assert_string_equal(s.info[0].id, world.ids[0]);
    assert_string_equal(err_name(sandbox_get(world.service, "inosuch", on_info, &gone, &e)), "OK");
    fx_run();
    assert_int_equal(gone.n, 0);
    assert_string_equal(err_name(gone.e.code), "GONE");
    assert_int_equal(probe(world.ids[0]), SANDBOX_RUNNING);
    assert_int_equal(probe("inosuch"), SANDBOX_GONE);
}

static void a_list_is_cancelled_in_the_middle(void **state)
{
    struct seen s = {.cancel_at = 2};

    (void)state;
    list(&s, NULL, NULL);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.calls, 0);
}

/* --- the world ----------------------------------------------------------------------------- */

static int world_up(void **state)
{
    if (fx_up(state) != 0)
        return -1;
    world.service = fx_service(NULL, NULL);
    for (size_t i = 0; i < COUNTOF(tenants); i++) {
        char run[16];
        struct sandbox_want want = {
            .template = "claude", .ttl_ms = 300000, .attempt = 1, .tenant = tenants[i]};
        struct fx_got got = {0};
        struct err e;

        (void)snprintf(run, sizeof(run), "list-%zu", i);
        want.run_id = run;
        if (sandbox_create(world.service, &want, &fx_events, &got, NULL, &e) != ERR_OK)
            return -1;
        fx_run();
        if (!got.sb)
            return -1;
        (void)snprintf(world.ids[i], sizeof(world.ids[i]), "%s", sandbox_id(got.sb));
        sandbox_free(got.sb);
    }
    return 0;
}

static int world_down(void **state)
{
    sandbox_service_free(world.service);
    return fx_down(state);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_characters_match),
        cmocka_unit_test(all_pairs_must_match),
        cmocka_unit_test(states_are_told_apart),
        cmocka_unit_test(one_is_found_or_gone),
        cmocka_unit_test(a_list_is_cancelled_in_the_middle),
    };

    return cmocka_run_group_tests_name("sandbox_list", tests, world_up, world_down);
}
