/* SPDX-License-Identifier: Apache-2.0 */
/* What an event carries of a line: Claude's own object as it stands, or the text. */
#include <string.h>

#include "common/base64.h"
#include "common/json/json.h"
#include "worker/run/json_walk.h"
#include "worker/run/stream_json.h"

#include "common/banned.h"

/* Room that the other members of the data object may take. */
enum { WRAPPING_BYTES = 256 };
enum { ROOM = EVENT_DATA_MAX_BYTES - WRAPPING_BYTES };

struct line_facts {
    int64_t line, offset, true_bytes;
    size_t masked, sanitized;
    bool truncated;
};

static void put_facts(struct buf *out, const struct line_facts *f)
{
    buf_addc(out, '{');
    json_kv_int(out, "line", f->line);
    json_kv_int(out, "offset", f->offset);
    if (f->truncated) {
        json_kv_bool(out, "truncated", true);
        json_kv_int(out, "bytes", f->true_bytes);
    }
    if (f->masked > 0)
        json_kv_int(out, "masked", (int64_t)f->masked);
    if (f->sanitized > 0)
        json_kv_int(out, "sanitized", (int64_t)f->sanitized);
}

/* The most that one byte of text becomes: \u001b, two-character escapes, U+FFFD. */
static size_t escaped_bytes(unsigned char c, bool utf8)
{
    if (c < 0x20 || c == 0x7f)
        return 6;
    if (c == '"' || c == '\\')
        return 2;
    return c >= 0x80 && !utf8 ? 3 : 1;
}

/* How much of the text fits; text that is not UTF-8 is carried a second time, as base64. */
static size_t fitting(struct str text, bool utf8)
{
    size_t cost = 0, n = 0;

    while (n < text.n) {
        cost += escaped_bytes((unsigned char)text.p[n], utf8) + (utf8 ? 0 : 2);
        if (cost > ROOM)
            break;
        n++;
    }
    if (n < text.n && utf8)
        while (n > 0 && ((unsigned char)text.p[n] & 0xC0) == 0x80)
            n--;
    return n;
}

/* A line that reached us cut may end inside a character: that is no reason for base64. */
static struct str whole_characters(struct str text)
{
    size_t bad_at = 0;

    if (!str_utf8(text, &bad_at) && text.n - bad_at < 4)
        text.n = bad_at;
    return text;
}

static void put_text(struct str text, struct line_facts *f, struct buf *out)
{
    bool utf8;
    size_t n, nul = 0;
    AUTO_BUF quoted = BUF_INIT(ROOM + WRAPPING_BYTES);

    if (f->true_bytes > (int64_t)text.n)
        text = whole_characters(text);
    utf8 = str_utf8(text, NULL);
    n = fitting(text, utf8);
    f->truncated = f->true_bytes > (int64_t)n;
    text.n = n;
    json_put_string(&quoted, text);
    if (text.n > 0 && memchr(text.p, '\0', text.n))
        nul = json_sanitize(quoted.p, quoted.len);
    f->sanitized += nul;
    put_facts(out, f);
    json_kv_raw(out, "text", buf_str(&quoted));
    if (!utf8) {
        json_key(out, "base64");
        buf_addc(out, '"');
        base64_add(out, text);
        buf_addc(out, '"');
    }
    if (quoted.rc != ERR_OK)
        out->rc = quoted.rc;
}

static enum err_code put_native(struct str line, struct line_facts *f, struct buf *out,
                                struct err *err)
{
    AUTO_BUF cut = BUF_INIT(ROOM);

    if (line.n > ROOM) {
        f->truncated = true;
        if (json_shorten(line, ROOM, &cut, err) != ERR_OK)
            return err_wrap(err, "shorten line %lld", (long long)f->line);
        line = buf_str(&cut);
    }
    put_facts(out, f);
    json_kv_raw(out, "native", line);
    return ERR_OK;
}

enum err_code stream_json_data(char *line, size_t n, const struct stream_line *kind,
                               int64_t line_no, int64_t offset, int64_t true_bytes, size_t masked,
                               struct buf *out, struct err *err)
{
    struct line_facts f = {
        .line = line_no, .offset = offset, .true_bytes = true_bytes, .masked = masked};
    struct str text = {line, n};
    enum err_code rc = ERR_TOO_BIG;

    if (kind->is_json && kind->unsafe > 0)
        f.sanitized = json_sanitize(line, n);
    if (kind->is_json)
        rc = put_native(text, &f, out, err);
    if (rc == ERR_TOO_BIG) /* no object, or one that no cut of its strings makes small enough */
        put_text(text, &f, out);
    else if (rc != ERR_OK)
        return rc;
    buf_addc(out, '}');
    if (out->rc != ERR_OK)
        return err_set(err, out->rc, "event data of line %lld", (long long)line_no);
    return ERR_OK;
}

/* --- for people ------------------------------------------------------------ */
/* A decoded string and a newline. What does not decode was no string: nothing to read. */
static void render_string(struct str quoted, struct buf *out)
{
    struct err e;

    if (json_unquote(quoted, out, &e) == ERR_OK)
        buf_addc(out, '\n');
}

/* A sub-agent's lines stand among the others: they are quoted, so that nobody takes its report for
 * the answer. */
static void render_block(struct str block, bool nested, struct buf *out)
{
    struct str type = json_walk_get(block, "type");

    if (nested && (str_is(type, "\"text\"") || str_is(type, "\"tool_use\"")))
        buf_adds(out, "> ");
    if (str_is(type, "\"text\"")) {
        render_string(json_walk_get(block, "text"), out);
    } else if (str_is(type, "\"tool_use\"")) {
        buf_addc(out, '[');
        buf_addstr(out, json_to_word(json_walk_get(block, "name"), 128));
        buf_adds(out, "]\n");
    }
}

static void render_errors(struct str line, struct buf *out)
{
    struct json_walk errors = json_walk(json_walk_get(line, "errors"));
    struct str e;

    while (json_walk_element(&errors, &e))
        render_string(e, out);
}

void stream_json_render(struct str line, const struct stream_line *kind, struct buf *out)
{
    struct json_walk blocks;
    struct str block;

    if (!kind->is_json) {
        buf_addstr(out, line);
        buf_addc(out, '\n');
        return;
    }
    line = str_trim(line);
    if (kind->type == EVENT_AGENT_RESULT)
        render_errors(line, out);
    if (!str_is(json_walk_get(line, "type"), "\"assistant\""))
        return;
    blocks = json_walk(json_walk_get(json_walk_get(line, "message"), "content"));
    while (json_walk_element(&blocks, &block))
        render_block(block, kind->nested, out);
}
