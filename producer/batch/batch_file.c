/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/batch_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/hash64.h"
#include "producer/batch/ahead.h"
#include "producer/batch/rows.h"
#include "producer/batch/seen.h"
#include "common/banned.h"

enum { GOING_EVERY = 1 << 14, AHEAD_LINES = 2048 };

/* What submitting has to know of each row: 4 bytes. Most rows are plain objects with a custom_id:
 * of those it is where that stands, so that they need not be looked at again. */
enum { PLACE_LOOK, PLACE_SKIP, PLACE_LENGTH_BITS = 8 };

struct places {
    uint32_t *at;
    size_t n, room;
};

/* What is known of the lines to come. */
struct glances {
    struct ahead *ahead;
    struct glance of[AHEAD_LINES];
    struct str lines[AHEAD_LINES];
    size_t at, n;
};

struct batch_file {
    struct rows *rows;
    struct maker *maker;
    struct seen *seen; /* while it is checked, and later where nameless rows repeat each other */
    struct places places;
    struct glances *glances; /* while it is checked */
    size_t row;              /* how many were given, bad ones too */
    uint64_t digest;         /* of the good rows so far */
    bool named;              /* the batch's name was given */
    struct batch_counts counts;
    struct row current;
    char name[AUTO_NAME_BYTES];
};

/* --- places -------------------------------------------------------------- */

static enum err_code keep_place(struct places *p, size_t row, uint32_t place, struct err *err)
{
    if (row >= p->room) {
        size_t room = row + row / 4 + 4096;
        uint32_t *at = realloc(p->at, room * sizeof(*at));

        if (!at)
            return err_set(err, ERR_NOMEM, "cannot remember so many lines");
        p->at = at;
        p->room = room;
    }
    p->at[row] = place;
    p->n = row + 1;
    return ERR_OK;
}

static uint32_t place_at(size_t at, size_t n)
{
    return at >= 1 << (32 - PLACE_LENGTH_BITS) ? PLACE_LOOK
                                               : (uint32_t)(at << PLACE_LENGTH_BITS | n);
}

static uint32_t place_of(const struct maker *m, const struct row *row)
{
    const struct look *l = &row->look;

    if (!row->as_is || !maker_knows(m, l))
        return PLACE_LOOK;
    return place_at((size_t)(l->custom_id.p - l->object.p), l->custom_id.n);
}

/* The custom_id at that place; n 0: the object is not the one that was looked at. */
static struct str named_by(struct str object, uint32_t place)
{
    size_t at = place >> PLACE_LENGTH_BITS, n = place & ((1 << PLACE_LENGTH_BITS) - 1);

    if (at + n + 1 >= object.n || object.p[0] != '{' || object.p[object.n - 1] != '}' ||
        object.p[at - 1] != '"' || object.p[at + n] != '"')
        return (struct str){0};
    return (struct str){object.p + at, n};
}

/* --- opening ------------------------------------------------------------- */

/* "file-<16 hex>", as long before its time as then. */
static enum err_code derive_name(struct batch_file *f, uint64_t digest, struct err *err)
{
    char name[32];

    (void)snprintf(name, sizeof name, "file-%016llx", (unsigned long long)digest);
    return maker_set_batch(f->maker, name, err);
}

static enum err_code prepare(struct batch_file *f, const struct batch_opts *opts, struct err *err)
{
    if (maker_new(opts->flags, &f->maker, err) != ERR_OK)
        return err->code;
    f->named = opts->batch != NULL;
    if ((f->named ? maker_set_batch(f->maker, opts->batch, err) : derive_name(f, 0, err)) != ERR_OK)
        return err->code;
    if (rows_open(opts, &f->rows, err) != ERR_OK)
        return err->code;
    return ERR_OK;
}

enum err_code batch_file_open(const struct batch_opts *opts, struct batch_file **out,
                              struct err *err)
{
    struct batch_file *f = calloc(1, sizeof(*f));

    if (!f)
        return err_set(err, ERR_NOMEM, "cannot open '%s'", opts->path);
    if (prepare(f, opts, err) != ERR_OK) {
        batch_file_close(f);
        return err->code;
    }
    *out = f;
    return ERR_OK;
}

static void free_glances(struct batch_file *f)
{
    if (f->glances)
        ahead_free(f->glances->ahead);
    free(f->glances);
    f->glances = NULL;
}

void batch_file_close(struct batch_file *f)
{
    if (!f)
        return;
    free_glances(f);
    seen_free(f->seen);
    maker_free(f->maker);
    rows_close(f->rows);
    free(f->places.at);
    free(f);
}

const char *batch_file_name(const struct batch_file *f)
{
    return maker_batch(f->maker);
}

const char *batch_file_path(const struct batch_file *f)
{
    return rows_path(f->rows);
}

/* --- problems ------------------------------------------------------------ */

