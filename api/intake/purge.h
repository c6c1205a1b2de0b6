/* SPDX-License-Identifier: Apache-2.0 */
/* What the door keeps has served some day: runs that the sink has seen, old keys, cancels of runs
 * that never came. Every server looks, a piece at a time. Single-threaded. */
#ifndef SANDFLEET_API_PURGE_H
#define SANDFLEET_API_PURGE_H

struct api;
struct purge; /* opaque */

struct purge *purge_new(struct api *a); /* NULL: no memory */
void purge_free(struct purge *p);       /* behind the database; NULL is fine */

#endif
