/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/workspace/tar_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/path.h"
#include "worker/workspace/tar_names.h"
#include "common/banned.h"

enum { BLOCK = 512, SHOWN_BYTES = 120 };

struct header { /* one block, as POSIX has it */
    char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6],
        version[2], uname[32], gname[32], major[8], minor[8], prefix[155], pad[12];
};
_Static_assert(sizeof(struct header) == BLOCK, "a header is a block");

struct tar_check {
    union {
        struct header h;
        unsigned char bytes[BLOCK];
    } block;
    size_t have;  /* of the block */
    int64_t left; /* of a body and its padding, still to be passed over */
    bool gathers; /* …into `extra`, `wanted` bytes of it */
    int64_t wanted;
    char extra_type;
    struct buf extra, path, link; /* of the next member, by an extended header; path.len 0: none */
    int64_t size;                 /* likewise; -1: none */
    bool ended;                   /* a block of zeros came: what follows is not read */
    int64_t strip, members, unpacked, seen;
    struct tar_names names;
};

struct tar_check *tar_check_new(int64_t strip)
{
    struct tar_check *t = calloc(1, sizeof(*t));

    if (!t)
        return NULL;
    t->strip = strip;
    t->size = -1;
    t->extra = BUF_INIT(TAR_EXTRA_MAX);
    t->path = t->link = BUF_INIT(TAR_EXTRA_MAX);
    tar_names_init(&t->names);
    return t;
}

void tar_check_free(struct tar_check *t)
{
    if (!t)
        return;
    tar_names_release(&t->names);
    buf_release(&t->extra);
    buf_release(&t->path);
    buf_release(&t->link);
    free(t);
}

int64_t tar_check_members(const struct tar_check *t)
{
    return t->members;
}

/* Names come from outside: they are shown as far as they are printable. */
static enum err_code refuse(struct err *err, struct str name, const char *why)
{
    char shown[SHOWN_BYTES + 1];
    size_t n = name.n < SHOWN_BYTES ? name.n : SHOWN_BYTES;

    for (size_t i = 0; i < n; i++)
        shown[i] = name.p[i] < ' ' || name.p[i] == 0x7f || name.p[i] == '\'' ? '?' : name.p[i];
    shown[n] = '\0';
    return err_set(err, ERR_INVALID, "archive: member '%s' %s", shown, why);
}

/* --- fields of a header ----------------------------------------------------------- */

static struct str field(const char *p, size_t max)
{
    return (struct str){p, strnlen(p, max)};
}

/* Octal digits between spaces or NULs; or 0x80 and a big-endian number. False: neither. */
static bool number(const char *p, size_t n, int64_t *out)
{
    int64_t v = 0;
    size_t i = 0, digits = 0;

    if ((unsigned char)p[0] == 0x80) {
        for (i = 1; i < n; i++) {
            if (v >> 54)
                return false;
            v = v << 8 | (unsigned char)p[i];
        }
        *out = v;
        return true;
    }
    while (i < n && p[i] == ' ')
        i++;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++, digits++)
        v = v * 8 + (p[i] - '0');
    for (; i < n; i++)
        if (p[i] != ' ' && p[i] != '\0')
            return false;
    *out = v;
    return digits > 0;
}

static bool sum_fits(const struct tar_check *t)
{
    const size_t at = offsetof(struct header, sum);
    int64_t told, sum = 0;

    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= at && i < at + 8 ? ' ' : t->block.bytes[i];
    return number(t->block.h.sum, sizeof(t->block.h.sum), &told) && told == sum;
}

static bool is_zero(const struct tar_check *t)
{
    for (size_t i = 0; i < BLOCK; i++)
        if (t->block.bytes[i])
            return false;
    return true;
}

/* --- extended headers --------------------------------------------------------------- */

