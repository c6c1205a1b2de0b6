/* SPDX-License-Identifier: Apache-2.0 */
/* The metadata that an upload gives its files: headers X-Metadata-<key>. */
#ifndef SANDFLEET_SANDBOXD_ENVD_FILES_METADATA_H
#define SANDFLEET_SANDBOXD_ENVD_FILES_METADATA_H

#include "sandboxd/web/web.h"

enum { FILES_METADATA_ROOM = 16 << 10 };

struct metadata {
    struct buf pairs; /* key NUL value NUL …, keys in lower case, each once */
    uint32_t strings; /* how many */
};

/* One header; others are passed over, and so is a second one of the same key. Pure. */
void metadata_add(struct metadata *m, const char *header, const char *value);
/* ERR_INVALID: a key or value that cannot be kept, or too much of them. Pure. */
enum err_code metadata_check(const struct metadata *m, struct err *err) MUST_USE;

void metadata_of(struct request *r, struct metadata *m);
void metadata_json(const struct metadata *m, struct buf *out); /* "metadata":{…}, or nothing */

#endif
