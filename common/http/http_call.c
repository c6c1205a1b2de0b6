/* SPDX-License-Identifier: Apache-2.0 */
/* One request as curl must hear it, its bytes on the way in, and the meaning of its end. */
#include "common/http/http_internal.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/banned.h"

/* --- before: is it a request at all? --- */

static bool is_method(const char *s)
{
    size_t n = s ? strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") : 0;
    return n > 0 && n <= 16 && s[n] == '\0';
}

/* curl sends a header as it is: a line break in it would be a header of somebody else's. */
static bool is_header(const char *s)
{
    const char *colon = strchr(s, ':');
    if (!colon || colon == s)
        return false;
    for (; *s; s++) {
        if ((unsigned char)*s < ' ' && *s != '\t')
            return false;
    }
    return true;
}

static void url_done(CURLU **u)
{
    curl_url_cleanup(*u);
}

static void curl_text_done(char **s)
{
    curl_free(*s);
}

/* "POST http://host/path": neither the query nor a password belongs in a message. */
static enum err_code name_call(const char *method, CURLU *u, char **out, struct err *err)
{
    AUTO(curl_text_done) char *url = NULL;
    static const CURLUPart hidden[] = {CURLUPART_QUERY, CURLUPART_FRAGMENT, CURLUPART_USER,
                                       CURLUPART_PASSWORD};
    for (size_t i = 0; i < COUNTOF(hidden); i++)
        curl_url_set(u, hidden[i], NULL, 0);
    if (curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK ||
        asprintf(out, "%s %s", method, url) < 0)
        return err_set(err, ERR_NOMEM, "name an HTTP request");
    return ERR_OK;
}

enum err_code http_call_check(const struct http_call *call, char **name, struct err *err)
{
    AUTO(url_done) CURLU *u = curl_url();
    AUTO(curl_text_done) char *scheme = NULL;
    if (!u)
        return err_set(err, ERR_NOMEM, "parse a URL");
    if (!is_method(call->method))
        return err_set(err, ERR_INVALID, "not an HTTP method");
    CURLUcode rc = curl_url_set(u, CURLUPART_URL, call->url, 0);
    if (rc != CURLUE_OK)
        return err_set(err, ERR_INVALID, "not a URL: %s", curl_url_strerror(rc));
    curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
    if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        return err_set(err, ERR_INVALID, "the URL must begin with http:// or https://");
    for (size_t i = 0; i < call->n_headers; i++) {
        if (!is_header(call->headers[i]))
            return err_set(err, ERR_INVALID, "header %zu is not 'Name: value' on one line", i + 1);
    }
    return name_call(call->method, u, name, err);
}

/* --- on the way --- */

static size_t on_header(char *p, size_t size, size_t n, void *ctx)
{
    struct http_req *r = ctx;
    (void)p;
    if (r->state == REQ_DROPPED)
        return 0;
    r->last_byte_ms = loop_now_ms(r->h->loop);
    r->header_bytes += size * n;
    if (r->header_bytes > HTTP_MAX_HEADERS) {
        r->failure = ERR_TOO_BIG;
        return 0;
    }
    return size * n;
}

static int status_of(const struct http_req *r)
{
    long status = 0;
    curl_easy_getinfo(r->easy, CURLINFO_RESPONSE_CODE, &status);
    return (int)status;
}

int http_status(const struct http_req *r)
{
    return r->status;
}

static size_t on_body(char *p, size_t size, size_t n, void *ctx)
{
    struct http_req *r = ctx;
    n *= size;
    if (r->state == REQ_DROPPED)
        return 0;
    if (r->held)
        return CURL_WRITEFUNC_PAUSE; /* the same bytes come again */
    r->last_byte_ms = loop_now_ms(r->h->loop);
    if (r->status == 0)
        r->status = status_of(r);
    if (r->drains)
        http_socket_count(r, n);
    if (r->ev.data && r->status / 100 == 2) {
        r->ev.data(r->ctx, (struct str){p, n});
        return r->state == REQ_DROPPED ? 0 : n;
    }
    buf_add(&r->body, p, n);
    r->failure = r->body.rc;
    return r->body.rc == ERR_OK ? n : 0;
}

/* --- what curl is told --- */

