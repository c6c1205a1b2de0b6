/* SPDX-License-Identifier: Apache-2.0 */
/* How fast secrets are cut out of lines: text as Claude Code prints it, line by line, with as many
 * known credentials as asked for. Prints one line, a best of several rounds:
 *
 *   bench.redact [--file FILE] [--credentials N] [--mib N]
 *
 * The file's lines are repeated; without one they are made. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/option/option.h"
#include "common/secret/redact.h"

#include "common/banned.h"

enum { ROUNDS = 5, TEXT_MAX_BYTES = 1 << 30 };

static struct options {
    char *file;
    int64_t credentials, mib;
} opt;

static const struct opt rows[] = {
    {"file", 'f', OPT_STRING, offsetof(struct options, file), NULL, 1, 4096, OPT_NO_ENV, NULL,
     "<file>", "Lines to repeat."},
    {"credentials", 'c', OPT_INT, offsetof(struct options, credentials), "16", 0, 4096, OPT_NO_ENV,
     NULL, "<n>", "How many are known."},
    {"mib", 'm', OPT_INT, offsetof(struct options, mib), "64", 1, 512, OPT_NO_ENV, NULL, "<n>",
     "How much text."},
};

/* Of this thread's own time: who else is at work on the machine is no matter. */
static double now(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Words, code and escapes; no two lines alike. */
static void make_line(uint64_t *x, struct buf *out)
{
    static const char *const words[] = {"the ",
                                        "function ",
                                        "return ",
                                        "sk-",
                                        "task-list ",
                                        "const char *",
                                        "\\n    ",
                                        "\\\"type\\\":",
                                        "https://example.org/a/b?c=d ",
                                        "AKI ",
                                        "ghp ",
                                        "0x7fff5fbff8c0 ",
                                        "eyJ ",
                                        "\\u2028",
                                        "ls -la ",
                                        "/usr/lib/x86_64-linux-gnu/ ",
                                        "e2b ",
                                        "npm run build ",
                                        "commit 3f2a9c41d0 ",
                                        "key "};

    buf_adds(out,
             "{\"type\":\"assistant\",\"message\":{\"content\":[{\"type\":\"text\",\"text\":\"");
    for (int i = 0; i < 60; i++) {
        *x = *x * UINT64_C(6364136223846793005) + 1442695040888963407;
        buf_adds(out, words[(*x >> 33) % COUNTOF(words)]);
    }
    buf_adds(out, "\"}]},\"session_id\":\"01990000-0000-7000-8000-000000000000\"}\n");
}

static void read_file(struct buf *out)
{
    FILE *f = fopen(opt.file, "re");
    char piece[65536];
    size_t n;

    if (!f) {
        perror(opt.file);
        exit(66);
    }
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        buf_add(out, piece, n);
    (void)fclose(f);
}

static struct redactor *make_redactor(void)
{
    struct redactor *r;
    struct err err = ERR_INIT;
    char token[128];

    if (redactor_new(&r, &err) != ERR_OK)
        abort();
    for (int64_t i = 0; i < opt.credentials; i++) { /* every second one of no known format */
        (void)snprintf(token, sizeof(token), "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
                       i % 2 ? "" : "sk-ant-oat01-", (unsigned)(i * 2654435761), (unsigned)i, 1, 2,
                       3, 4, 5, 6, 7, 8);
        if (redactor_know(r, str_of(token), &err) != ERR_OK)
            abort();
    }
    return r;
}

static size_t cut_all(const struct redactor *r, const struct buf *text, char *line)
{
    struct str rest = buf_str(text), one;
    size_t found = 0;

    while (rest.n > 0 && str_next(&rest, '\n', &one)) {
        memcpy(line, one.p, one.n); /* as the lines of a stream are, in memory that is warm */
        found += redactor_cut(r, line, one.n, 0);
    }
    return found;
}

int main(int argc, char **argv)
{
    struct buf seed = BUF_INIT(TEXT_MAX_BYTES), text = BUF_INIT(TEXT_MAX_BYTES);
    struct err err = ERR_INIT;
    uint64_t x = 1;
    double best = 0;
    size_t found = 0;
    int words;

    if (option_parse(rows, COUNTOF(rows), &opt, argc, argv, &words, &err) != ERR_OK) {
        (void)fprintf(stderr, "bench.redact: %s\n", err.msg);
        return 2;
    }
    struct redactor *r = make_redactor();
    if (opt.file)
        read_file(&seed);
    while (text.len < (size_t)opt.mib << 20) {
        if (opt.file)
            buf_addstr(&text, buf_str(&seed));
        else
            make_line(&x, &text);
    }
    char *line = malloc(text.len);
    if (!line || text.rc != ERR_OK)
        return 71;
    for (int i = 0; i < ROUNDS; i++) {
        double begun = now();
        found = cut_all(r, &text, line);
        double rate = (double)text.len / 1e6 / (now() - begun);
        best = rate > best ? rate : best;
    }
    printf("mb_per_s=%.0f credentials=%lld mib=%lld found=%zu\n", best, (long long)opt.credentials,
           (long long)opt.mib, found);
    free(line);
    redactor_free(r);
    buf_release(&seed);
    buf_release(&text);
    option_release(rows, COUNTOF(rows), &opt);
    return 0;
}
