/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/run/limit_windows.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "worker/run/json_walk.h"
#include "common/banned.h"

enum { WORD_MAX = 32 };

#define LATEST_S INT64_C(253402300799) /* the year 9999's last */

/* A word of ours: five_hour, allowed_warning. */
static bool is_word(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9') && s.p[i] != '_')
            return false;
    return s.n > 0 && s.n <= WORD_MAX;
}

static void put_window(struct str name, struct str info, struct buf *out)
{
    struct str status = json_to_word(json_walk_get(info, "status"), WORD_MAX);
    struct str used = json_walk_get(info, "utilization");
    int64_t resets_s = json_to_count(json_walk_get(info, "resetsAt"));
    char key[WORD_MAX + 1], resets[CLOCK_TEXT];

    (void)snprintf(key, sizeof(key), STR_FMT, STR_ARG(name));
    json_key(out, key);
    buf_addc(out, '{');
    if (is_word(status))
        json_kv_str(out, "status", status);
    if (used.n > 0 && *used.p >= '0' && *used.p <= '9')
        json_kv_num(out, "utilization", json_to_amount(used));
    if (resets_s > 0 && resets_s <= LATEST_S)
        json_kv(out, "resets_at", clock_rfc3339(resets_s * 1000, resets));
    buf_addc(out, '}');
}

bool limit_windows(struct str line, struct buf *out)
{
    struct str info = json_walk_get(line, "rate_limit_info");
    struct str type = json_to_word(json_walk_get(info, "rateLimitType"), WORD_MAX);
    struct json_walk all = json_walk(json_walk_get(info, "unifiedWindows"));
    struct json_member m;
    bool told = !is_word(type); /* the type's own window is among all of them, with more of it */
    size_t n = 0;

    buf_addc(out, '{');
    while (n < LIMIT_WINDOWS_MAX - 1 && json_walk_member(&all, &m))
        if (is_word(m.key) && ++n) {
            put_window(m.key, m.value, out);
            told = told || str_eq(m.key, type);
        }
    if (!told && ++n)
        put_window(type, info, out);
    buf_addc(out, '}');
    return n > 0 && out->rc == ERR_OK;
}
