/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: whatever a run waits for and however it ended, there is a sentence for it, and what one
 * can do; a new word of the workers without one fails here.
 * Proof: the workers' table of outcomes, and the words that their statements write; cases. */
#include "tests/lib/table.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "api/reads/explain.h"
#include "common/attrs.h"
#include "worker/run/outcome.h" /* the table alone: nothing of the worker is linked */

#include "common/banned.h"

/* --- the words --------------------------------------------------------------------- */

#define OUTCOME_ROW(name, text, event, next, credential, base, cap) {text, NEXT_##next},
static const struct {
    const char *name;
    enum outcome_next next;
} outcomes[] = {OUTCOME_MAP(OUTCOME_ROW)};
#undef OUTCOME_ROW

static void each_outcome(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(outcomes); i++) {
        const struct explain_word *w = explain_find(outcomes[i].name);

        if (!w || !w->ends)
            fail_msg("%s has no sentence for a run that ended so", outcomes[i].name);
        if (outcomes[i].next != NEXT_END && !w->waits)
            fail_msg("%s has no sentence for a run that waits because of it", outcomes[i].name);
    }
}

/* Where the workers' sources, and what changes credentials, write why a run waits. */
static const struct place {
    const char *file, *from, *to; /* between them; each word in quotes counts */
    char quote;
    size_t least; /* as many words are found at least */
} places[] = {
    {"worker/ledger/ledger_sql_tell.c", "#define JUDGED", "AS reason", '\'', 8},
    {"worker/fleet/fleet_runs.c", ".hold_reason = ", ",", '"', 1},
    {"schema/credential_rows.c", "hold_reason = CASE WHEN NOT $2::bool THEN", "END", '\'', 1},
};

static char *read_source(const char *name)
{
    char path[512];
    char *text = calloc(1, 1 << 20);
    FILE *f;

    (void)snprintf(path, sizeof(path), "%s/%s", SF_SOURCE_DIR, name);
    f = fopen(path, "r");
    if (!f || !text)
        fail_msg("%s cannot be read", path);
    text[fread(text, 1, (1 << 20) - 1, f)] = '\0';
    fclose(f);
    return text;
}

static bool is_word(const char *from, const char *to)
{
    if (from == to)
        return false;
    for (; from < to; from++)
        if (!islower((unsigned char)*from) && *from != '_')
            return false;
    return true;
}

static size_t check_words(const struct place *p, const char *at, const char *end)
{
    size_t n = 0;

    while ((at = memchr(at, p->quote, (size_t)(end - at)))) {
        const char *close = memchr(at + 1, p->quote, (size_t)(end - at - 1));
        char word[64];

        if (!close)
            break;
        if (is_word(at + 1, close)) {
            const struct explain_word *w;

            (void)snprintf(word, sizeof(word), "%.*s", (int)(close - at - 1), at + 1);
            w = explain_find(word);
            if (!w || !w->waits)
                fail_msg("%s: '%s' has no sentence for a run that waits", p->file, word);
            n++;
            at = close;
        }
        at++;
    }
    return n;
}

static void each_hold(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(places); i++) {
        char *text = read_source(places[i].file), *from = strstr(text, places[i].from), *to;

        if (!from || !(to = strstr(from, places[i].to)))
            fail_msg("%s: '%s' is not there any more", places[i].file, places[i].from);
        from += strlen(places[i].from);
        if (check_words(&places[i], from, to) < places[i].least)
            fail_msg("%s: there were more words", places[i].file);
        free(text);
    }
}

static void each_word_once_and_in_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < explain_words_n; i++) {
        const struct explain_word *w = &explain_words[i];

        assert_ptr_equal(explain_find(w->code), w);
        assert_true(w->waits || w->ends);
        assert_true(w->waits || !w->waits_advice);
        assert_true(w->ends || !w->ends_advice);
    }
}

/* --- cases --------------------------------------------------------------------------- */

static struct row {
    const char *name;
    struct explain_case of;
    const char *code, *summary; /* the beginning of it */
} rows[] = {
    {"just accepted", {.state = "queued", .workers = true}, "queued", "It waits for its turn"},
    {"nobody is there", {.state = "queued"}, "no_worker", "No worker is alive"},
    {"nobody is there, it says room",
     {.state = "held", .hold_reason = "no_slot", .claimed = true},
     "no_worker",
     "No worker is alive"},
    {"it would wait all the same",
     {.state = "held", .hold_reason = "scheduled", .claimed = true},
     "scheduled",
     "It is not to start before"},
    {"its credential is held",
     {.state = "held", .hold_reason = "usage_limit", .claimed = true, .workers = true},
     "usage_limit",
     "It waits until its credential"},
    {"it backs off",
     {.state = "retrying", .hold_reason = "overloaded", .claimed = true, .workers = true},
     "overloaded",
     "The model's service was overloaded"},
    {"claimed, not told yet",
     {.state = "queued", .hold_reason = "session_busy", .claimed = true, .workers = true},
     "session_busy",
     "An earlier run of its session"},
    {"a newer program's reason",
     {.state = "held", .hold_reason = "full_moon", .claimed = true, .workers = true},
     "full_moon",
     "It waits."},
    {"refused", {.state = "queued", .refused = "conflict", .workers = true}, "refused", "A worker"},
    {"refused once, and then taken",
     {.state = "queued", .refused = "conflict", .claimed = true, .workers = true},
     "queued",
     "It waits for its turn"},
    {"asked to end while it waits",
     {.state = "held", .hold_reason = "no_slot", .cancel_asked = true},
     "cancelling",
     "It was asked to end"},
    {"starts", {.state = "starting", .workers = true}, "starting", "It gets a sandbox"},
    {"runs", {.state = "running", .workers = true}, "running", "Its agent is at work"},
    {"asked to end while it runs",
     {.state = "running", .cancel_asked = true},
     "cancelling",
     "It was asked to end"},
    {"ended well",
     {.state = "completed", .outcome = "success", .ended = true},
     "success",
     "It ended well"},
    {"failed", {.state = "failed", .outcome = "auth", .ended = true}, "auth", "Its credential was"},
    {"ended, and a batch's cancel came late",
     {.state = "failed", .outcome = "budget", .ended = true, .cancel_asked = true},
     "budget",
     "The agent had spent"},
    {"ended without a class", {.state = "failed", .ended = true}, "failed", "It failed"},
    {"a newer program's outcome",
     {.state = "failed", .outcome = "full_moon", .ended = true},
     "full_moon",
     "It failed"},
    {"a newer program's state",
     {.state = "dreaming", .workers = true},
     "dreaming",
     "It is in a state that we do not know"},
};

static void check(void **state)
{
    const struct row *row = *state;
    struct explanation e;

    explain(&row->of, &e);
    assert_string_equal(e.code, row->code);
    if (strncmp(e.summary, row->summary, strlen(row->summary)) != 0)
        fail_msg("%s", e.summary);
}

int main(void)
{
    const struct CMUnitTest words[] = {
        cmocka_unit_test(each_outcome),
        cmocka_unit_test(each_hold),
        cmocka_unit_test(each_word_once_and_in_order),
    };
    int failed = cmocka_run_group_tests_name("words", words, NULL, NULL);

    return failed + TABLE_RUN("explain", rows, check);
}
