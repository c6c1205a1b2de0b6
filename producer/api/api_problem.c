/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/api/api_problem.h"

#include <stdio.h>
#include <string.h>

#include "common/json/json.h"
#include "common/percent.h"
#include "producer/show/term_text.h"
#include "common/banned.h"

enum { DETAIL_MAX = 160, POINTERS_SHOWN = 3, SUBJECT_MAX = 80 };

/* code: the document's; of those with 422 only a key that is used already tells of a conflict: the
 * others find fault with words that the command line had. */
static enum err_code code_of(int status, const char *code)
{
    switch (status) {
    case 401:
    case 403:
        return ERR_UNAUTHORIZED;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    case 422:
        return strcmp(code, "idempotency_key_reused") == 0 ? ERR_CONFLICT : ERR_USAGE;
    case 413:
    case 414:
    case 431:
        return ERR_TOO_BIG;
    case 429:
        return ERR_THROTTLED;
    default:
        return status >= 500 ? ERR_UNAVAILABLE : status >= 400 ? ERR_USAGE : ERR_PROTOCOL;
    }
}

/* Words that come from elsewhere, for a message of ours: safe, short, and on one line. */
static void put_words(struct buf *out, const char *words)
{
    AUTO_BUF safe = BUF_INIT(1 << 16);
    struct str text;

    term_text_safe(&safe, str_of(words));
    text = buf_str(&safe);
    for (size_t i = 0; i < text.n; i++)
        if (safe.p[i] == '\n' || safe.p[i] == '\t')
            safe.p[i] = ' ';
    buf_addstr(out, term_text_fit(text, DETAIL_MAX));
}

/* "; /model: no such characters" for the first few; of what was said already, the place. */
static void put_errors(struct buf *out, const cJSON *errors, const char *said)
{
    const cJSON *e;
    int n = 0;

    cJSON_ArrayForEach(e, errors)
    {
        const char *pointer = json_get_string(e, "pointer"), *detail = json_get_string(e, "detail");

        if (!detail || n++ >= POINTERS_SHOWN)
            continue;
        if (strcmp(detail, said) == 0) {
            buf_adds(out, pointer && *pointer ? ": " : "");
            put_words(out, pointer ? pointer : "");
            continue;
        }
        buf_adds(out, "; ");
        if (pointer && *pointer) {
            put_words(out, pointer);
            buf_adds(out, ": ");
        }
        put_words(out, detail);
    }
}

static void put_document(struct buf *out, const cJSON *doc, int status, struct api_problem *p)
{
    const char *code = json_get_string(doc, "code"), *detail = json_get_string(doc, "detail");
    const char *id = json_get_string(doc, "request_id");

    json_get_bool(doc, "retryable", &p->retryable);
    snprintf(p->code, sizeof(p->code), "%s", code ? code : "");
    if (!detail)
        detail = json_get_string(doc, "title");
    detail = detail ? detail : code ? code : "no reason was given";
    put_words(out, detail);
    put_errors(out, json_get(doc, "errors"), detail);
    if (code) {
        buf_adds(out, " (");
        put_words(out, code);
        if (id && status >= 500) {
            buf_adds(out, ", request ");
            put_words(out, id);
        }
        buf_addc(out, ')');
    }
}

enum err_code api_problem_read(int status, struct str body, struct api_problem *out,
                               struct err *err)
{
    struct api_problem unused, *p = out ? out : &unused;
    AUTO_JSON *doc = NULL;
    AUTO_BUF text = BUF_INIT(4096);
    struct err bad = ERR_INIT;

    *p = (struct api_problem){.retryable = status == 429 || status >= 500};
    if (json_parse(body, 0, &doc, &bad) != ERR_OK || !json_get_string(doc, "code"))
        return err_set(err, code_of(status, ""),
                       "HTTP status %d, and not from sandfleet-api: is --api-url right?", status);
    put_document(&text, doc, status, p);
    if (strcmp(p->code, "no_such_route") == 0)
        return err_set(err, ERR_PROTOCOL,
                       "this sandfleet-api does not know what was asked for; is it older than this "
                       "client?");
    return err_set(err, code_of(status, p->code), "%s", text.p ? text.p : p->code);
}

/* --- what it was about -------------------------------------------------------------- */

void api_problem_subject(const char *path, struct err *err)
{
    static const char *const nouns[][2] = {{"/v1/runs/", "run"},
                                           {"/v1/batches/", "batch"},
                                           {"/v1/sessions/", "session"},
                                           {"/v1/sandboxes/", "sandbox"},
                                           {"/v1/dlq/", "letter"}};
    AUTO_BUF word = BUF_INIT(4096), safe = BUF_INIT(1 << 14);
    struct err unused = ERR_INIT;
    const char *noun = NULL;

    for (size_t i = 0; i < COUNTOF(nouns); i++)
        if (str_starts(str_of(path), nouns[i][0])) {
            const char *from = path + strlen(nouns[i][0]);

            noun = nouns[i][1];
            (void)!percent_decode((struct str){from, strcspn(from, "/?")}, false, &word, &unused);
        }
    if (!word.len || (err->code != ERR_NOT_FOUND && err->code != ERR_CONFLICT))
        return;
    put_words(&safe, word.p);
    err_wrap(err, "%s " STR_FMT, noun, STR_ARG(term_text_fit(buf_str(&safe), SUBJECT_MAX)));
}
