/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/verbs/cmd_keys.h"

#include <string.h>

#include <sodium.h>

#include "common/json/json.h"
#include "schema/api_key.h"
#include "common/banned.h"

enum { LIST_MAX_BYTES = 64 << 20, LINE_MAX_BYTES = 1024 };

static bool have_database(const struct client *c, struct err *err)
{
    if (c->database)
        return true;
    err_set(err, ERR_USAGE, "--database is missing: give it, or set SANDFLEET_DATABASE");
    return false;
}

static bool scopes_of(const struct opt_list *words, unsigned *out, struct err *err)
{
    for (size_t i = 0; i < words->n; i++) {
        unsigned one;

        if (!api_scopes_parse(str_of(words->items[i]), &one)) {
            err_set(err, ERR_USAGE, "--scope is submit, read or admin, not '%.40s'",
                    words->items[i]);
            return false;
        }
        *out |= one;
    }
    return true;
}

/* The key alone on standard output, so that it can be put away by a pipe. */
static bool show(const struct client *c, const struct api_key_want *w, const char *text,
                 const struct buf *expires, struct err *err)
{
    AUTO_BUF out = BUF_INIT(LINE_MAX_BYTES);
    bool gone = false, done;

    if (c->output == OUTPUT_TEXT) {
        buf_addf(&out, "%s\n", text);
    } else {
        buf_addc(&out, '{');
        json_kv_str(&out, "id", (struct str){text + strlen(API_KEY_PREFIX), API_KEY_ID - 1});
        json_kv(&out, "key", text);
        json_kv(&out, "tenant", w->tenant);
        json_key(&out, "scopes");
        api_scopes_json(w->scopes, &out);
        json_kv(&out, "label", w->label ? w->label : "");
        if (expires->len > 0)
            json_kv(&out, "expires_at", expires->p);
        else
            json_kv_raw(&out, "expires_at", STR("null"));
        buf_adds(&out, "}\n");
    }
    done = client_put(out.p, out.len, &gone, err);
    sodium_memzero(out.p, out.len);
    return done;
}

int command_keys_create(struct client *c, int n, char **words)
{
    const struct keys_settings *s = (const struct keys_settings *)c;
    struct api_key_want w = {.tenant = c->tenant, .label = s->label, .life_ms = s->life_ms};
    AUTO_BUF expires = BUF_INIT(64);
    struct err err = ERR_INIT;
    char text[API_KEY_TEXT];

    (void)n, (void)words;
    bool made = have_database(c, &err) && scopes_of(&s->scopes, &w.scopes, &err) &&
                api_keys_create(c->database, &w, text, &expires, &err) == ERR_OK;
    if (!made)
        return client_fail_words(&err);
    bool shown = show(c, &w, text, &expires, &err);
    sodium_memzero(text, sizeof(text));
    if (!shown)
        return client_fail(&err);
    if (c->output == OUTPUT_TEXT && !c->quiet)
        client_note("it is not shown again; it counts for tenant %s %s%s", w.tenant,
                    expires.len > 0 ? "until " : "until it is revoked",
                    expires.len > 0 ? expires.p : "");
    return EXIT_OK;
}

int command_keys_list(struct client *c, int n, char **words)
{
    AUTO_BUF text = BUF_INIT(LIST_MAX_BYTES);
    struct err err = ERR_INIT;

    (void)n, (void)words;
    bool done =
        have_database(c, &err) &&
        api_keys_list(c->database, c->tenant, c->output != OUTPUT_TEXT, &text, &err) == ERR_OK &&
        client_put_list(c, &text, "API keys; sandfleet keys create makes one", &err);
    return done ? EXIT_OK : client_fail_words(&err);
}

int command_keys_revoke(struct client *c, int n, char **words)
{
    struct err err = ERR_INIT;
    bool was = false;

    if (n != 1)
        err_set(&err, ERR_USAGE, "want the id of a key, as keys list has it");
    bool done = n == 1 && have_database(c, &err) &&
                api_keys_revoke(c->database, words[0], &was, &err) == ERR_OK;
    if (!done)
        return client_fail_words(&err);
    if (was && !c->quiet)
        client_note("%s had been revoked before", words[0]);
    return EXIT_OK;
}
