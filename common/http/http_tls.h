/* SPDX-License-Identifier: Apache-2.0 */
/* What a server shows to its clients: a certificate, and the key to it. */
#ifndef SANDFLEET_COMMON_HTTP_HTTP_TLS_H
#define SANDFLEET_COMMON_HTTP_HTTP_TLS_H

#include "common/err.h"

struct http_tls; /* opaque; the key is in locked memory, wiped when freed */

/* cert: PEM, the server's own first, then those that signed it. key: PEM, in a file that others
 * cannot read. Whether they are a pair is found out by http_server_new(). ERR_CONFIG, ERR_IO. */
enum err_code http_tls_load(const char *cert, const char *key, struct http_tls **out,
                            struct err *err) MUST_USE;
const char *http_tls_cert(const struct http_tls *t); /* text; borrowed */
const char *http_tls_key(const struct http_tls *t);
void http_tls_free(struct http_tls *t); /* NULL is fine */

#endif
