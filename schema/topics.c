/* SPDX-License-Identifier: Apache-2.0 */
/* topics.yaml, read strictly: it is ours, but people edit it. */
#include "schema/topics.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "common/banned.h"

extern const char topics_yaml[]; /* embedded */
extern const size_t topics_yaml_len;

enum { PARTITIONS_MAX = 10000, REPLICATION_MAX = 32 };

static const char *const suffixes[TOPICS] = {
    [TOPIC_INTERACTIVE] = "runs.interactive",
    [TOPIC_BATCH] = "runs.batch",
    [TOPIC_EVENTS] = "events",
    [TOPIC_DLQ] = "runs.dlq",
};

/* --- nodes -------------------------------------------------------------------- */

static enum err_code fail_at(const yaml_node_t *node, struct err *err, const char *what)
{
    return err_set(err, ERR_CONFIG, "topics.yaml line %zu: %s",
                   node ? node->start_mark.line + 1 : 0, what);
}

static struct str scalar(const yaml_node_t *node)
{
    if (!node || node->type != YAML_SCALAR_NODE)
        return (struct str){0};
    return (struct str){(const char *)node->data.scalar.value, node->data.scalar.length};
}

static yaml_node_t *value_of(yaml_document_t *doc, const yaml_node_t *map, const char *key)
{
    const yaml_node_pair_t *p;

    if (!map || map->type != YAML_MAPPING_NODE)
        return NULL;
    for (p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++)
        if (str_is(scalar(yaml_document_get_node(doc, p->key)), key))
            return yaml_document_get_node(doc, p->value);
    return NULL;
}

static enum err_code check_keys(yaml_document_t *doc, const yaml_node_t *map,
                                const char *const *known, struct err *err)
{
    const yaml_node_pair_t *p;

    if (!map || map->type != YAML_MAPPING_NODE)
        return fail_at(map, err, "a mapping must stand here");
    for (p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(doc, p->key);
        size_t i = 0;

        while (known[i] && !str_is(scalar(key), known[i]))
            i++;
        if (!known[i])
            return fail_at(key, err, "unknown key");
    }
    return ERR_OK;
}

/* A whole number; absent keeps *out. */
static enum err_code read_count(yaml_document_t *doc, const yaml_node_t *map, const char *key,
                                long most, int32_t *out, struct err *err)
{
    const yaml_node_t *node = value_of(doc, map, key);
    struct str s = scalar(node);
    char *end = NULL;
    long n;

    if (!node)
        return ERR_OK;
    n = s.n > 0 ? strtol(s.p, &end, 10) : 0; /* libyaml ends scalars by a NUL */
    if (!end || *end || n < 1 || n > most)
        return fail_at(node, err, "a whole number of at least 1 must stand here");
    *out = (int32_t)n;
    return ERR_OK;
}

/* --- topics ------------------------------------------------------------------- */

static bool find_topic(struct str name, enum topic *out)
{
    for (size_t i = 0; i < TOPICS; i++)
        if (str_is(name, suffixes[i])) {
            *out = (enum topic)i;
            return true;
        }
    return false;
}

static enum err_code add_config(struct topics *t, enum topic topic, struct str name,
                                struct str value, struct err *err)
{
    AUTO_BUF line = BUF_INIT(256);

    buf_addf(&line, STR_FMT "=" STR_FMT, STR_ARG(name), STR_ARG(value));
    t->config[topic][t->n_config[topic]] = buf_take(&line);
    if (line.rc != ERR_OK || !t->config[topic][t->n_config[topic]])
        return err_set(err, ERR_NOMEM, "topics.yaml");
    t->n_config[topic]++;
    return ERR_OK;
}

static enum err_code read_config(yaml_document_t *doc, const yaml_node_t *map, struct topics *t,
                                 enum topic topic, struct err *err)
{
    const yaml_node_pair_t *p;

    if (!map)
        return ERR_OK;
    if (map->type != YAML_MAPPING_NODE)
        return fail_at(map, err, "config must be a mapping");
    for (p = map->data.mapping.pairs.start; p < map->data.mapping.pairs.top; p++) {
        const yaml_node_t *key = yaml_document_get_node(doc, p->key);
        struct str name = scalar(key), value = scalar(yaml_document_get_node(doc, p->value));
        enum err_code rc;

        if (name.n == 0 || value.n == 0 || t->n_config[topic] == TOPIC_CONFIGS)
            return fail_at(key, err, "not a topic setting, or too many of them");
        rc = add_config(t, topic, name, value, err);
        if (rc != ERR_OK)
            return rc;
    }
    return ERR_OK;
}

