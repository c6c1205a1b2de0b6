/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/guard.h"

#include "common/banned.h"

enum err_code guard_read(struct guard *g, const struct opt_list *nets, struct err *err)
{
    if (nets->n > GUARD_NETS)
        return err_set(err, ERR_USAGE, "--allow-net: over %d networks", GUARD_NETS);
    for (size_t i = 0; i < nets->n; i++)
        if (!net_parse(str_of(nets->items[i]), &g->nets[i]))
            return err_set(err, ERR_USAGE,
                           "--allow-net: '%.64s' is no network, such as 10.1.0.0/16 or fd00::/8",
                           nets->items[i]);
    g->n = nets->n;
    return ERR_OK;
}

bool guard_allows(const struct guard *g, const struct sockaddr *to)
{
    for (size_t i = 0; i < g->n; i++)
        if (net_has(&g->nets[i], to))
            return true;
    return !net_private(to);
}
