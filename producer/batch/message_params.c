/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/message_params.h"

#include <stdio.h>
#include <string.h>

#include "common/json/json.h"
#include "producer/api/json_array.h"
#include "common/banned.h"

enum { MEMBERS_MAX = 40, BLOCKS_MAX = 10000 };

struct walk {
    struct buf *out;
    char *pointer;
    size_t depth; /* bytes of pointer in use */
    bool max_tokens;
    struct err *err;
};

/* --- where we are -------------------------------------------------------- */

static void put_pointer(struct walk *w, const char *p, size_t n)
{
    if (w->depth + n >= POINTER_MAX_BYTES) /* cut: it is for people and logs */
        return;
    memcpy(w->pointer + w->depth, p, n);
    w->depth += n;
    w->pointer[w->depth] = '\0';
}

/* One step down (RFC 6901); returns where we were. */
static size_t enter(struct walk *w, const char *part)
{
    size_t was = w->depth;

    put_pointer(w, "/", 1);
    for (; *part; part++) {
        if (*part == '~' || *part == '/')
            put_pointer(w, *part == '~' ? "~0" : "~1", 2);
        else
            put_pointer(w, part, 1);
    }
    return was;
}

static size_t enter_nth(struct walk *w, size_t i)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%zu", i);
    return enter(w, text);
}

static void leave(struct walk *w, size_t was)
{
    w->depth = was;
    w->pointer[was] = '\0';
}

static enum err_code refuse(struct walk *w, const char *why)
{
    return err_set(w->err, ERR_INVALID, "%s", why);
}

/* --- values -------------------------------------------------------------- */

static bool is_string(struct str s)
{
    return s.p[0] == '"';
}

static bool is_null(struct str s)
{
    return str_is(s, "null");
}

/* Without its quotes. */
static struct str inner(struct str quoted)
{
    return (struct str){quoted.p + 1, quoted.n - 2};
}

struct object {
    struct json_member members[MEMBERS_MAX];
    size_t n;
};

static bool has_twice(const struct object *o)
{
    for (size_t i = 1; i < o->n; i++)
        for (size_t j = 0; j < i; j++)
            if (str_eq(o->members[i].key, o->members[j].key))
                return true;
    return false;
}

static enum err_code open_object(struct walk *w, struct str text, struct object *o)
{
    struct json_scan scan;

    if (text.p[0] != '{')
        return refuse(w, "it must be an object");
    if (json_scan(text, o->members, MEMBERS_MAX, &scan, w->err) != ERR_OK)
        return w->err->code;
    if (scan.n_members > MEMBERS_MAX)
        return refuse(w, "it has too many members");
    o->n = scan.n_members;
    return has_twice(o) ? refuse(w, "a member is there twice") : ERR_OK;
}

static bool known(struct str key, const char *const *names)
{
    for (; *names; names++)
        if (str_is(key, *names))
            return true;
    return false;
}

/* Every member of the object must be one of these; null counts as absent. */
static enum err_code only(struct walk *w, const struct object *o, const char *const *names)
{
    for (size_t i = 0; i < o->n; i++) {
        char name[64];

        if (is_null(o->members[i].value) || known(o->members[i].key, names))
            continue;
        (void)snprintf(name, sizeof name, STR_FMT, STR_ARG(o->members[i].key));
        enter(w, name);
        return refuse(w, "it has no meaning here");
    }
    return ERR_OK;
}

static struct str member(const struct object *o, const char *key)
{
    struct str s = json_member(o->members, o->n, key);

    return s.n && is_null(s) ? (struct str){0} : s;
}

static void put(struct walk *w, const char *key, struct str raw)
{
    if (w->out->len > 0)
        buf_addc(w->out, ',');
    buf_addf(w->out, "\"%s\":", key);
    buf_addstr(w->out, raw);
}

/* --- texts --------------------------------------------------------------- */

/* {"type":"text","text":…}: its text, quoted. */
static enum err_code text_of_block(struct walk *w, struct str block, struct str *out)
{
    static const char *const names[] = {"type", "text", "cache_control", NULL};
    struct object o;

    if (open_object(w, block, &o) != ERR_OK)
        return w->err->code;
    if (!str_is(member(&o, "type"), "\"text\"")) {
        enter(w, "type");
        return refuse(w, "it must be \"text\"; files go into 'files', 'archive' or 'repo' beside "
                         "params");
    }
    if (only(w, &o, names) != ERR_OK)
        return w->err->code;
    *out = member(&o, "text");
    if (out->n == 0 || !is_string(*out)) {
        enter(w, "text");
        return refuse(w, "it must be a string");
    }
    return ERR_OK;
}

