/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <sodium.h>

#include "common/banned.h"

/* What was seen of a custom_id; a full table doubles. 24 bytes an id. */
struct seen {
    uint64_t id[2]; /* zero: free */
    uint64_t content;
};

struct batch_file {
    FILE *in;
    char *path; /* for messages */
    struct buf line;
    int64_t line_no;
    struct seen *table;
    size_t room, used; /* room is a power of two */
};

enum first_sight { SEEN_NEW, SEEN_SAME, SEEN_OTHER };

/* --- custom_ids ---------------------------------------------------------- */

static struct seen *slot_of(struct seen *table, size_t room, const uint64_t id[2])
{
    size_t i = (size_t)id[0] & (room - 1);

    while ((table[i].id[0] | table[i].id[1]) != 0 &&
           (table[i].id[0] != id[0] || table[i].id[1] != id[1]))
        i = (i + 1) & (room - 1);
    return &table[i];
}

static enum err_code grow(struct batch_file *f, struct err *err)
{
    size_t room = f->room ? 2 * f->room : 1024;
    struct seen *table = calloc(room, sizeof(*table));

    if (!table)
        return err_set(err, ERR_NOMEM, "cannot remember %zu custom_ids", f->used);
    for (size_t i = 0; i < f->room; i++)
        if (f->table[i].id[0] | f->table[i].id[1])
            *slot_of(table, room, f->table[i].id) = f->table[i];
    free(f->table);
    f->table = table;
    f->room = room;
    return ERR_OK;
}

static enum err_code look_up(struct batch_file *f, const struct run_request *r,
                             enum first_sight *out, struct err *err)
{
    uint8_t hash[32];
    uint64_t id[2], content;

    *out = SEEN_NEW;
    if (!r->custom_id)
        return ERR_OK;
    if (2 * (f->used + 1) > f->room && grow(f, err) != ERR_OK)
        return err->code;
    crypto_generichash((uint8_t *)id, sizeof(id), (const uint8_t *)r->custom_id,
                       strlen(r->custom_id), NULL, 0);
    run_request_hash(r, hash);
    memcpy(&content, hash, sizeof(content));
    struct seen *s = slot_of(f->table, f->room, id);
    if (s->id[0] | s->id[1]) {
        *out = s->content == content ? SEEN_SAME : SEEN_OTHER;
        return ERR_OK;
    }
    *s = (struct seen){.id = {id[0], id[1]}, .content = content};
    f->used++;
    return ERR_OK;
}

/* --- the file ------------------------------------------------------------ */

static enum err_code spool_stdin(FILE **out, struct err *err)
{
    char chunk[65536];
    size_t n;

    *out = tmpfile();
    if (!*out)
        return err_errno(err, errno, "cannot make a temporary file for standard input");
    while ((n = fread(chunk, 1, sizeof(chunk), stdin)) > 0)
        if (fwrite(chunk, 1, n, *out) != n)
            return err_errno(err, errno, "cannot spool standard input");
    if (ferror(stdin))
        return err_errno(err, errno, "cannot read standard input");
    rewind(*out);
    return ERR_OK;
}

static enum err_code open_path(const char *path, FILE **out, struct err *err)
{
    struct stat st;

    if (strcmp(path, "-") == 0)
        return spool_stdin(out, err);
    *out = fopen(path, "re");
    if (!*out)
        return err_set(err, ERR_NOT_FOUND, "cannot open '%s': %s", path, strerror(errno));
    if (fstat(fileno(*out), &st) == 0 && S_ISDIR(st.st_mode))
        return err_set(err, ERR_NOT_FOUND, "cannot read '%s': it is a directory", path);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_NOT_FOUND,
                       "cannot read '%s' twice: it is no regular file; pipe it in and say --file -",
                       path);
    return ERR_OK;
}

enum err_code batch_file_open(const char *path, struct batch_file **out, struct err *err)
{
    struct batch_file *f = calloc(1, sizeof(*f));

    if (!f)
        return err_set(err, ERR_NOMEM, "cannot open '%s'", path);
    f->line = BUF_INIT(RUN_REQUEST_MAX_BYTES);
    f->path = strdup(strcmp(path, "-") == 0 ? "standard input" : path);
    if (!f->path || open_path(path, &f->in, err) != ERR_OK) {
        enum err_code rc = f->path ? err->code : err_set(err, ERR_NOMEM, "cannot open '%s'", path);
        batch_file_close(f);
        return rc;
    }
    *out = f;
    return ERR_OK;
}

