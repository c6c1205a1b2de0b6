/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of the HTTP door: a batch's defaults on the first line, then one of its items.
 * Properties: an item that is taken makes a record that workers take and that is the same work,
 * in its batch, under an id that derives from its names. One that is refused says why in words of
 * the contract. The answer is one line of JSON either way. The same text as a body of POST
 * /v1/runs tells each mistake with a place, and hides no token. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "api/intake/item.h"

enum { OUT_MAX = 4 * RUN_REQUEST_MAX_BYTES, ANSWER_MAX = 64 << 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* --- one that is taken --- */

static void check_record(const struct run_request *r)
{
    AUTO_BUF text = BUF_INIT(OUT_MAX);
    struct run_request back;
    struct err err = ERR_INIT;
    uint8_t hash[32], hash_back[32];

    if (run_request_write(r, &text, &err) != ERR_OK) {
        assert(err.code == ERR_TOO_BIG);
        return;
    }
    assert(!strstr(text.p, "sk-ant-"));
    assert(run_request_parse(buf_str(&text), &back, &err) == ERR_OK);
    assert(run_request_check_key(&back, run_request_key(r), &err) == ERR_OK);
    assert(strcmp(back.run_id, r->run_id) == 0 && strcmp(back.tenant, "acme") == 0);
    assert(back.created_ms == r->created_ms);
    run_request_hash(r, hash);
    run_request_hash(&back, hash_back);
    assert(memcmp(hash, hash_back, sizeof(hash)) == 0);
    run_request_release(&back);
}

static void check_taken(const struct item *it)
{
    char id[UUID_TEXT], key[RUN_KEY_MAX_BYTES + 1];

    strcpy(key, "night/");
    memcpy(key + 6, it->custom_id, strlen(it->custom_id) + 1);
    run_request_derive_id("acme", key, id);
    assert(strcmp(id, it->run_id) == 0 && strcmp(it->run.request.batch_id, "night") == 0);
    check_record(&it->run.request);
}

/* --- the answers --- */

static void check_answer(const struct item *it, bool accepted)
{
    AUTO_BUF text = BUF_INIT(ANSWER_MAX);
    AUTO_JSON *tree = NULL;
    struct err err = ERR_INIT;

    item_answer(it, 7, accepted, &text);
    assert(text.rc == ERR_OK && text.p[text.len - 1] == '\n');
    assert(memchr(text.p, '\n', text.len) == text.p + text.len - 1);
    assert(!strstr(text.p, "sk-ant-o"));
    assert(json_parse(buf_str(&text), JSON_STRICT, &tree, &err) == ERR_OK);
    assert(cJSON_IsNull(json_get(tree, "error")) == accepted);
}

static void on_error(const struct body_errors *errors)
{
    assert(errors->n > 0 && errors->n <= BODY_ERRORS_MAX);
    for (size_t i = 0; i < errors->n; i++) {
        const struct problem_field *f = &errors->fields[i];

        assert(f->problem < PROBLEMS && f->detail[0]);
        assert(f->pointer[0] == '\0' || f->pointer[0] == '/');
        assert(!strstr(f->detail, "sk-ant-o"));
    }
}

/* --- the two doors --- */

static cJSON *object_of(struct str text)
{
    struct err err = ERR_INIT;
    cJSON *tree = NULL;

    if (json_parse(text, JSON_STRICT, &tree, &err) == ERR_OK && !cJSON_IsObject(tree))
        json_delete(&tree);
    return tree;
}

static void try_body(struct str text)
{
    struct body_run run = {.request = RUN_REQUEST_INIT};
    struct body_errors errors = BODY_ERRORS_INIT;
    cJSON *tree = object_of(text);

    if (!tree)
        return;
    run.request.run_id = "018f2f6e-7b1c-7abc-8def-0123456789ab";
    run.request.tenant = "acme";
    run.request.created_ms = INT64_C(0x018f2f6e7b1c);
    if (body_run_read(tree, &run, &errors))
        check_record(&run.request);
    else
        on_error(&errors);
    run_request_release(&run.request);
}

static void try_item(struct str line, const cJSON *defaults)
{
    const struct item_batch batch = {.tenant = "acme", .batch_id = "night", .defaults = defaults};
    struct item it;

    if (item_read(line, &batch, &it)) {
        check_taken(&it);
        item_release(&it);
        check_answer(&it, true);
    } else {
        assert(it.problem < PROBLEMS && it.detail[0]);
        check_answer(&it, false);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = {(const char *)data, size}, first = {0};
    struct body_errors errors = BODY_ERRORS_INIT;
    cJSON *defaults;

    if (!str_next(&rest, '\n', &first))
        return 0;
    defaults = object_of(first);
    if (defaults && !body_defaults_check(defaults, INT64_C(0x018f2f6e7b1c), &errors)) {
        on_error(&errors);
        json_delete(&defaults);
    }
    try_item(rest, defaults);
    json_delete(&defaults);
    try_body(rest);
    return 0;
}