/* A string, or an array of text blocks, which become one text with an empty line between them. */
static enum err_code put_text(struct walk *w, const char *key, struct str value)
{
    struct str block, text;
    size_t i = 0;

    if (is_string(value)) {
        put(w, key, value);
        return ERR_OK;
    }
    if (value.p[0] != '[')
        return refuse(w, "it must be a string or an array of text blocks");
    put(w, key, STR("\""));
    while (json_array_next(&value, &block)) {
        size_t was = enter_nth(w, i);

        if (text_of_block(w, block, &text) != ERR_OK)
            return w->err->code;
        leave(w, was);
        if (i++ > 0)
            buf_adds(w->out, "\\n\\n");
        buf_addstr(w->out, inner(text));
    }
    buf_addc(w->out, '"');
    return i > 0 ? ERR_OK : refuse(w, "it must have a text block");
}

/* --- params, a row each -------------------------------------------------- */

static enum err_code take_model(struct walk *w, struct str value)
{
    put(w, "model", value);
    return ERR_OK;
}

static enum err_code take_system(struct walk *w, struct str value)
{
    if (str_is(value, "\"\"") || str_is(value, "[]"))
        return ERR_OK;
    return put_text(w, "system_prompt", value);
}

static enum err_code take_message(struct walk *w, struct str message)
{
    static const char *const names[] = {"role", "content", NULL};
    struct object o;

    if (open_object(w, message, &o) != ERR_OK)
        return w->err->code;
    struct str role = member(&o, "role"), content = member(&o, "content");
    if (!str_is(role, "\"user\"")) {
        enter(w, "role");
        return refuse(w, "it must be \"user\": an agent begins its own conversation");
    }
    if (only(w, &o, names) != ERR_OK)
        return w->err->code;
    enter(w, "content");
    return content.n ? put_text(w, "prompt", content) : refuse(w, "it must be there");
}

static enum err_code take_messages(struct walk *w, struct str value)
{
    struct str first, second;

    if (value.p[0] != '[' || !json_array_next(&value, &first))
        return refuse(w, "it must be an array with one user message");
    if (json_array_next(&value, &second)) {
        enter(w, "1");
        return refuse(w, "there must be one message; runs of one 'session' make a conversation");
    }
    enter(w, "0");
    return take_message(w, first);
}

static enum err_code take_max_tokens(struct walk *w, struct str value)
{
    int64_t n;

    if (!str_int(value, INT32_MAX, &n) || n < 1)
        return refuse(w, "it must be a whole number above 0");
    w->max_tokens = true; /* of one answer; an agent gives many */
    return ERR_OK;
}

static enum err_code take_metadata(struct walk *w, struct str value)
{
    static const char *const names[] = {"user_id", NULL};
    struct object o;

    if (open_object(w, value, &o) != ERR_OK || only(w, &o, names) != ERR_OK)
        return w->err->code;
    if (member(&o, "user_id").n)
        put(w, "user_id", member(&o, "user_id"));
    return ERR_OK;
}

static enum err_code take_format(struct walk *w, struct str value)
{
    static const char *const names[] = {"type", "schema", NULL};
    struct object o;

    if (open_object(w, value, &o) != ERR_OK)
        return w->err->code;
    if (!str_is(member(&o, "type"), "\"json_schema\"")) {
        enter(w, "type");
        return refuse(w, "it must be \"json_schema\"");
    }
    if (only(w, &o, names) != ERR_OK)
        return w->err->code;
    enter(w, "schema");
    if (!member(&o, "schema").n)
        return refuse(w, "it must be there");
    put(w, "json_schema", member(&o, "schema"));
    return ERR_OK;
}

static enum err_code take_output_config(struct walk *w, struct str value)
{
    static const char *const names[] = {"format", NULL};
    struct object o;

    if (open_object(w, value, &o) != ERR_OK || only(w, &o, names) != ERR_OK)
        return w->err->code;
    if (!member(&o, "format").n)
        return ERR_OK;
    enter(w, "format");
    return take_format(w, member(&o, "format"));
}

#define SAMPLING "an agent chooses it itself"