static enum err_code keep(struct buf *to, struct str value, struct err *err)
{
    if (to->len > 0)
        return err_set(err, ERR_INVALID, "archive: extended headers name a member twice");
    buf_clear(to);
    buf_addstr(to, value);
    if (value.n == 0 || memchr(value.p, '\0', value.n))
        return err_set(err, ERR_INVALID, "archive: an extended header has an empty name or a NUL");
    return to->rc == ERR_OK ? ERR_OK : err_set(err, to->rc, "archive: an extended header");
}

/* Keys that change nothing of what is checked here are passed over. */
static enum err_code pax_record(struct tar_check *t, struct str key, struct str value,
                                struct err *err)
{
    bool names = str_is(key, "path") || str_is(key, "linkpath") || str_is(key, "size");

    if (str_starts(key, "GNU.sparse"))
        return err_set(err, ERR_INVALID, "archive: sparse files are not taken");
    if (names && t->extra_type == 'g')
        return err_set(err, ERR_INVALID, "archive: a global header names a file");
    if (str_is(key, "path"))
        return keep(&t->path, value, err);
    if (str_is(key, "linkpath"))
        return keep(&t->link, value, err);
    if (str_is(key, "size") && (t->size >= 0 || !str_int(value, TAR_UNPACKED_MAX, &t->size)))
        return err_set(err, ERR_INVALID,
                       "archive: an extended header's size is none, too big, or told twice");
    return ERR_OK;
}

/* "<length of all of it> <key>=<value>\n", one behind the other. */
static enum err_code pax(struct tar_check *t, struct str rest, struct err *err)
{
    while (rest.n > 0) {
        const char *space = memchr(rest.p, ' ', rest.n), *is;
        size_t digits = space ? (size_t)(space - rest.p) : 0;
        int64_t length = 0;

        if (!str_int((struct str){rest.p, digits}, (int64_t)rest.n, &length) ||
            (size_t)length < digits + 3 || rest.p[length - 1] != '\n')
            return err_set(err, ERR_INVALID, "archive: an extended header is damaged");
        is = memchr(space + 1, '=', (size_t)length - digits - 2);
        if (!is)
            return err_set(err, ERR_INVALID, "archive: an extended header is damaged");
        enum err_code rc =
            pax_record(t, (struct str){space + 1, (size_t)(is - space) - 1},
                       (struct str){is + 1, (size_t)(rest.p + length - 1 - (is + 1))}, err);
        if (rc != ERR_OK)
            return rc;
        rest = (struct str){rest.p + length, rest.n - (size_t)length};
    }
    return ERR_OK;
}

static enum err_code gathered(struct tar_check *t, struct err *err)
{
    struct str all = {t->extra.p, (size_t)t->wanted};

    t->gathers = false;
    if (t->extra_type == 'x' || t->extra_type == 'g')
        return pax(t, all, err);
    if (all.n > 0 && all.p[all.n - 1] == '\0')
        all.n--;
    return keep(t->extra_type == 'L' ? &t->path : &t->link, all, err);
}

static enum err_code gather(struct tar_check *t, int64_t size, struct err *err)
{
    if (size <= 0 || size > TAR_EXTRA_MAX - BLOCK)
        return err_set(err, ERR_INVALID, "archive: an extended header of %lld bytes",
                       (long long)size);
    buf_clear(&t->extra);
    t->extra_type = t->block.h.type;
    t->gathers = true;
    t->wanted = size;
    return ERR_OK;
}

/* --- members ------------------------------------------------------------------------ */

struct member {
    char type;
    struct str name;         /* as it is in the archive, for messages */
    struct str path, target; /* without "./" in front and '/' behind */
    int64_t size;
};

static struct str plain(struct str s)
{
    while (str_starts(s, "./")) {
        s = (struct str){s.p + 2, s.n - 2};
        while (s.n > 0 && s.p[0] == '/')
            s = (struct str){s.p + 1, s.n - 1};
    }
    if (s.n > 1 && s.p[s.n - 1] == '/')
        s.n--;
    return s;
}

/* False: nothing is left of it. */
static bool strip(struct str *path, int64_t parts)
{
    struct str part;

    while (parts-- > 0)
        if (!str_next(path, '/', &part))
            return false;
    return path->n > 0;
}