static enum err_code read_topic(yaml_document_t *doc, const yaml_node_t *map, struct topics *t,
                                struct err *err)
{
    static const char *const keys[] = {"name",        "holds",  "key", "partitions",
                                       "replication", "config", NULL};
    enum err_code rc = check_keys(doc, map, keys, err);
    enum topic topic = TOPIC_INTERACTIVE;

    if (rc == ERR_OK && !find_topic(scalar(value_of(doc, map, "name")), &topic))
        rc = fail_at(map, err, "this program knows no topic of this name");
    if (rc == ERR_OK && t->partitions[topic] != 0)
        rc = fail_at(map, err, "the topic stands twice");
    if (rc == ERR_OK)
        rc = read_count(doc, map, "partitions", PARTITIONS_MAX, &t->partitions[topic], err);
    if (rc == ERR_OK && t->partitions[topic] == 0)
        rc = fail_at(map, err, "partitions is missing");
    if (rc == ERR_OK)
        rc = read_count(doc, map, "replication", REPLICATION_MAX, &t->replication[topic], err);
    if (rc == ERR_OK)
        rc = read_config(doc, value_of(doc, map, "config"), t, topic, err);
    return rc;
}

static enum err_code read_document(yaml_document_t *doc, struct topics *t, struct err *err)
{
    static const char *const keys[] = {"topics", NULL};
    const yaml_node_t *root = yaml_document_get_root_node(doc);
    const yaml_node_t *list = value_of(doc, root, "topics");
    const yaml_node_item_t *item;
    enum err_code rc = check_keys(doc, root, keys, err);

    if (rc != ERR_OK)
        return rc;
    if (!list || list->type != YAML_SEQUENCE_NODE)
        return fail_at(root, err, "topics must be a list");
    for (item = list->data.sequence.items.start; item < list->data.sequence.items.top; item++) {
        rc = read_topic(doc, yaml_document_get_node(doc, *item), t, err);
        if (rc != ERR_OK)
            return rc;
    }
    for (size_t i = 0; i < TOPICS; i++)
        if (t->partitions[i] == 0)
            return err_set(err, ERR_CONFIG, "topics.yaml: topic '%s' is missing", suffixes[i]);
    return ERR_OK;
}

/* --- doors -------------------------------------------------------------------- */

static enum err_code name_topics(const char *prefix, struct topics *out, struct err *err)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";

    if (strspn(prefix, letters) != strlen(prefix) || strlen(prefix) > 100)
        return err_set(err, ERR_CONFIG,
                       "the topics' prefix must be at most 100 of A-Z a-z 0-9 . _ -");
    for (size_t i = 0; i < TOPICS; i++) {
        out->replication[i] = -1;
        (void)snprintf(out->name[i], sizeof(out->name[i]), "%s%s", prefix, suffixes[i]);
    }
    return ERR_OK;
}

static enum err_code load_document(struct str yaml, yaml_document_t *doc, struct err *err)
{
    yaml_parser_t parser;
    enum err_code rc = ERR_OK;

    if (!yaml_parser_initialize(&parser))
        return err_set(err, ERR_NOMEM, "topics.yaml");
    yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.p, yaml.n);
    if (!yaml_parser_load(&parser, doc))
        rc = err_set(err, parser.error == YAML_MEMORY_ERROR ? ERR_NOMEM : ERR_CONFIG,
                     "topics.yaml line %zu: %s", parser.problem_mark.line + 1,
                     parser.problem ? parser.problem : "no YAML");
    yaml_parser_delete(&parser);
    return rc;
}

enum err_code topics_parse(struct str yaml, const char *prefix, struct topics *out, struct err *err)
{
    yaml_document_t doc;
    enum err_code rc;

    *out = (struct topics){0};
    rc = name_topics(prefix, out, err);
    if (rc == ERR_OK)
        rc = load_document(yaml, &doc, err);
    if (rc != ERR_OK)
        return rc;
    rc = read_document(&doc, out, err);
    yaml_document_delete(&doc);
    if (rc != ERR_OK)
        topics_release(out);
    return rc;
}

enum err_code topics_load(const char *prefix, struct topics *out, struct err *err)
{
    return topics_parse((struct str){topics_yaml, topics_yaml_len}, prefix, out, err);
}

void topics_release(struct topics *t)
{
    for (size_t i = 0; i < TOPICS; i++)
        for (size_t k = 0; k < t->n_config[i]; k++)
            free(t->config[i][k]);
    *t = (struct topics){0};
}

enum topic topic_of_lane(enum run_lane lane)
{
    assert(lane < LANES);
    return lane == LANE_INTERACTIVE ? TOPIC_INTERACTIVE : TOPIC_BATCH;
}
