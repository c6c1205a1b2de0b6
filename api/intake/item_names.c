/* SPDX-License-Identifier: Apache-2.0 */
#include "api/intake/item_names.h"

#include <string.h>

#include <sodium.h>

#include "common/banned.h"

bool item_names_take(struct item_names *n, const struct run_request *r)
{
    uint8_t hash[32];
    uint64_t name[2], work;

    crypto_generichash((uint8_t *)name, sizeof(name), (const uint8_t *)r->custom_id,
                       strlen(r->custom_id), NULL, 0);
    run_request_hash(r, hash);
    memcpy(&work, hash, sizeof(work));
    if (n->at[name[0] % ITEM_NAMES].name == name[1])
        return n->at[name[0] % ITEM_NAMES].work == work;
    n->at[name[0] % ITEM_NAMES].name = name[1];
    n->at[name[0] % ITEM_NAMES].work = work;
    return true;
}