/* Every folder above it is one, or becomes one. */
static enum err_code make_room(struct tar_check *t, const struct member *m, struct str path,
                               struct err *err)
{
    for (size_t i = 0; i < path.n; i++) {
        struct str folder = {path.p, i};
        enum tar_kind kind = path.p[i] == '/' ? tar_names_find(&t->names, folder) : TAR_FOLDER;
        enum err_code rc = ERR_OK;

        if (kind == TAR_FILE || kind == TAR_LINK)
            return refuse(err, m->name, "lies below a file or a link");
        if (kind == TAR_NOTHING)
            rc = tar_names_add(&t->names, folder, TAR_FOLDER);
        if (rc != ERR_OK)
            return err_set(err, rc == ERR_TOO_BIG ? ERR_INVALID : rc, "archive: over %d names",
                           TAR_NAMES_MAX);
    }
    return ERR_OK;
}

static enum err_code enter(struct tar_check *t, const struct member *m, struct str path,
                           struct err *err)
{
    enum tar_kind was = tar_names_find(&t->names, path);
    enum tar_kind kind = m->type == '5' ? TAR_FOLDER : m->type == '2' ? TAR_LINK : TAR_FILE;
    enum err_code rc;

    if (was == TAR_FOLDER && kind == TAR_FOLDER)
        return ERR_OK;
    if (was != TAR_NOTHING)
        return refuse(err, m->name, "comes twice");
    rc = tar_names_add(&t->names, path, kind);
    return rc == ERR_OK ? rc
                        : err_set(err, rc == ERR_TOO_BIG ? ERR_INVALID : rc,
                                  "archive: over %d names", TAR_NAMES_MAX);
}

static enum err_code check_link(struct tar_check *t, const struct member *m, struct str path,
                                struct err *err)
{
    struct str target = plain(m->target);

    if (m->type == '2')
        return path_link_stays(path, m->target)
                   ? ERR_OK
                   : refuse(err, m->name, "is a link that leads, or may lead, out of the archive");
    if (path_fault(target) || !strip(&target, t->strip) ||
        tar_names_find(&t->names, target) != TAR_FILE)
        return refuse(err, m->name, "is a link to what is no file before it in the archive");
    return ERR_OK;
}

static enum err_code check_member(struct tar_check *t, const struct member *m, struct err *err)
{
    const char *fault = path_fault(m->path);
    struct str path = m->path;
    enum err_code rc;

    if (m->type == '5' && (m->path.n == 0 || str_is(m->path, "."))) /* the folder itself */
        return ERR_OK;
    if (fault)
        return refuse(err, m->name, fault);
    if (m->type != '0' && m->size != 0)
        return refuse(err, m->name, "is no file, but has a body");
    if (m->type != '5' && m->name.p[m->name.n - 1] == '/')
        return refuse(err, m->name, "is no folder, but is called like one");
    if (!strip(&path, t->strip))
        return ERR_OK;
    if (++t->members > TAR_MEMBERS_MAX)
        return err_set(err, ERR_INVALID, "archive: over %d members", TAR_MEMBERS_MAX);
    t->unpacked += m->size;
    if (t->unpacked > TAR_UNPACKED_MAX)
        return refuse(err, m->name, "brings what is unpacked over 1 GiB");
    rc = make_room(t, m, path, err);
    if (rc == ERR_OK && (m->type == '1' || m->type == '2'))
        rc = check_link(t, m, path, err);
    return rc == ERR_OK ? enter(t, m, path, err) : rc;
}

/* The name of a header alone; `room` holds it when it has two parts. */
static struct str name_of(const struct header *h, struct buf *room)
{
    struct str name = field(h->name, sizeof(h->name));
    struct str prefix = field(h->prefix, sizeof(h->prefix));

    if (memcmp(h->magic, "ustar", 6) != 0 || prefix.n == 0)
        return name;
    buf_addstr(room, prefix);
    buf_addc(room, '/');
    buf_addstr(room, name);
    return buf_str(room);
}