static bool add_header(struct http_req *r, const char *line)
{
    struct curl_slist *more = curl_slist_append(r->headers, line);
    if (more)
        r->headers = more;
    return more;
}

static bool set_headers(struct http_req *r, const struct http_call *call)
{
    /* curl would wait a second for "100 Continue", and would call any body a form. But it signs
     * what is left out like this, too (7.88), which nobody accepts. */
    bool ok = call->aws_sigv4 || add_header(r, "Expect:"), typed = call->aws_sigv4;
    for (size_t i = 0; i < call->n_headers; i++) {
        ok = ok && add_header(r, call->headers[i]);
        typed = typed || strncasecmp(call->headers[i], "content-type:", 13) == 0;
    }
    if (!typed)
        ok = ok && add_header(r, "Content-Type:");
    curl_easy_setopt(r->easy, CURLOPT_HTTPHEADER, r->headers);
    return ok;
}

static CURLcode set_method(CURL *c, const struct http_call *call)
{
    bool has_body = call->body.p || strcmp(call->method, "POST") == 0 ||
                    strcmp(call->method, "PUT") == 0 || strcmp(call->method, "PATCH") == 0;
    if (strcmp(call->method, "HEAD") == 0)
        return curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, call->method);
    if (!has_body || call->pulls)
        return CURLE_OK;
    curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.n);
    return curl_easy_setopt(c, CURLOPT_COPYPOSTFIELDS, call->body.p ? call->body.p : "");
}

static long version_of(const struct http *h, const struct http_call *call)
{
    switch (h->version) {
    case HTTP_VERSION_AUTO:
        return call->stream || call->bulk || call->pulls ? CURL_HTTP_VERSION_1_1
                                                         : CURL_HTTP_VERSION_2TLS;
    case HTTP_VERSION_1_1:
        return CURL_HTTP_VERSION_1_1;
    case HTTP_VERSION_2:
        return CURL_HTTP_VERSION_2TLS;
    }
    abort();
}

enum err_code http_call_setup(struct http_req *r, const struct http_call *call, struct err *err)
{
    CURL *c = r->easy;
    curl_easy_setopt(c, CURLOPT_PRIVATE, r);
    curl_easy_setopt(c, CURLOPT_ERRORBUFFER, r->detail);
    curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L); /* a key must not travel elsewhere */
    curl_easy_setopt(c, CURLOPT_HTTP_VERSION, version_of(r->h, call));
    if (r->h->ca_file)
        curl_easy_setopt(c, CURLOPT_CAINFO, r->h->ca_file);
    if (call->gzip)
        curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "gzip");
    if (r->h->proxy)
        curl_easy_setopt(c, CURLOPT_PROXY, r->h->proxy);
    /* curl sends any request again, a POST too, that got no byte of an answer from a connection
     * it had kept: only a new one tells us. */
    curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, call->once || call->pulls ? 1L : 0L);
    curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L);
    curl_easy_setopt(c, CURLOPT_USERAGENT, "sandfleet/" SF_VERSION);
    curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS,
                     (long)(call->connect_ms > 0 ? call->connect_ms : HTTP_CONNECT_MS));
    curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)call->total_ms);
    curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(c, CURLOPT_HEADERDATA, r);
    curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(c, CURLOPT_WRITEDATA, r);
    if (curl_easy_setopt(c, CURLOPT_URL, call->url) != CURLE_OK ||
        set_method(c, call) != CURLE_OK || !set_headers(r, call) || !http_flow_setup(r, call))
        return err_set(err, ERR_NOMEM, "start an HTTP request");
    return ERR_OK;
}

/* --- after --- */

/* The SIZE of "bytes 0-9/SIZE"; -1 when unknown or no number. */
static int64_t range_size(const char *value)
{
    const char *slash = strchr(value, '/');
    if (!slash || !isdigit((unsigned char)slash[1]))
        return -1;
    char *end;
    long long n = strtoll(slash + 1, &end, 10);
    return *end == '\0' && n < INT64_MAX ? (int64_t)n : -1;
}

/* Of the answer that stands: a "100 Continue" or a proxy's own is passed over. */
static const char *header_of(const struct http_req *r, const char *name)
{
    struct curl_header *h = NULL;
    if (curl_easy_header(r->easy, name, 0, CURLH_HEADER, -1, &h) != CURLHE_OK ||
        curl_easy_header(r->easy, name, h->amount - 1, CURLH_HEADER, -1, &h) != CURLHE_OK)
        return NULL;
    return h->value;
}

