/* SPDX-License-Identifier: Apache-2.0 */
/* What the headers of a file's download say. Pure. */
#ifndef SANDFLEET_SANDBOXD_ENVD_FILES_TYPE_H
#define SANDFLEET_SANDBOXD_ENVD_FILES_TYPE_H

#include <time.h>

#include "common/buf.h"

/* By the extension; NULL: not known. */
const char *file_type_of(const char *path);
/* By its first bytes: text or not. */
const char *file_type_guess(struct str head);

/* inline; filename=x */
void file_disposition(struct buf *out, const char *name);

enum { HTTP_DATE_ROOM = 32 };
const char *http_date(time_t at, char out[HTTP_DATE_ROOM]); /* "Sat, 21 Nov 2026 11:45:24 GMT" */

/* What Accept-Encoding (NULL: none) asks for, of the two that there are. */
enum encoding { ENCODING_NONE, ENCODING_GZIP, ENCODING_IMPOSSIBLE };
enum encoding encoding_wanted(const char *accept);
/* The same for Content-Encoding: IMPOSSIBLE is any other. */
enum encoding encoding_used(const char *content);

#endif
