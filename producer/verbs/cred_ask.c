/* SPDX-License-Identifier: Apache-2.0 */
/* Does the model's API accept a secret? One question that costs nothing. */
#include <stdio.h>
#include <string.h>

#include <curl/curl.h>
#include <sodium.h>

#include "common/secret/secret.h"
#include "producer/verbs/cmd_cred.h"
#include "common/banned.h"

enum { CONNECT_S = 10, ALL_S = 15, HEADER_ROOM = SECRET_MAX_BYTES + 64 };

static size_t drop(char *p, size_t size, size_t n, void *ctx)
{
    (void)p, (void)ctx;
    return size * n;
}

/* The list's copies of a header are wiped before they are freed. */
static void headers_done(struct curl_slist **list)
{
    for (struct curl_slist *h = *list; h; h = h->next)
        sodium_memzero(h->data, strlen(h->data));
    curl_slist_free_all(*list);
}

static void easy_done(CURL **easy)
{
    curl_easy_cleanup(*easy);
}

static bool add(struct curl_slist **list, const char *header)
{
    struct curl_slist *more = curl_slist_append(*list, header);

    if (more)
        *list = more;
    return more != NULL;
}

static bool add_secret(struct curl_slist **list, enum credential_kind kind,
                       const struct secret *secret)
{
    struct str value = secret_value(secret);
    char *header = sodium_malloc(HEADER_ROOM);

    if (!header)
        return false;
    (void)snprintf(header, HEADER_ROOM, "%s: %s" STR_FMT,
                   kind == CREDENTIAL_API_KEY ? "x-api-key" : "Authorization",
                   kind == CREDENTIAL_API_KEY ? "" : "Bearer ", STR_ARG(value));
    bool added = add(list, header);
    sodium_free(header);
    return added;
}

static bool set_up(CURL *easy, const char *url, struct curl_slist *headers, char *why)
{
    return curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_TIMEOUT, (long)ALL_S) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_USERAGENT, "sandfleet/" SF_VERSION) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, why) == CURLE_OK &&
           curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK;
}

enum err_code cred_ask(const char *base_url, enum credential_kind kind, const struct secret *secret,
                       long *status, struct err *err)
{
    char url[CREDENTIAL_URL_MAX_BYTES + 32], why[CURL_ERROR_SIZE] = "";
    AUTO(headers_done) struct curl_slist *headers = NULL;
    AUTO(easy_done) CURL *easy = curl_easy_init();
    struct str base = str_of(base_url ? base_url : CREDENTIAL_API_URL);

    while (base.n > 0 && base.p[base.n - 1] == '/')
        base.n--;
    (void)snprintf(url, sizeof(url), STR_FMT "/v1/models?limit=1", STR_ARG(base));
    if (!easy || !add_secret(&headers, kind, secret) ||
        !add(&headers, "anthropic-version: 2023-06-01") ||
        (kind == CREDENTIAL_OAUTH && !add(&headers, "anthropic-beta: oauth-2025-04-20")) ||
        !set_up(easy, url, headers, why))
        return err_set(err, ERR_NOMEM, "a request to " STR_FMT, STR_ARG(base));
    CURLcode rc = curl_easy_perform(easy);
    if (rc != CURLE_OK)
        return err_set(err, ERR_UNAVAILABLE, "cannot ask " STR_FMT ": %s", STR_ARG(base),
                       why[0] ? why : curl_easy_strerror(rc));
    (void)curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, status);
    return ERR_OK;
}
