/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/attempt_facts.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "common/attrs.h"
#include "common/banned.h"

enum { HASH_BYTES = 32, ARGUMENT_MAX_BYTES = 128 };

static const char *hex(const unsigned char digest[HASH_BYTES], char out[ATTEMPT_FACTS_HASH_TEXT])
{
    return sodium_bin2hex(out, ATTEMPT_FACTS_HASH_TEXT, digest, HASH_BYTES);
}

const char *attempt_facts_hash(struct str text, char out[ATTEMPT_FACTS_HASH_TEXT])
{
    unsigned char digest[HASH_BYTES];

    crypto_generichash(digest, sizeof(digest), (const unsigned char *)text.p, text.n, NULL, 0);
    return hex(digest, out);
}

static const char *hash_arguments(const struct claude_args *a, char out[ATTEMPT_FACTS_HASH_TEXT])
{
    unsigned char digest[HASH_BYTES];
    crypto_generichash_state h;

    crypto_generichash_init(&h, NULL, 0, sizeof(digest));
    for (size_t i = 0; i < a->n_args; i++)
        crypto_generichash_update(&h, (const unsigned char *)a->args[i], strlen(a->args[i]) + 1);
    crypto_generichash_final(&h, digest, sizeof(digest));
    return hex(digest, out);
}

/* Whoever may read attempts may not read prompts for that: what a user wrote is not shown. */
static bool shown(const struct claude_args *a, size_t i)
{
    static const char *const texts[] = {"--append-system-prompt", "--json-schema"};

    for (size_t t = 0; i > 0 && t < COUNTOF(texts); t++)
        if (strcmp(a->args[i - 1], texts[t]) == 0)
            return false;
    return strlen(a->args[i]) <= ARGUMENT_MAX_BYTES;
}

static void put_arguments(const struct claude_args *a, struct buf *out)
{
    char hash[ATTEMPT_FACTS_HASH_TEXT];

    json_key(out, "arguments");
    buf_addc(out, '[');
    for (size_t i = 0; i < a->n_args; i++) {
        struct str text = str_of(a->args[i]);

        if (i > 0)
            buf_addc(out, ',');
        if (shown(a, i))
            json_put_string(out, text);
        else
            buf_addf(out, "\"blake2b:%s\"", attempt_facts_hash(text, hash));
    }
    buf_addc(out, ']');
}

/* A text that is not there has no hash. */
static void put_hash(struct buf *out, const char *member, const char *text)
{
    char hash[ATTEMPT_FACTS_HASH_TEXT];

    json_kv(out, member, text ? attempt_facts_hash(str_of(text), hash) : NULL);
}

static void put_files_hash(struct buf *out, const cJSON *files)
{
    char *text = files ? cJSON_PrintUnformatted(files) : NULL;

    put_hash(out, "files_hash", text);
    if (files && !text)
        out->rc = ERR_NOMEM;
    cJSON_free(text);
}

void attempt_facts_write(const struct run_request *q, const struct claude_args *a, struct buf *out)
{
    char hash[ATTEMPT_FACTS_HASH_TEXT];

    json_kv(out, "template", q->template);
    put_arguments(a, out);
    json_kv(out, "arguments_hash", hash_arguments(a, hash));
    put_hash(out, "prompt_hash", q->prompt);
    put_hash(out, "system_prompt_hash", q->system_prompt);
    put_files_hash(out, q->files);
}