void batch_file_close(struct batch_file *f)
{
    if (!f)
        return;
    if (f->in)
        fclose(f->in);
    buf_release(&f->line);
    free(f->table);
    free(f->path);
    free(f);
}

/* The next line without its newline into f->line; *too_long when it did not fit. */
static bool read_line(struct batch_file *f, bool *too_long)
{
    int c;
    bool any = false;

    buf_clear(&f->line);
    while ((c = getc_unlocked(f->in)) != EOF) {
        any = true;
        if (c == '\n')
            break;
        buf_addc(&f->line, (char)c);
    }
    *too_long = f->line.rc != ERR_OK;
    f->line_no += any;
    return any;
}

static struct str line_text(const struct batch_file *f)
{
    struct str s = buf_str(&f->line);

    if (f->line_no == 1 && str_starts(s, "\xef\xbb\xbf"))
        s = (struct str){s.p + 3, s.n - 3};
    return str_trim(s);
}

/* One line that is not blank: a request, or why it is none. */
static enum err_code judge_line(struct batch_file *f, const struct request_defaults *d,
                                bool too_long, struct run_request *out, enum first_sight *sight,
                                struct err *err)
{
    if (too_long)
        return err_set(err, ERR_TOO_BIG, "it is over %d bytes", RUN_REQUEST_MAX_BYTES);
    if (request_from_line(d, line_text(f), out, err) != ERR_OK)
        return err->code;
    if (look_up(f, out, sight, err) != ERR_OK)
        return err->code;
    if (*sight == SEEN_OTHER) {
        err_set(err, ERR_CONFLICT, "custom_id '%s' was used above for something else",
                out->custom_id);
        run_request_release(out);
        return err->code;
    }
    return ERR_OK;
}

static enum err_code end_of_file(const struct batch_file *f, struct err *err)
{
    if (ferror(f->in))
        return err_errno(err, errno, "cannot read '%s'", f->path);
    return ERR_OK;
}

static void start_over(struct batch_file *f)
{
    rewind(f->in);
    f->line_no = 0;
    f->used = 0;
    if (f->table)
        memset(f->table, 0, f->room * sizeof(*f->table));
}

enum err_code batch_file_check(struct batch_file *f, const struct request_defaults *d,
                               batch_bad_fn bad, void *ctx, struct batch_counts *out,
                               struct err *err)
{
    bool too_long;

    *out = (struct batch_counts){0};
    while (read_line(f, &too_long)) {
        struct run_request r = RUN_REQUEST_INIT;
        enum first_sight sight = SEEN_NEW;
        struct err why = ERR_INIT;

        if (!too_long && line_text(f).n == 0)
            continue;
        if (judge_line(f, d, too_long, &r, &sight, &why) != ERR_OK) {
            if (err_action(why.code) == ERR_DO_STOP) {
                *err = why;
                return why.code;
            }
            out->bad++;
            bad(ctx, f->line_no, &why);
            continue;
        }
        out->good += sight == SEEN_NEW;
        out->duplicates += sight == SEEN_SAME;
        run_request_release(&r);
    }
    out->lines = f->line_no;
    if (end_of_file(f, err) != ERR_OK)
        return err->code;
    start_over(f);
    return ERR_OK;
}

enum err_code batch_file_next(struct batch_file *f, const struct request_defaults *d,
                              struct run_request *out, int64_t *line, struct err *err)
{
    bool too_long;

    while (read_line(f, &too_long)) {
        enum first_sight sight = SEEN_NEW;
        struct err why = ERR_INIT;

        *out = RUN_REQUEST_INIT;
        if (!too_long && line_text(f).n == 0)
            continue;
        if (judge_line(f, d, too_long, out, &sight, &why) != ERR_OK) {
            if (err_action(why.code) != ERR_DO_STOP)
                continue;
            *err = why;
            return why.code;
        }
        if (sight == SEEN_NEW) {
            *line = f->line_no;
            return ERR_OK;
        }
        run_request_release(out);
    }
    *out = RUN_REQUEST_INIT;
    return end_of_file(f, err);
}