/* The field that a message of the parser's begins with: "invalid_field: 'tags' entry 3 …". */
static void point(const struct row *row, struct batch_problem *p)
{
    struct str rest = str_of(p->why.msg), reason, name;
    const char *where;

    if (p->pointer[0] || !str_next(&rest, ':', &reason) || !str_starts(rest, " '"))
        return;
    rest = (struct str){rest.p + 2, rest.n - 2};
    if (!str_next(&rest, '\'', &name))
        return;
    where = row->of_params ? message_params_pointer(name) : NULL;
    if (where)
        (void)snprintf(p->pointer, sizeof p->pointer, "%s", where);
    else
        (void)snprintf(p->pointer, sizeof p->pointer, "/" STR_FMT, STR_ARG(name));
}

/* --- names --------------------------------------------------------------- */

static enum err_code name_row(struct batch_file *f, struct str *name, uint64_t *times,
                              struct err *err)
{
    const struct row *row = &f->current;

    *times = 1;
    *name = row->look.custom_id;
    if (name->n)
        return ERR_OK;
    if (f->seen && seen_times(f->seen, hash64(row->text.p, row->text.n, 0), times, err) != ERR_OK)
        return err->code;
    auto_name(row->text, *times, f->name);
    *name = str_of(f->name);
    return ERR_OK;
}

static void used_before(struct batch_problem *p, const char *what, struct str name)
{
    err_set(&p->why, ERR_CONFLICT, "%s '" STR_FMT "' was used above for something else", what,
            STR_ARG(name));
    (void)snprintf(p->pointer, sizeof p->pointer, "/%s", what);
}

/* Whether a name that the user gave was there before. */
static enum err_code look_up(struct batch_file *f, enum sight *sight, struct batch_problem *p,
                             struct err *err)
{
    const struct look *l = &f->current.look;
    enum sight by_key = SEEN_NEW;

    *sight = SEEN_NEW;
    if (l->custom_id.n && seen_name(f->seen, seen_key(l->custom_id), l->work, sight, err) != ERR_OK)
        return err->code;
    if (l->key.n) {
        char key[RUN_KEY_MAX_BYTES + 2]; /* keys are names of their own */
        int n = snprintf(key, sizeof key, "\n" STR_FMT, STR_ARG(l->key));

        if (seen_name(f->seen, seen_key((struct str){key, (size_t)n}), l->work, &by_key, err) !=
            ERR_OK)
            return err->code;
    }
    if (*sight == SEEN_OTHER)
        used_before(p, "custom_id", l->custom_id);
    else if (by_key == SEEN_OTHER)
        used_before(p, "idempotency_key", l->key);
    *sight = by_key > *sight ? by_key : *sight;
    return ERR_OK;
}

/* --- checking ------------------------------------------------------------ */

/* Counts a row by what became of its name. True: it is to be submitted. */
static bool count(struct batch_file *f, enum sight sight, uint64_t work)
{
    f->counts.duplicates += sight == SEEN_SAME;
    if (sight != SEEN_NEW)
        return false;
    f->digest = hash64_mix(f->digest ^ work, 0xa0761d6478bd642f);
    f->counts.good++;
    return true;
}

/* A row that can be read: is it to be submitted, and how is it found again? */
static enum err_code check_row(struct batch_file *f, uint32_t *place, struct batch_problem *p,
                               struct err *err)
{
    const struct look *l = &f->current.look;
    enum sight sight;
    struct str name;
    uint64_t times;

    if (maker_judge(f->maker, &f->current.look, &p->why) != ERR_OK) {
        point(&f->current, p);
        return ERR_OK;
    }
    if (look_up(f, &sight, p, err) != ERR_OK)
        return err->code;
    if (!count(f, sight, l->work))
        return ERR_OK;
    if (name_row(f, &name, &times, err) != ERR_OK)
        return err->code;
    *place = place_of(f->maker, &f->current);
    f->counts.unnamed += l->custom_id.n == 0;
    f->counts.repeated += times > 1;
    f->counts.max_tokens += f->current.max_tokens;
    return ERR_OK;
}

/* The same for a line that was glanced at. */
static enum err_code check_known(struct batch_file *f, const struct glance *g, uint32_t *place,
                                 struct batch_problem *p, struct err *err)
{
    enum sight sight;

    if (seen_name(f->seen, g->name, g->work, &sight, err) != ERR_OK)
        return err->code;
    if (sight == SEEN_OTHER)
        used_before(p, "custom_id", (struct str){g->at + g->name_at, g->name_n});
    if (count(f, sight, g->work))
        *place = place_at(g->name_at, g->name_n);
    return ERR_OK;
}

/* The glance at the row that was fetched; NULL: there was none, or it told nothing. */
static const struct glance *glance(struct batch_file *f)
{
    struct glances *g = f->glances;

    while (g->at < g->n && g->of[g->at].at != rows_text(f->rows).p)
        g->at++; /* blank lines */
    if (g->at == g->n) {
        g->at = 0;
        g->n = rows_lines_ahead(f->rows, g->lines, AHEAD_LINES);
        ahead_look(g->ahead, g->lines, g->n, g->of);
        return NULL;
    }
    return g->of[g->at++].known ? &g->of[g->at - 1] : NULL;
}