static enum err_code take_member(struct tar_check *t, int64_t size, struct err *err)
{
    const struct header *h = &t->block.h;
    AUTO_BUF room = BUF_INIT(sizeof(*h));
    struct member m = {.type = h->type == '\0' || h->type == '7' ? '0' : h->type,
                       .size = t->size >= 0 ? t->size : size,
                       .target =
                           t->link.len > 0 ? buf_str(&t->link) : field(h->link, sizeof(h->link))};
    enum err_code rc;

    m.name = t->path.len > 0 ? buf_str(&t->path) : name_of(h, &room);
    if (room.rc != ERR_OK)
        return err_set(err, room.rc, "archive");
    if (m.name.n == 0)
        return err_set(err, ERR_INVALID, "archive: a member without a name");
    m.path = plain(m.name);
    if (!strchr("0125", m.type))
        return refuse(err, m.name, "is no plain file, folder or link");
    if (m.size > TAR_UNPACKED_MAX)
        return refuse(err, m.name, "brings what is unpacked over 1 GiB");
    rc = check_member(t, &m, err);
    t->left = m.size;
    t->size = -1;
    buf_clear(&t->path);
    buf_clear(&t->link);
    return rc;
}

/* --- blocks ------------------------------------------------------------------------- */

static enum err_code take_block(struct tar_check *t, struct err *err)
{
    int64_t size;
    enum err_code rc;

    t->have = 0;
    if (is_zero(t)) {
        t->ended = true;
        return ERR_OK;
    }
    if (!sum_fits(t))
        return err_set(err, ERR_INVALID, "archive: no tar, or a damaged one");
    if (!number(t->block.h.size, sizeof(t->block.h.size), &size))
        return err_set(err, ERR_INVALID, "archive: a member's size is no number");
    if (strchr("xgLK", t->block.h.type) && t->block.h.type) {
        rc = gather(t, size, err);
        t->left = size;
    } else {
        rc = take_member(t, size, err);
    }
    t->left = (t->left + BLOCK - 1) / BLOCK * BLOCK;
    return rc;
}

/* Some of a body. */
static enum err_code pass(struct tar_check *t, struct str *bytes, struct err *err)
{
    size_t n = (uint64_t)t->left < bytes->n ? (size_t)t->left : bytes->n;

    if (t->gathers)
        buf_add(&t->extra, bytes->p, n);
    if (t->extra.rc != ERR_OK)
        return err_set(err, t->extra.rc, "archive: an extended header");
    t->left -= (int64_t)n;
    *bytes = (struct str){bytes->p + n, bytes->n - n};
    return t->left == 0 && t->gathers ? gathered(t, err) : ERR_OK;
}

enum err_code tar_check_feed(struct tar_check *t, struct str bytes, struct err *err)
{
    enum err_code rc = ERR_OK;

    t->seen += (int64_t)bytes.n;
    if (t->seen > TAR_UNPACKED_MAX + TAR_UNPACKED_MAX / 8)
        return err_set(err, ERR_INVALID, "archive: over 1 GiB when unpacked");
    while (rc == ERR_OK && bytes.n > 0 && !t->ended) {
        size_t n = BLOCK - t->have < bytes.n ? BLOCK - t->have : bytes.n;

        if (t->left > 0) {
            rc = pass(t, &bytes, err);
            continue;
        }
        memcpy(t->block.bytes + t->have, bytes.p, n);
        t->have += n;
        bytes = (struct str){bytes.p + n, bytes.n - n};
        if (t->have == BLOCK)
            rc = take_block(t, err);
    }
    return rc;
}

enum err_code tar_check_end(const struct tar_check *t, struct err *err)
{
    if (t->have > 0 || t->left > 0 || t->path.len > 0 || t->link.len > 0)
        return err_set(err, ERR_INVALID, "archive: the tar is cut short");
    if (!t->ended && t->seen == 0)
        return err_set(err, ERR_INVALID, "archive: it is empty");
    return ERR_OK;
}
