/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows say about themselves: --help and --print-config. */
#include "common/option/option.h"

#include <stdlib.h>
#include <string.h>

#include "common/option/option_value.h"
#include "common/banned.h"

enum { INDENT = 10, COLUMNS = 80, PARAGRAPH_MAX = 4096 };

/* Words of `text`, broken into indented lines. */
static void print_paragraph(struct str text, FILE *to)
{
    size_t column = 0;
    struct str word;

    while (str_next(&text, ' ', &word)) {
        if (column > 0 && column + 1 + word.n > COLUMNS) {
            (void)fputc('\n', to);
            column = 0;
        }
        if (column == 0)
            column = (size_t)fprintf(to, "%*s", INDENT, "");
        else
            column += (size_t)fprintf(to, " ");
        (void)fprintf(to, STR_FMT, STR_ARG(word));
        column += word.n;
    }
    (void)fputc('\n', to);
}

const char *option_variable(const struct opt *row, char room[OPTION_NAME_ROOM])
{
    return option_env(row, room);
}

void option_term(const struct opt *row, struct buf *out)
{
    bool secret = (row->flags & OPT_SECRET) != 0;

    if (row->letter)
        buf_addf(out, "-%c, ", row->letter);
    buf_addf(out, "--%s%s", row->name, secret ? "-file" : "");
    if (secret)
        buf_adds(out, " <file>");
    else if (row->type != OPT_BOOL)
        buf_addf(out, " %s", row->arg ? row->arg : "<value>");
}

/* A default that ends the sentence itself is quoted: "sandfleet.". */
static void add_default(struct buf *text, const char *def)
{
    const char *quote = def[strlen(def) - 1] == '.' ? "\"" : "";

    buf_addf(text, " Default: %s%s%s.", quote, def, quote);
}

void option_text(const struct opt *row, struct buf *out)
{
    char env[OPTION_ENV_MAX];

    buf_adds(out, row->help);
    if (row->type == OPT_LIST)
        buf_adds(out, " May come several times.");
    if (row->def && *row->def && !(row->flags & OPT_SECRET))
        add_default(out, row->def);
    if (!(row->flags & OPT_NO_ENV))
        buf_addf(out, " [%s%s]", option_env(row, env),
                 row->flags & OPT_SECRET ? ": the secret itself" : "");
}

void option_help(const struct opt *rows, size_t n, FILE *to)
{
    for (size_t i = 0; i < n; i++) {
        AUTO_BUF term = BUF_INIT(PARAGRAPH_MAX), text = BUF_INIT(PARAGRAPH_MAX);

        option_term(&rows[i], &term);
        option_text(&rows[i], &text);
        (void)fprintf(to, "%s%s\n", rows[i].letter ? "  " : "      ", term.p ? term.p : "");
        print_paragraph(buf_str(&text), to);
    }
}

/* A list has a line an item, so that each can be read back whole. */
static void print_list(const struct opt *row, const struct opt_list *list, FILE *to)
{
    for (size_t i = 0; i < list->n; i++)
        (void)fprintf(to, "%s=%s\n", row->name, list->items[i]);
}

static void print_one(const struct opt *row, const void *settings, FILE *to)
{
    AUTO_BUF text = BUF_INIT(SIZE_MAX / 2);

    option_put(row, settings, &text);
    (void)fprintf(to, "%s=%s\n", row->name, text.p ? text.p : "");
}

void option_print(const struct opt *rows, size_t n, const void *settings, FILE *to)
{
    for (size_t i = 0; i < n; i++) {
        if (rows[i].type == OPT_LIST)
            print_list(&rows[i], option_get(&rows[i], settings), to);
        else
            print_one(&rows[i], settings, to);
    }
}

void option_release(const struct opt *rows, size_t n, void *settings)
{
    for (size_t i = 0; i < n; i++)
        option_clear(&rows[i], settings);
}
