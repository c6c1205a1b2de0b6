/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/files_metadata.h"

#include <ctype.h>
#include <string.h>

#include "common/json/json.h"
#include "sandboxd/sandbox/file_entry.h"

#include "common/banned.h"

#define HEADER "X-Metadata-"
enum {
    PREFIX_LEN = sizeof(FILE_METADATA_PREFIX) - 1,
    KEY_MAX = 255 - PREFIX_LEN, /* what the kernel leaves of an attribute's name */
    HEADERS_MAX = 256
};

static bool known(const struct metadata *m, const char *key)
{
    struct str rest = buf_str(&m->pairs), name, value;

    while (rest.n > 0 && str_next(&rest, '\0', &name) && str_next(&rest, '\0', &value))
        if (name.n == strlen(key) && strncasecmp(name.p, key, name.n) == 0)
            return true;
    return false;
}

void metadata_add(struct metadata *m, const char *header, const char *value)
{
    size_t n = sizeof(HEADER) - 1;

    if (strncasecmp(header, HEADER, n) != 0 || header[n] == '\0' || known(m, header + n) ||
        m->strings >= 2 * HEADERS_MAX)
        return;
    for (const char *p = header + n; *p != '\0'; p++)
        buf_addc(&m->pairs, (char)tolower((unsigned char)*p));
    buf_addc(&m->pairs, '\0');
    buf_add(&m->pairs, value, strlen(value) + 1);
    m->strings += 2;
}

static enum err_code check_text(struct str s, const char *what, struct str key, struct err *err)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < 0x20 || s.p[i] > 0x7e)
            return err_set(err, ERR_INVALID,
                           "metadata %s \"%.*s\" contains non-printable-ASCII byte 0x%02x at "
                           "offset %zu",
                           what, key.n < 64 ? (int)key.n : 64, key.p, (unsigned char)s.p[i], i);
    return ERR_OK;
}

enum err_code metadata_check(const struct metadata *m, struct err *err)
{
    struct str rest = buf_str(&m->pairs), name, value;
    size_t total = 0;

    if (m->pairs.rc != ERR_OK)
        return err_set(err, ERR_INVALID, "total metadata size exceeds %d bytes", FILE_METADATA_MAX);
    while (rest.n > 0 && str_next(&rest, '\0', &name) && str_next(&rest, '\0', &value)) {
        if (name.n > KEY_MAX)
            return err_set(err, ERR_INVALID, "metadata key \"%.64s\" exceeds %d bytes", name.p,
                           KEY_MAX);
        if (check_text(name, "key", name, err) != ERR_OK ||
            check_text(value, "value for key", name, err) != ERR_OK)
            return ERR_INVALID;
        total += PREFIX_LEN + name.n + value.n;
    }
    if (total > FILE_METADATA_MAX)
        return err_set(err, ERR_INVALID, "total metadata size %zu exceeds %d bytes", total,
                       FILE_METADATA_MAX);
    return ERR_OK;
}

static enum MHD_Result on_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    (void)kind;
    if (name != NULL)
        metadata_add(ctx, name, value != NULL ? value : "");
    return MHD_YES;
}

void metadata_of(struct request *r, struct metadata *m)
{
    (void)MHD_get_connection_values(r->conn, MHD_HEADER_KIND, on_header, m);
}

void metadata_json(const struct metadata *m, struct buf *out)
{
    struct str rest = buf_str(&m->pairs), name, value;
    const char *comma = "";

    if (m->strings == 0)
        return;
    json_key(out, "metadata");
    buf_addc(out, '{');
    while (rest.n > 0 && str_next(&rest, '\0', &name) && str_next(&rest, '\0', &value)) {
        buf_adds(out, comma);
        json_put_string(out, name);
        buf_addc(out, ':');
        json_put_string(out, value);
        comma = ",";
    }
    buf_addc(out, '}');
}