static enum err_code check_fetched(struct batch_file *f, uint32_t *place, struct batch_problem *p,
                                   struct err *err)
{
    const struct glance *g = glance(f);

    if (g)
        return check_known(f, g, place, p, err);
    return rows_read(f->rows, &f->current, p) ? check_row(f, place, p, err) : ERR_OK;
}

static enum err_code check_rows(struct batch_file *f, const struct batch_check_events *ev,
                                void *ctx, struct err *err)
{
    struct batch_problem p;
    enum row_step step;

    for (f->row = 0;; f->row++) {
        uint32_t place = PLACE_SKIP;

        if (rows_fetch(f->rows, &step, &p, err) != ERR_OK)
            return err->code;
        if (step == ROW_END)
            return ERR_OK;
        if (step == ROW_GIVEN && check_fetched(f, &place, &p, err) != ERR_OK)
            return err->code;
        if (p.why.code != ERR_OK) {
            if (err_action(p.why.code) == ERR_DO_STOP) {
                *err = p.why;
                return err->code;
            }
            f->counts.bad++;
            ev->bad(ctx, &p);
        }
        if (keep_place(&f->places, f->row, place, err) != ERR_OK)
            return err->code;
        f->counts.lines = rows_lines(f->rows);
        if (ev->going && f->row % GOING_EVERY == GOING_EVERY - 1)
            ev->going(ctx, &f->counts);
    }
}

static enum err_code new_glances(struct batch_file *f, struct err *err)
{
    free_glances(f);
    f->glances = calloc(1, sizeof(*f->glances));
    if (f->glances)
        f->glances->ahead = ahead_new(f->maker);
    return f->glances && f->glances->ahead
               ? ERR_OK
               : err_set(err, ERR_NOMEM, "cannot check '%s'", rows_path(f->rows));
}

static enum err_code start_over(struct batch_file *f, struct err *err)
{
    f->row = 0;
    seen_free(f->seen);
    f->seen = NULL;
    return rows_rewind(f->rows, err);
}

enum err_code batch_file_check(struct batch_file *f, const struct batch_check_events *ev, void *ctx,
                               struct batch_counts *out, struct err *err)
{
    enum err_code rc = start_over(f, err);

    f->counts = (struct batch_counts){0};
    f->places.n = 0;
    f->digest = hash64_mix(maker_flags_hash(f->maker), rows_template_hash(f->rows) | 1);
    f->seen = seen_new();
    if (!f->seen)
        return err_set(err, ERR_NOMEM, "cannot check '%s'", rows_path(f->rows));
    if (rc == ERR_OK)
        rc = new_glances(f, err);
    if (rc == ERR_OK)
        rc = check_rows(f, ev, ctx, err);
    free_glances(f);
    f->counts.lines = rows_lines(f->rows);
    *out = f->counts;
    if (rc == ERR_OK && !f->named)
        rc = derive_name(f, f->digest, err);
    if (rc == ERR_OK)
        rc = start_over(f, err);
    /* Only rows that repeat each other need the table again. */
    if (rc == ERR_OK && f->counts.repeated > 0 && !(f->seen = seen_new()))
        rc = err_set(err, ERR_NOMEM, "cannot submit '%s'", rows_path(f->rows));
    return rc;
}

/* --- submitting ---------------------------------------------------------- */

static enum err_code changed(const struct batch_file *f, struct err *err)
{
    return err_set(err, ERR_CONFLICT,
                   "'%s' changed while it was submitted; put it right and submit it again with "
                   "--batch %s: what was submitted is not doubled",
                   rows_path(f->rows), maker_batch(f->maker));
}

static enum err_code look_again(struct batch_file *f, struct buf *value, struct made *out,
                                struct err *err)
{
    struct batch_problem p = {.why = ERR_INIT};
    struct str name;
    uint64_t times;

    if (!rows_read(f->rows, &f->current, &p) ||
        maker_judge(f->maker, &f->current.look, &p.why) != ERR_OK)
        return changed(f, err);
    if (name_row(f, &name, &times, err) != ERR_OK)
        return err->code;
    return maker_make(f->maker, &f->current.look, name, value, out, err);
}

enum err_code batch_file_next(struct batch_file *f, struct buf *value, struct made *out,
                              int64_t *line, struct err *err)
{
    struct batch_problem p;
    enum row_step step;
    uint32_t place;

    *line = 0;
    do {
        if (rows_fetch(f->rows, &step, &p, err) != ERR_OK)
            return err->code;
        if (step == ROW_END)
            return rows_are_same(f->rows) ? ERR_OK : changed(f, err);
        if (f->row >= f->places.n) /* more rows than there were */
            return changed(f, err);
        place = f->places.at[f->row++];
    } while (place == PLACE_SKIP);
    *line = rows_line(f->rows);
    if (place == PLACE_LOOK)
        return step == ROW_GIVEN ? look_again(f, value, out, err) : changed(f, err);
    struct str object = rows_text(f->rows), name = named_by(object, place);
    if (name.n == 0)
        return changed(f, err);
    return maker_make_known(f->maker, object, name, value, out, err);
}
