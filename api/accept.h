/* SPDX-License-Identifier: Apache-2.0 */
/* What form of an answer a client takes: the Accept header (RFC 9110, 12.5.1). Pure. */
#ifndef SANDFLEET_API_ACCEPT_H
#define SANDFLEET_API_ACCEPT_H

#include "common/buf.h"

/* How much a type is wanted, in thousandths; 0: not at all. Without a header everything is. The
 * closest range counts. What is no range at all is skipped. */
int accept_quality(const char *header, const char *type);

#endif
