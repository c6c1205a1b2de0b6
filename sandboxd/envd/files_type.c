/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/envd/files_type.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

#define TEXT(kind) "text/" kind "; charset=utf-8"
#define OCTETS     "application/octet-stream"

/* --- types ------------------------------------------------------------------------- */

// clang-format off
static const struct {
    const char *extension, *type;
} types[] = {
    {".avif", "image/avif"},          {".bmp", "image/bmp"},
    {".css", TEXT("css")},            {".csv", TEXT("csv")},
    {".gif", "image/gif"},            {".gz", "application/gzip"},
    {".htm", TEXT("html")},           {".html", TEXT("html")},
    {".ico", "image/x-icon"},         {".jpeg", "image/jpeg"},
    {".jpg", "image/jpeg"},           {".js", TEXT("javascript")},
    {".json", "application/json"},    {".md", TEXT("markdown")},
    {".mjs", TEXT("javascript")},     {".mp3", "audio/mpeg"},
    {".mp4", "video/mp4"},            {".pdf", "application/pdf"},
    {".png", "image/png"},            {".svg", "image/svg+xml"},
    {".tar", "application/x-tar"},    {".txt", TEXT("plain")},
    {".wasm", "application/wasm"},    {".wav", "audio/wav"},
    {".webm", "video/webm"},          {".webp", "image/webp"},
    {".xml", TEXT("xml")},            {".zip", "application/zip"},
};
// clang-format on

const char *file_type_of(const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(slash != NULL ? slash : path, '.');

    for (size_t i = 0; dot != NULL && i < COUNTOF(types); i++)
        if (strcasecmp(dot, types[i].extension) == 0)
            return types[i].type;
    return NULL;
}

const char *file_type_guess(struct str head)
{
    for (size_t i = 0; i < head.n; i++) {
        unsigned char c = (unsigned char)head.p[i];

        if (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r' && c != 0x1b)
            return OCTETS;
    }
    return TEXT("plain");
}

/* --- headers ------------------------------------------------------------------------ */

static bool is_token(const char *s)
{
    for (const char *p = s; *p != '\0'; p++)
        if (*p <= ' ' || *p >= 0x7f || strchr("()<>@,;:\\\"/[]?=", *p) != NULL)
            return false;
    return *s != '\0';
}

static bool is_ascii(const char *s)
{
    for (; *s != '\0'; s++)
        if (*s < ' ' || *s >= 0x7f)
            return false;
    return true;
}

static void put_quoted(struct buf *out, const char *s)
{
    buf_addc(out, '"');
    for (; *s != '\0'; s++) {
        if (*s == '"' || *s == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *s);
    }
    buf_addc(out, '"');
}

void file_disposition(struct buf *out, const char *name)
{
    buf_adds(out, "inline; filename");
    if (is_token(name)) {
        buf_addf(out, "=%s", name);
    } else if (is_ascii(name)) {
        buf_addc(out, '=');
        put_quoted(out, name);
    } else {
        buf_adds(out, "*=utf-8''");
        for (const char *p = name; *p != '\0'; p++) {
            char one[2] = {*p, '\0'};

            if (is_token(one) && strchr("*'%", *p) == NULL)
                buf_addc(out, *p);
            else
                buf_addf(out, "%%%02X", (unsigned)(unsigned char)*p);
        }
    }
}

const char *http_date(time_t at, char out[HTTP_DATE_ROOM])
{
    static const char days[] = "SunMonTueWedThuFriSat",
                      months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm tm = {0};

    (void)gmtime_r(&at, &tm);
    (void)snprintf(out, HTTP_DATE_ROOM, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT",
                   days + 3 * tm.tm_wday, tm.tm_mday, months + 3 * tm.tm_mon,
                   (tm.tm_year + 1900) % 10000, tm.tm_hour, tm.tm_min, tm.tm_sec);
    return out;
}

/* --- encodings ----------------------------------------------------------------------- */

/* "gzip;q=0.5": its name, and its weight in thousandths. */
static struct str weighed(struct str value, int *weight)
{
    struct str name = str_trim(value), param;

    *weight = 1000;
    if (!str_next(&value, ';', &name))
        return name;
    while (str_next(&value, ';', &param)) {
        char number[16];

        param = str_trim(param);
        if (param.n < 3 || param.n > sizeof(number) || strncasecmp(param.p, "q=", 2) != 0)
            continue;
        (void)snprintf(number, sizeof(number), "%.*s", (int)(param.n - 2), param.p + 2);
        double q = strtod(number, NULL);
        *weight = q >= 1 ? 1000 : q > 0 ? (int)(q * 1000) : 0;
    }
    return str_trim(name);
}

static bool is_coding(struct str s, const char *name)
{
    return s.n == strlen(name) && strncasecmp(s.p, name, s.n) == 0;
}

enum encoding encoding_wanted(const char *accept)
{
    enum encoding best = ENCODING_NONE;
    bool refused = false, any = false;
    int best_weight = 0, weight;
    struct str rest = str_of(accept), value;

    while (str_next(&rest, ',', &value)) {
        struct str name = weighed(value, &weight);
        bool none = is_coding(name, "identity"), gzip = is_coding(name, "gzip");

        refused = refused || (none && weight == 0);
        any = any || (is_coding(name, "*") && weight > 0);
        if ((!none && !gzip) || weight <= best_weight)
            continue;
        best = gzip ? ENCODING_GZIP : ENCODING_NONE;
        best_weight = weight;
    }
    if (best_weight > 0 || !refused)
        return best;
    return any ? ENCODING_GZIP : ENCODING_IMPOSSIBLE;
}

enum encoding encoding_used(const char *content)
{
    int weight;
    struct str name = weighed(str_of(content), &weight);

    if (name.n == 0 || is_coding(name, "identity"))
        return ENCODING_NONE;
    return is_coding(name, "gzip") ? ENCODING_GZIP : ENCODING_IMPOSSIBLE;
}
