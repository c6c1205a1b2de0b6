/* SPDX-License-Identifier: Apache-2.0 */
/* Packs a checked file's records into parcels, one partition's in each: neighbours in memory are
 * then neighbours in librdkafka's queues, where records that come as the file has them, each for
 * another partition than the one before, cost half as much again. */
#ifndef SANDFLEET_PRODUCER_BATCH_PACKER_H
#define SANDFLEET_PRODUCER_BATCH_PACKER_H

#include "producer/batch/batch_file.h"
#include "producer/parcel.h"

struct packer; /* opaque */

/* The file is checked, and borrowed until packer_free. partitions: that the topic has; if it has
 * others, that costs time and nothing else. */
enum err_code packer_new(struct batch_file *file, int32_t partitions, struct packer **out,
                         struct err *err) MUST_USE;
void packer_free(struct packer *p); /* what was not taken is lost; NULL is fine */

/* The next parcel, yours until packer_give_back; NULL: there is none. An error of batch_file_next
 * comes behind all that was packed before it. */
enum err_code packer_take(struct packer *p, struct parcel **out, struct err *err) MUST_USE;
void packer_give_back(struct packer *p, struct parcel *parcel);

#endif
