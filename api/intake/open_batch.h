/* SPDX-License-Identifier: Apache-2.0 */
/* The batch that items come in for, as the tables know it: whether it is open, what its items do
 * not say themselves, and how far into the topics those that were accepted reach. Single-threaded.
 */
#ifndef SANDFLEET_API_OPEN_BATCH_H
#define SANDFLEET_API_OPEN_BATCH_H

#include "api/call.h"
#include "api/intake/marks.h"
#include "common/json/json.h"

struct open_batch { /* c->state begins with it */
    struct call *call;
    char *id;
    cJSON *defaults;    /* NULL: none */
    bool known;         /* it was looked up, and is open */
    bool sealed;        /* …and is not any more */
    struct marks marks; /* of what was accepted; whoever adds to it answers for it */
    bool told;          /* the batch knows them */
    int64_t looked_ms;
    void (*next)(struct call *c);
};

/* The batch is called c->param[0]. False: no memory. */
bool open_batch_init(struct open_batch *b, struct call *c);
/* Marks that nobody waited for are told to the batch all the same. */
void open_batch_release(struct open_batch *b);

/* Then `known`, and found(c): later. Or c was answered: there is none, or it is sealed. */
void open_batch_find(struct open_batch *b, void (*found)(struct call *c));
/* Looks whether it was sealed meanwhile, if the last look is long ago. */
void open_batch_look(struct open_batch *b);
/* Before anybody is told that all of it was accepted, the batch knows how far that reaches: then
 * marked(c), now or later. */
void open_batch_mark(struct open_batch *b, void (*marked)(struct call *c));

#endif
