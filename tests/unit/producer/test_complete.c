/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: at the cursor of a command line a shell offers what may stand there, and nothing else.
 * Proof: a table of command lines with the words; descriptions are left out. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "producer/manual/complete.h"
#include "tests/lib/table.h"

static struct row {
    const char *name; /* what is typed; the cursor stands at its end */
    const char *want; /* words; "+" in front: among others */
} rows[] = {
    {"ru", "run runs"},
    {"", "+run submit follow limits help"},
    {"xyzzy", ""},
    {"runs ev", "events"},
    {"ev", "events"},
    {"runs events ", ""},
    {"limits ", "get set"},
    {"limits set ", "fleet tenant: credential: key:"},
    {"limits set t", "tenant:"},
    {"limits set fleet ", ""},
    {"limits set fleet starts_per_minute ", "none default"},
    {"help limits ", "get set"},
    {"help ru", "run runs"},
    {"completion ", "bash zsh fish"},
    {"man li", "limits"},

    {"run --out", "--output"},
    {"run -", "+--help --brokers --kafka-prop --config"},
    {"run -o ", "text json jsonl"},
    {"run -o json", "json jsonl"},
    {"run --output ", "text json jsonl"},
    {"run --output=j", "--output=json --output=jsonl"},
    {"run --nosuch=", ""},
    {"run --quiet --on-busy ", "enqueue reject interrupt"},
    {"run --model ", ""},
    {"run --prompt-file ", ":files"},
    {"submit --file=", ":files"},
    {"config show --api-key-file ", ":files"},
    {"run a prompt --lo", "--log-level"},

    {"--prof", "--profile"},
    {"--profile ", "prod staging"},
    {"--profile=p", "--profile=prod"},
    {"--profile prod ru", "run runs"},
    {"run --profile s", "staging"},
};

static void without_descriptions(const struct buf *lines, bool files, struct buf *out)
{
    struct str rest = buf_str(lines), line;

    while (rest.n > 0 && str_next(&rest, '\n', &line))
        if (line.n > 0) {
            struct str word = line;

            (void)str_next(&line, '\t', &word);
            buf_addf(out, "%s" STR_FMT, out->len ? " " : "", STR_ARG(word));
        }
    if (files)
        buf_addf(out, "%s:files", out->len ? " " : "");
}

static void check(void **state)
{
    const struct row *r = *state;
    AUTO_BUF lines = BUF_INIT(1 << 20), got = BUF_INIT(1 << 20);
    char line[128], *words[16], *p = line;
    int n = 1;

    (void)snprintf(line, sizeof line, "%s", r->name);
    words[0] = line;
    while ((p = strchr(p, ' '))) {
        *p++ = '\0';
        words[n++] = p;
    }
    bool files = complete_words(n, words, &lines);
    without_descriptions(&lines, files, &got);
    if (r->want[0] != '+') {
        assert_string_equal(got.p ? got.p : "", r->want);
        return;
    }
    for (struct str rest = str_of(r->want + 1), word; rest.n > 0 && str_next(&rest, ' ', &word);)
        if (!memmem(got.p, got.len, word.p, word.n))
            fail_msg(STR_FMT " is not among: %s", STR_ARG(word), got.p);
}

int main(void)
{
    char path[] = "/tmp/sandfleet-complete-XXXXXX";
    static const char text[] = "[prod]\n[staging]\n";
    int fd = mkstemp(path), failed;

    if (fd < 0 || write(fd, text, sizeof text - 1) != sizeof text - 1)
        return 1;
    (void)close(fd);
    setenv("SANDFLEET_CONFIG", path, 1);
    failed = TABLE_RUN("complete", rows, check);
    (void)unlink(path);
    return failed;
}