static const struct param {
    const char *name;
    enum err_code (*take)(struct walk *w, struct str value); /* NULL: nothing to carry over */
    const char *fine[3]; /* without take: values that say nothing, "*": any */
    const char *why;     /* what is said of all others */
} params[] = {
    // clang-format off
    {"model",          take_model,         {NULL}, NULL},
    {"messages",       take_messages,      {NULL}, NULL},
    {"system",         take_system,        {NULL}, NULL},
    {"max_tokens",     take_max_tokens,    {NULL}, NULL},
    {"metadata",       take_metadata,      {NULL}, NULL},
    {"output_config",  take_output_config, {NULL}, NULL},
    {"cache_control",  NULL, {"*"},                  NULL},
    {"stream",         NULL, {"false"},              "it must be false; every run can be followed"},
    {"service_tier",   NULL, {"\"auto\""},           "it has no meaning here: the credential decides"},
    {"temperature",    NULL, {"1", "1.0"},           "it has no meaning here: " SAMPLING},
    {"top_p",          NULL, {NULL},                 "it has no meaning here: " SAMPLING},
    {"top_k",          NULL, {NULL},                 "it has no meaning here: " SAMPLING},
    {"stop_sequences", NULL, {"[]"},                 "it has no meaning here: an agent ends by itself"},
    {"thinking",       NULL, {NULL},                 "it has no meaning here: " SAMPLING},
    {"tools",          NULL, {"[]"},                 "it has no meaning here: an agent brings its tools; 'allowed_tools' beside params chooses among them"},
    {"tool_choice",    NULL, {NULL},                 "it has no meaning here: " SAMPLING},
    {"mcp_servers",    NULL, {"[]"},                 "it has no meaning here: bring a .mcp.json by 'files' or 'repo'"},
    {"container",      NULL, {NULL},                 "it has no meaning here: each run has a sandbox; 'session' reuses one"},
    {"inference_geo",  NULL, {NULL},                 "it has no meaning here: the credential decides"},
    {"context_management", NULL, {NULL},             "it has no meaning here: an agent does it itself"},
    // clang-format on
};

static const struct param *find(struct str key)
{
    for (size_t i = 0; i < COUNTOF(params); i++)
        if (str_is(key, params[i].name))
            return &params[i];
    return NULL;
}

static bool says_nothing(const struct param *p, struct str value)
{
    for (size_t i = 0; i < COUNTOF(p->fine) && p->fine[i]; i++)
        if (strcmp(p->fine[i], "*") == 0 || str_is(value, p->fine[i]))
            return true;
    return false;
}

static enum err_code take_param(struct walk *w, const struct json_member *m)
{
    const struct param *p = find(m->key);
    char name[64];

    (void)snprintf(name, sizeof name, STR_FMT, STR_ARG(m->key));
    size_t was = enter(w, name);
    enum err_code rc = ERR_OK;
    if (!p)
        rc = refuse(w, "there is no such parameter");
    else if (p->take)
        rc = p->take(w, m->value);
    else if (!says_nothing(p, m->value))
        rc = refuse(w, p->why);
    if (rc == ERR_OK)
        leave(w, was);
    return rc;
}

enum err_code message_params(struct str text, struct buf *out, bool *max_tokens,
                             char pointer[POINTER_MAX_BYTES], struct err *err)
{
    struct walk w = {.out = out, .pointer = pointer, .err = err};
    struct object o;

    pointer[0] = '\0';
    *max_tokens = false;
    enter(&w, "params");
    if (open_object(&w, text, &o) != ERR_OK)
        return err->code;
    for (size_t i = 0; i < o.n; i++)
        if (!is_null(o.members[i].value) && take_param(&w, &o.members[i]) != ERR_OK)
            return err->code;
    if (!member(&o, "messages").n) {
        enter(&w, "messages");
        return refuse(&w, "it must be there");
    }
    leave(&w, 0);
    *max_tokens = w.max_tokens;
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "it is over its ceiling");
}

const char *message_params_pointer(struct str field)
{
    static const char *const from[][2] = {
        {"prompt", "/params/messages/0/content"},
        {"system_prompt", "/params/system"},
        {"model", "/params/model"},
        {"user_id", "/params/metadata/user_id"},
        {"json_schema", "/params/output_config/format/schema"},
    };

    for (size_t i = 0; i < COUNTOF(from); i++)
        if (str_is(field, from[i][0]))
            return from[i][1];
    return NULL;
}
