/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/packer.h"

#include <stdlib.h>

#include "common/banned.h"

enum { OPEN_MAX = 64 }; /* partitions behind that share parcels */

struct packer {
    struct batch_file *file;
    int32_t partitions;
    struct buf value;
    struct parcel *open[OPEN_MAX];
    TAILQ_HEAD(, parcel) spare;
    bool ended;
    struct err failed; /* told behind what was packed */
};

enum err_code packer_new(struct batch_file *file, int32_t partitions, struct packer **out,
                         struct err *err)
{
    struct packer *p = malloc(sizeof(*p));

    if (!p)
        return err_set(err, ERR_NOMEM, "cannot submit '%s'", batch_file_path(file));
    *p = (struct packer){.file = file,
                         .partitions = partitions,
                         .value = BUF_INIT(2 * RUN_REQUEST_MAX_BYTES),
                         .failed = ERR_INIT};
    TAILQ_INIT(&p->spare);
    *out = p;
    return ERR_OK;
}

void packer_free(struct packer *p)
{
    struct parcel *parcel;

    if (!p)
        return;
    for (size_t i = 0; i < OPEN_MAX; i++)
        parcel_free(p->open[i]);
    while ((parcel = TAILQ_FIRST(&p->spare))) {
        TAILQ_REMOVE(&p->spare, parcel, link);
        parcel_free(parcel);
    }
    buf_release(&p->value);
    free(p);
}

static struct parcel *spare_parcel(struct packer *p)
{
    struct parcel *parcel = TAILQ_FIRST(&p->spare);

    if (!parcel)
        return parcel_new();
    TAILQ_REMOVE(&p->spare, parcel, link);
    return parcel;
}

/* The open parcel that a record with this key goes into; NULL: no memory. */
static struct parcel **open_for(struct packer *p, struct str key)
{
    struct parcel **parcel = &p->open[kafka_partition(key, p->partitions) % OPEN_MAX];

    if (!*parcel)
        *parcel = spare_parcel(p);
    return *parcel ? parcel : NULL;
}

static struct parcel *close_parcel(struct parcel **from)
{
    struct parcel *parcel = *from;

    *from = NULL;
    return parcel;
}

/* Packs one more record. *full: the parcel that has no more room. */
static enum err_code pack_one(struct packer *p, struct parcel **full, struct err *err)
{
    struct made made;
    int64_t line;

    buf_clear(&p->value);
    if (batch_file_next(p->file, &p->value, &made, &line, err) != ERR_OK)
        return err->code;
    p->ended = line == 0;
    if (p->ended)
        return ERR_OK;
    struct parcel **to = open_for(p, made.key);
    const struct parcel_record record = {.run_id = made.run_id,
                                         .custom_id = made.custom_id,
                                         .key = made.key,
                                         .value = buf_str(&p->value),
                                         .line = line};
    if (!to)
        return err_set(err, ERR_NOMEM, "cannot submit line %lld", (long long)line);
    if (parcel_add(*to, &record, err) != ERR_OK)
        return err->code;
    if (parcel_is_full(*to))
        *full = close_parcel(to);
    return ERR_OK;
}

/* Behind the last record: the parcels that never became full. */
static struct parcel *rest(struct packer *p)
{
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (p->open[i])
            return close_parcel(&p->open[i]);
    return NULL;
}

enum err_code packer_take(struct packer *p, struct parcel **out, struct err *err)
{
    *out = NULL;
    while (!p->ended && !*out)
        if (pack_one(p, out, &p->failed) != ERR_OK)
            p->ended = true;
    if (!*out)
        *out = rest(p);
    if (*out || p->failed.code == ERR_OK)
        return ERR_OK;
    *err = p->failed;
    return err->code;
}

void packer_give_back(struct packer *p, struct parcel *parcel)
{
    parcel_clear(parcel);
    TAILQ_INSERT_HEAD(&p->spare, parcel, link);
}
