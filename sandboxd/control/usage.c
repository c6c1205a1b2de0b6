/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/control/usage.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "common/clock.h"
#include "common/json/json.h"

#include "common/banned.h"

static const struct usage *last(const struct usage_history *h)
{
    return h->n > 0 ? &h->ring[(h->first + h->n - 1) % USAGE_KEPT] : NULL;
}

static void keep(struct usage_history *h, const struct usage *u)
{
    if (h->n == USAGE_KEPT) {
        h->first = (h->first + 1) % USAGE_KEPT;
        h->n--;
    }
    h->ring[(h->first + h->n++) % USAGE_KEPT] = *u;
}

static void measure_disk(struct usage *u, const char *folder)
{
    struct statvfs s;

    if (statvfs(folder, &s) != 0)
        return;
    u->disk_total = (int64_t)(s.f_blocks * s.f_frsize);
    u->disk_used = (int64_t)((s.f_blocks - s.f_bfree) * s.f_frsize);
}

void usage_look(struct usage_history *h, const struct sandbox *sb)
{
    const struct usage *before = last(h);
    struct usage now = {.at_ms = clock_wall_ms()};
    struct sandbox_usage used;

    if (before != NULL && now.at_ms - before->at_ms < USAGE_EVERY_MS)
        return;
    if (h->ring == NULL)
        h->ring = calloc(USAGE_KEPT, sizeof(h->ring[0]));
    if (h->ring == NULL)
        return;
    sandbox_usage(sb, &used);
    now.cpu_ns = used.cpu_ns;
    now.mem = used.memory_bytes;
    now.mem_total = sandbox_memory_bytes(sb);
    now.cpus = sandbox_cpu_count(sb);
    if (before != NULL && now.cpu_ns > before->cpu_ns)
        now.cpu_percent =
            (double)(now.cpu_ns - before->cpu_ns) / 1e4 / (double)(now.at_ms - before->at_ms);
    measure_disk(&now, sb->fleet->data);
    keep(h, &now);
}

void usage_release(struct usage_history *h)
{
    free(h->ring);
    *h = (struct usage_history){0};
}

int64_t disk_size(const char *folder)
{
    struct usage u = {0};

    measure_disk(&u, folder);
    return u.disk_total;
}

static void put(const struct usage *u, struct buf *out)
{
    char at[CLOCK_TEXT];

    buf_adds(out, "{");
    json_kv(out, "timestamp", clock_rfc3339(u->at_ms, at));
    json_kv_int(out, "timestampUnix", u->at_ms / 1000);
    json_kv_int(out, "cpuCount", u->cpus);
    json_kv_num(out, "cpuUsedPct", (double)(int64_t)(u->cpu_percent * 100) / 100);
    json_kv_int(out, "memUsed", u->mem);
    json_kv_int(out, "memTotal", u->mem_total);
    json_kv_int(out, "memCache", 0); /* the machine's, not the sandbox's */
    json_kv_int(out, "diskUsed", u->disk_used);
    json_kv_int(out, "diskTotal", u->disk_total);
    buf_adds(out, "}");
}

void usage_put(const struct usage_history *h, int64_t start_s, int64_t end_s, struct buf *out)
{
    bool some = false;

    for (size_t i = 0; i < h->n; i++) {
        const struct usage *u = &h->ring[(h->first + i) % USAGE_KEPT];

        if (u->at_ms / 1000 < start_s || (end_s > 0 && u->at_ms / 1000 > end_s))
            continue;
        buf_adds(out, some ? "," : "");
        put(u, out);
        some = true;
    }
}

void usage_put_last(const struct usage_history *h, struct buf *out)
{
    if (h->n > 0)
        put(last(h), out);
    else
        buf_adds(out, "null");
}
