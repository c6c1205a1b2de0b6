/* SPDX-License-Identifier: Apache-2.0 */
/* envd's small plain endpoints. */
#include "sandboxd/server.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "common/clock.h"
#include "common/json/json.h"

#include "common/banned.h"

void handle_envs(struct request *r)
{
    const struct sandbox *sb = request_sandbox(r);
    AUTO_BUF body = BUF_INIT(WEB_BODY_MAX);

    if (sb == NULL)
        return;
    char *text = cJSON_PrintUnformatted(sb->env);
    buf_adds(&body, text != NULL ? text : "{}");
    free(text);
    request_json(r, 200, &body);
}

/* What only the service itself may call: its edge lets none of it through. */
void handle_not_here(struct request *r)
{
    request_error(r, 404, "not found");
}

/* Of the sandbox, but the disk, which is the machine's. The processors' share is a mean since
 * its start. */
void handle_envd_metrics(struct request *r)
{
    enum { MIB = 1 << 20 };
    const struct sandbox *sb = request_sandbox(r);
    AUTO_BUF body = BUF_INIT(1024);
    struct sandbox_usage used;
    struct statvfs disk = {0};

    if (sb == NULL)
        return;
    int64_t now_ms = clock_wall_ms(), age_ms = now_ms - sb->started_ms,
            total = sandbox_memory_bytes(sb);
    sandbox_usage(sb, &used);
    (void)statvfs(sb->fleet->data, &disk);
    buf_addc(&body, '{');
    json_kv_int(&body, "ts", now_ms / 1000);
    json_kv_int(&body, "cpu_count", sandbox_cpu_count(sb));
    json_kv_num(&body, "cpu_used_pct", age_ms > 0 ? (double)(used.cpu_ns / 100 / age_ms) / 100 : 0);
    json_kv_int(&body, "mem_total_mib", total / MIB);
    json_kv_int(&body, "mem_used_mib", used.memory_bytes / MIB);
    json_kv_int(&body, "mem_total", total);
    json_kv_int(&body, "mem_used", used.memory_bytes);
    json_kv_int(&body, "mem_cache", 0); /* the machine's, not the sandbox's */
    json_kv_int(&body, "disk_used", (int64_t)((disk.f_blocks - disk.f_bfree) * disk.f_frsize));
    json_kv_int(&body, "disk_total", (int64_t)(disk.f_blocks * disk.f_frsize));
    buf_addc(&body, '}');
    request_json(r, 200, &body);
}
