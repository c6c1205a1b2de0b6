/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/check.h"

#include <string.h>

#include "common/json/json.h"
#include "common/banned.h"

static bool ends_with(struct str s, const char *end)
{
    size_t n = strlen(end);

    return s.n >= n && memcmp(s.p + s.n - n, end, n) == 0;
}

static enum err_code choose(const struct batch_client *b, int n, char **words,
                            struct batch_opts *opts, struct err *err)
{
    const struct client *c = &b->client;
    const char *file = n > 0 ? words[0] : c->file;

    if ((b->prompt_template != NULL) != (b->data != NULL))
        return err_set(err, ERR_USAGE,
                       "--template and --data go together: a prompt with {{names}}, and the rows "
                       "that fill it");
    if (file && b->data)
        return err_set(err, ERR_USAGE, "give the prompts by --template and --data, or as a file");
    if (!file && !b->data)
        return err_set(err, ERR_USAGE, "no file was given; - is standard input");
    if (b->format && !batch_form_parse(b->format, &opts->form))
        return err_set(err, ERR_USAGE, "--format is auto, jsonl, text or csv, not '%.40s'",
                       b->format);
    if (b->data && opts->form == BATCH_TEXT)
        return err_set(err, ERR_USAGE, "--data has names: it is JSON Lines or CSV");
    bool is_csv = ends_with(str_of(file), ".csv") || ends_with(str_of(file), ".csv.gz");
    if (!b->data && (opts->form == BATCH_CSV || (opts->form == BATCH_AUTO && is_csv)))
        return err_set(err, ERR_USAGE,
                       "rows of CSV become prompts by a template: --template FILE --data '%.80s'",
                       file);
    opts->path = b->data ? b->data : file;
    opts->template_path = b->prompt_template;
    return ERR_OK;
}

enum err_code batch_open(const struct batch_client *b, int n, char **words, struct batch_file **out,
                         struct err *err)
{
    struct batch_opts opts = {.flags = &b->client, .batch = b->client.batch};

    if (choose(b, n, words, &opts, err) != ERR_OK)
        return err->code;
    return batch_file_open(&opts, out, err);
}

void batch_problem_text(const char *path, const struct batch_problem *p, struct buf *out)
{
    buf_addf(out, "%s:%lld:", path, (long long)p->line);
    if (p->column)
        buf_addf(out, "%lld:", (long long)p->column);
    if (p->pointer[0])
        buf_addf(out, " %s:", p->pointer);
    buf_addf(out, " %s", p->why.msg);
}

void batch_counts_notes(const struct batch_counts *n)
{
    if (n->duplicates)
        client_note("%lld lines repeat an earlier custom_id with the same content: one run each",
                    (long long)n->duplicates);
    if (n->repeated)
        client_note("%lld lines without custom_id are like an earlier one: a run each",
                    (long long)n->repeated);
    if (n->max_tokens)
        client_note("max_tokens of %lld lines is not heeded: it bounds one answer, and an agent "
                    "gives many; --max-turns, --max-budget and --timeout bound a run",
                    (long long)n->max_tokens);
}

void batch_counts_json(struct buf *b, const struct batch_counts *n)
{
    json_kv_int(b, "lines", n->lines);
    json_kv_int(b, "runs", n->good);
    json_kv_int(b, "invalid", n->bad);
    json_kv_int(b, "duplicates", n->duplicates);
}
