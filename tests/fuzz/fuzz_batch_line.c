/* SPDX-License-Identifier: Apache-2.0 */
/* Property: a line of a batch file is either refused with a reason, or makes a record that the
 * workers' parser takes, with the ids that were told; the quick look at it says nothing else than
 * the parser; and a line that needs no second look makes the same record without one. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "producer/batch/maker.h"
#include "producer/batch/message_params.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct maker *new_maker(const struct client *flags)
{
    struct maker *m = NULL;
    struct err err = ERR_INIT;

    assert(maker_new(flags, &m, &err) == ERR_OK);
    assert(maker_set_batch(m, "b", &err) == ERR_OK);
    return m;
}

/* What stands behind created_at: no two records have the same. */
static struct str behind_time(const struct buf *value)
{
    const char *at = memmem(value->p, value->len, "\"batch_id\"", 10);

    assert(at);
    return (struct str){at, value->len - (size_t)(at - value->p)};
}

static void make_again(struct maker *m, const struct look *l, const struct buf *record)
{
    AUTO_BUF value = BUF_INIT(4 << 20);
    struct look scratch;
    struct glance glance;
    struct made made;
    struct err err = ERR_INIT;

    assert(maker_make_known(m, l->object, l->custom_id, &value, &made, &err) == ERR_OK);
    assert(str_eq(behind_time(record), behind_time(&value)));
    maker_glance(m, l->object, &scratch, &glance);
    assert(glance.known && glance.at + glance.name_at == l->custom_id.p);
    assert(glance.name_n == l->custom_id.n && glance.work == l->work);
}

static void try_line(struct maker *m, struct str line)
{
    AUTO_BUF value = BUF_INIT(4 << 20);
    struct look look;
    struct run_request r;
    struct made made;
    struct err err = ERR_INIT;
    size_t at;

    if (look_at(line, &look, &at, &err) != ERR_OK || maker_judge(m, &look, &err) != ERR_OK) {
        assert(err.msg[0] != '\0');
        return;
    }
    assert(maker_make(m, &look, look.custom_id.n ? look.custom_id : STR("auto-1"), &value, &made,
                      &err) == ERR_OK);
    assert(run_request_parse(buf_str(&value), &r, &err) == ERR_OK);
    assert(strcmp(r.run_id, made.run_id) == 0);
    assert(str_is(made.custom_id, r.custom_id));
    assert(run_request_check_key(&r, made.key, &err) == ERR_OK);
    run_request_release(&r);
    if (maker_knows(m, &look))
        make_again(m, &look, &value);
}

/* What params become is a line like any other. */
static void try_params(struct maker *m, struct str text)
{
    AUTO_BUF out = BUF_INIT(4 << 20);
    char pointer[POINTER_MAX_BYTES];
    struct json_scan scan;
    struct err err = ERR_INIT;
    bool max_tokens;

    if (json_scan(text, NULL, 0, &scan, &err) != ERR_OK)
        return;
    if (message_params(text, &out, &max_tokens, pointer, &err) != ERR_OK) {
        assert(err.msg[0] != '\0' && pointer[0] == '/');
        return;
    }
    AUTO_BUF object = BUF_INIT(4 << 20);
    buf_addf(&object, "{" STR_FMT "}", STR_ARG(buf_str(&out)));
    assert(json_scan(buf_str(&object), NULL, 0, &scan, &err) == ERR_OK && scan.is_object);
    try_line(m, buf_str(&object));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char model[] = "m", session[] = "s";
    static const struct client none = {.priority = -1},
                               some = {.priority = 3, .model = model, .session = session};
    static struct maker *plain, *flagged;
    struct str line = str_trim((struct str){(const char *)data, size});

    if (!plain) {
        plain = new_maker(&none);
        flagged = new_maker(&some);
    }
    if (line.n == 0)
        return 0;
    try_line(plain, line);
    try_line(flagged, line);
    try_params(plain, line);
    return 0;
}
