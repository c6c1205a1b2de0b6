/* SPDX-License-Identifier: Apache-2.0 */
#include "common/http/http_tls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/attrs.h"
#include "common/secret/secret.h"
#include "common/banned.h"

enum { CERT_ROOM = 256 << 10, KEY_ROOM = 32 << 10 };

struct http_tls {
    char *cert, *key;
};

static void file_close(FILE **f)
{
    if (*f)
        (void)fclose(*f);
}

static enum err_code read_cert(const char *path, char *text, struct err *err)
{
    AUTO(file_close) FILE *f = fopen(path, "re");
    size_t n = f ? fread(text, 1, CERT_ROOM, f) : 0;

    if (!f || ferror(f))
        return err_set(err, ERR_CONFIG, "cannot read the certificate '%s': %s", path,
                       strerror(errno));
    if (n == CERT_ROOM)
        return err_set(err, ERR_CONFIG, "the certificate '%s' is longer than %d bytes", path,
                       CERT_ROOM - 1);
    text[n] = '\0';
    if (!strstr(text, "-----BEGIN CERTIFICATE-----"))
        return err_set(err, ERR_CONFIG, "'%s' holds no certificate in PEM", path);
    return ERR_OK;
}

static enum err_code read_key(const char *path, char *text, struct err *err)
{
    size_t n = 0;

    if (secret_read_file(path, text, KEY_ROOM, &n, err) != ERR_OK)
        return err_wrap(err, "the certificate's key");
    text[n] = '\0';
    return ERR_OK;
}

enum err_code http_tls_load(const char *cert, const char *key, struct http_tls **out,
                            struct err *err)
{
    struct http_tls *t = calloc(1, sizeof(*t));

    if (t) {
        t->cert = malloc(CERT_ROOM);
        t->key = sodium_malloc(KEY_ROOM);
    }
    if (!t || !t->cert || !t->key)
        err_set(err, ERR_NOMEM, "a certificate");
    else if (read_cert(cert, t->cert, err) == ERR_OK && read_key(key, t->key, err) == ERR_OK) {
        *out = t;
        return ERR_OK;
    }
    http_tls_free(t);
    return err->code;
}

const char *http_tls_cert(const struct http_tls *t)
{
    return t->cert;
}

const char *http_tls_key(const struct http_tls *t)
{
    return t->key;
}

void http_tls_free(struct http_tls *t)
{
    if (!t)
        return;
    free(t->cert);
    sodium_free(t->key);
    free(t);
}
