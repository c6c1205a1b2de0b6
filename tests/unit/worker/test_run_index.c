/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a run is found by its id, whatever came and went before it, twice where it is twice.
 * Proof: thousands of runs come and go in an order that makes them share places, and each time
 * the table says what a plain list says. */
#include <stdio.h>
#include <string.h>

#include "tests/lib/table.h"
#include "worker/fleet/run_index.h"

enum { MANY = 3000, STEPS = 30000, IDS = 1000 };

static struct one {
    char id[16];
    bool in;
} ones[MANY];

static struct run *as_run(struct one *o)
{
    return (struct run *)(void *)o; /* never looked into */
}

/* How many entries of that id the table has, each a run that is in it. */
static size_t found(const struct run_index *x, const char *id)
{
    size_t n = 0;

    for (struct run_entry *e = NULL; (e = run_index_find(x, id, e)); n++) {
        const struct one *o = (const struct one *)(const void *)e->run;
        assert_string_equal(e->id, id);
        assert_true(o->in && strcmp(o->id, id) == 0);
    }
    return n;
}

static size_t listed(const char *id)
{
    size_t n = 0;

    for (size_t i = 0; i < MANY; i++)
        n += ones[i].in && strcmp(ones[i].id, id) == 0;
    return n;
}

static void come_and_go(void **state)
{
    struct run_index x = {0};
    size_t in = 0;

    (void)state;
    assert_null(run_index_find(&x, "0", NULL));
    for (size_t i = 0; i < MANY; i++) /* each id three times */
        (void)snprintf(ones[i].id, sizeof(ones[i].id), "%zu", i % IDS);
    for (uint32_t step = 0, random = 1; step < STEPS; step++) {
        random = random * 1664525 + 1013904223;
        struct one *o = &ones[(random >> 8) % MANY];
        if (o->in)
            run_index_remove(&x, o->id, as_run(o));
        else
            assert_true(run_index_add(&x, o->id, as_run(o)));
        o->in = !o->in;
        in += o->in ? 1 : (size_t)-1;
        assert_int_equal(x.n, in);
        assert_int_equal(found(&x, o->id), listed(o->id));
    }
    for (size_t i = 0; i < IDS; i++)
        assert_int_equal(found(&x, ones[i].id), listed(ones[i].id));
    run_index_release(&x);
}

static void marks(void **state)
{
    struct run_index x = {0};
    struct one a = {.id = "a", .in = true}, b = {.id = "b", .in = true};

    (void)state;
    assert_true(run_index_add(&x, a.id, as_run(&a)) && run_index_add(&x, b.id, as_run(&b)));
    assert_false(run_index_find(&x, "a", NULL)->marked);
    run_index_find(&x, "a", NULL)->marked = true;
    assert_false(run_index_find(&x, "b", NULL)->marked);
    run_index_unmark(&x);
    assert_false(run_index_find(&x, "a", NULL)->marked);
    run_index_remove(&x, "c", as_run(&a)); /* nothing of that name */
    run_index_remove(&x, "a", as_run(&b)); /* another run's */
    assert_int_equal(x.n, 2);
    run_index_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(come_and_go), cmocka_unit_test(marks)};
    return cmocka_run_group_tests_name("run_index", tests, NULL, NULL);
}
