/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: each route of the program is an operation of openapi.yaml, and each operation a route,
 * with the same permission, the same kind of body and the same readiness for a read token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include <yaml.h>

#include "api/api_internal.h"
#include "common/attrs.h"
#include "common/banned.h"

extern const char openapi_yaml[];
extern const size_t openapi_yaml_len;

/* --- reading the contract --------------------------------------------------------- */

static yaml_document_t doc;

static int load(void **state)
{
    yaml_parser_t parser;

    (void)state;
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)openapi_yaml, openapi_yaml_len);
    int done = yaml_parser_load(&parser, &doc);
    yaml_parser_delete(&parser);
    return done ? 0 : -1;
}

static int unload(void **state)
{
    (void)state;
    yaml_document_delete(&doc);
    return 0;
}

static const char *text_of(const yaml_node_t *node)
{
    return node && node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : "";
}

static yaml_node_t *key_of(const yaml_node_pair_t *p)
{
    return yaml_document_get_node(&doc, p->key);
}

static yaml_node_t *value_of(const yaml_node_pair_t *p)
{
    return yaml_document_get_node(&doc, p->value);
}

static yaml_node_t *member(const yaml_node_t *map, const char *name)
{
    if (map && map->type == YAML_MAPPING_NODE)
        for (const yaml_node_pair_t *p = map->data.mapping.pairs.start;
             p < map->data.mapping.pairs.top; p++)
            if (strcmp(text_of(key_of(p)), name) == 0)
                return value_of(p);
    return NULL;
}

static yaml_node_t *at(const char *const *names)
{
    yaml_node_t *node = yaml_document_get_root_node(&doc);

    for (size_t i = 0; names[i]; i++)
        node = member(node, names[i]);
    assert_non_null(node);
    return node;
}

/* --- an operation ------------------------------------------------------------------- */

enum { NAME_ROOM = 128 };

/* "get" and "/v1/runs/{run_id}" to "GET /v1/runs/{}". */
static void write_name(const char *method, const char *path, char out[NAME_ROOM])
{
    size_t n = 0;

    for (; *method; method++)
        out[n++] = (char)(*method >= 'a' && *method <= 'z' ? *method - 32 : *method);
    out[n++] = ' ';
    while (*path && n < NAME_ROOM - 2) {
        out[n++] = *path;
        if (*path++ != '{')
            continue;
        path += strcspn(path, "}");
    }
    out[n] = '\0';
}

static const struct route *route_of(const char *name)
{
    char own[NAME_ROOM];

    for (size_t i = 0; i < api_routes_n; i++) {
        write_name(api_routes[i].method, api_routes[i].path, own);
        if (strcmp(own, name) == 0)
            return &api_routes[i];
    }
    return NULL;
}

static bool body_is(const yaml_node_t *op, const char *type)
{
    const yaml_node_t *body = member(op, "requestBody");
    const char *ref = text_of(member(body, "$ref"));

    if (*ref)
        body =
            at((const char *const[]){"components", "requestBodies", strrchr(ref, '/') + 1, NULL});
    return member(member(body, "content"), type) != NULL;
}

static void compare(const char *name, const struct route *r, const yaml_node_t *op)
{
    bool lines = (r->flags & ROUTE_NDJSON) != 0, token = (r->flags & ROUTE_READ_TOKEN) != 0;

    if (strcmp(permission_name(r->permission), text_of(member(op, "x-permission"))) != 0)
        fail_msg("%s: needs %s, and %s in the contract", name, permission_name(r->permission),
                 text_of(member(op, "x-permission")));
    if (token != (strcmp(text_of(member(op, "x-read-token")), "true") == 0))
        fail_msg("%s: a read token %s do", name, token ? "may" : "may not");
    if (lines != body_is(op, "application/x-ndjson"))
        fail_msg("%s: its body is %s", name, lines ? "NDJSON" : "no NDJSON");
    if ((r->body_max > 0) != (member(op, "requestBody") != NULL))
        fail_msg("%s: it takes %s", name, r->body_max > 0 ? "a body" : "no body");
}

static bool is_method(const char *word)
{
    static const char *const words[] = {"get", "put", "post", "delete", "patch"};

    for (size_t i = 0; i < COUNTOF(words); i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

static void check_operation(const char *name, const yaml_node_t *op)
{
    const struct route *r = route_of(name);

    if (!r)
        fail_msg("%s is in the contract, and no route has it", name);
    if (r)
        compare(name, r, op);
}

/* fn for each operation of the contract. */
static void each_operation(void (*fn)(const char *name, const yaml_node_t *op))
{
    const yaml_node_t *paths = at((const char *const[]){"paths", NULL});

    for (const yaml_node_pair_t *p = paths->data.mapping.pairs.start;
         p < paths->data.mapping.pairs.top; p++) {
        const yaml_node_t *item = value_of(p);

        for (const yaml_node_pair_t *m = item->data.mapping.pairs.start;
             m < item->data.mapping.pairs.top; m++) {
            char name[NAME_ROOM];

            if (!is_method(text_of(key_of(m))))
                continue;
            write_name(text_of(key_of(m)), text_of(key_of(p)), name);
            fn(name, value_of(m));
        }
    }
}

static size_t operations;

static void count_operation(const char *name, const yaml_node_t *op)
{
    (void)op;
    operations += route_of(name) != NULL;
}

static void what_is_in_the_contract_is_there(void **state)
{
    (void)state;
    each_operation(check_operation);
}

/* Each operation is another route, so that counting them suffices. */
static void what_is_there_is_in_the_contract(void **state)
{
    (void)state;
    operations = 0;
    each_operation(count_operation);
    assert_int_equal(operations, api_routes_n);
}

/* No row has a permission by leaving it out. */
static void each_row_names_its_permission(void **state)
{
    (void)state;
    for (size_t i = 0; i < api_routes_n; i++) {
        assert_int_not_equal(api_routes[i].permission, PERMIT_NOBODY);
        assert_non_null(api_routes[i].handler);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_in_the_contract_is_there),
                                       cmocka_unit_test(what_is_there_is_in_the_contract),
                                       cmocka_unit_test(each_row_names_its_permission)};

    return cmocka_run_group_tests_name("contract", tests, load, unload);
}
