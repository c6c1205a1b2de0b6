/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/mask.h"

#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "common/kafka/kafka.h"
#include "common/banned.h"

bool mask_is_secret_prop(struct str name)
{
    static const char *const parts[] = {"password", "passphrase", "secret", "key.pem"};

    for (size_t i = 0; i < COUNTOF(parts); i++)
        if (memmem(name.p, name.n, parts[i], strlen(parts[i])))
            return true;
    return kafka_setting_is_secret(name);
}

void mask_prop(struct buf *out, const char *prop)
{
    const char *equals = strchr(prop, '=');
    size_t n = equals ? (size_t)(equals - prop) : 0;

    if (equals && mask_is_secret_prop((struct str){prop, n})) {
        buf_add(out, prop, n + 1);
        buf_adds(out, "***");
    } else {
        buf_adds(out, prop);
    }
}

static bool is_secret(const PQconninfoOption *o)
{
    return o->val && *o->val && (o->dispchar[0] == '*' || strcmp(o->keyword, "sslpassword") == 0);
}

bool mask_conninfo_has_secret(const char *conninfo)
{
    PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
    bool found = !all; /* who knows what it is */

    for (const PQconninfoOption *o = all; o && o->keyword; o++)
        found = found || is_secret(o);
    PQconninfoFree(all);
    return found;
}

/* As libpq reads it: quoted where there is nothing, a space, a quote or a backslash. */
static void put_value(struct buf *out, const char *v)
{
    bool plain = *v && !strpbrk(v, " '\\\t");

    if (!plain)
        buf_addc(out, '\'');
    for (; *v; v++) {
        if (*v == '\'' || *v == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *v);
    }
    if (!plain)
        buf_addc(out, '\'');
}

void mask_conninfo(struct buf *out, const char *conninfo)
{
    PQconninfoOption *all = PQconninfoParse(conninfo, NULL);
    bool first = true;

    if (!all)
        buf_adds(out, "***");
    for (const PQconninfoOption *o = all; o && o->keyword; o++) {
        if (!o->val)
            continue;
        buf_addf(out, "%s%s=", first ? "" : " ", o->keyword);
        if (is_secret(o))
            buf_adds(out, "***");
        else
            put_value(out, o->val);
        first = false;
    }
    PQconninfoFree(all);
}