const char *http_answer_header(const struct http_answer *a, const char *name)
{
    return a->req ? header_of(a->req, name) : NULL;
}

static int should_retry(const char *value)
{
    if (value && strcasecmp(value, "true") == 0)
        return 1;
    return value && strcasecmp(value, "false") == 0 ? 0 : -1;
}

void http_read_answer(const struct http_req *r, struct http_answer *out)
{
    enum { MAX_WAIT_S = 30 * 86400 };
    const char *range;
    curl_off_t wait_s = 0;
    char *type = NULL;
    out->status = status_of(r);
    out->body = buf_str(&r->body);
    curl_easy_getinfo(r->easy, CURLINFO_CONTENT_TYPE, &type);
    out->content_type = type;
    curl_easy_getinfo(r->easy, CURLINFO_RETRY_AFTER, &wait_s);
    out->retry_after_ms = 1000 * (wait_s < 0 ? 0 : wait_s > MAX_WAIT_S ? MAX_WAIT_S : wait_s);
    out->req = r;
    out->should_retry = should_retry(header_of(r, "Should-Retry"));
    range = header_of(r, "Content-Range");
    out->content_range_size = range ? range_size(range) : -1;
}

/* Everything else makes no sense: ERR_PROTOCOL. */
static const struct {
    CURLcode curl;
    enum err_code code;
} meanings[] = {
    {CURLE_COULDNT_RESOLVE_PROXY, ERR_UNAVAILABLE},
    {CURLE_COULDNT_RESOLVE_HOST, ERR_UNAVAILABLE},
    {CURLE_COULDNT_CONNECT, ERR_UNAVAILABLE},
    {CURLE_PROXY, ERR_UNAVAILABLE},
    {CURLE_SEND_ERROR, ERR_UNAVAILABLE},
    {CURLE_RECV_ERROR, ERR_UNAVAILABLE},
    {CURLE_GOT_NOTHING, ERR_UNAVAILABLE},
    {CURLE_PARTIAL_FILE, ERR_UNAVAILABLE},
    {CURLE_HTTP2_STREAM, ERR_UNAVAILABLE},
    {CURLE_HTTP2, ERR_UNAVAILABLE},
    {CURLE_SSL_CONNECT_ERROR, ERR_UNAVAILABLE},
    {CURLE_PEER_FAILED_VERIFICATION, ERR_UNAVAILABLE},
    {CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT},
    {CURLE_SSL_CACERT_BADFILE, ERR_CONFIG},
    {CURLE_OUT_OF_MEMORY, ERR_NOMEM},
};

static enum err_code meaning_of(CURLcode code)
{
    for (size_t i = 0; i < COUNTOF(meanings); i++) {
        if (meanings[i].curl == code)
            return meanings[i].code;
    }
    return ERR_PROTOCOL;
}

enum err_code http_judge(const struct http_req *r, CURLcode code, struct err *err)
{
    if (r->failure == ERR_TIMEOUT)
        return err_set(err, ERR_TIMEOUT, "%s: no byte came in %" PRId64 " ms", r->name,
                       r->silence_ms);
    if (r->failure == ERR_TOO_BIG)
        return err_set(err, ERR_TOO_BIG, "%s: the answer is over its ceiling of %zu bytes", r->name,
                       r->header_bytes > HTTP_MAX_HEADERS ? (size_t)HTTP_MAX_HEADERS : r->body.max);
    if (r->refused)
        return err_set(err, ERR_INVALID, "%s: its address is not allowed", r->name);
    if (r->failure != ERR_OK)
        return err_set(err, r->failure, "%s: %s", r->name, err_meaning(r->failure));
    if (code == CURLE_OK)
        return ERR_OK;
    return err_set(err, meaning_of(code), "%s: %s", r->name,
                   r->detail[0] ? r->detail : curl_easy_strerror(code));
}

void http_escape(struct buf *out, struct str s)
{
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (isalnum(c) || memchr("-._~", c, 4)) {
            buf_addc(out, (char)c);
        } else {
            buf_addc(out, '%');
            buf_addc(out, hex[c >> 4]);
            buf_addc(out, hex[c & 15]);
        }
    }
}
