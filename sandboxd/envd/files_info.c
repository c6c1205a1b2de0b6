/* SPDX-License-Identifier: Apache-2.0 */
/* envd's small plain endpoints. */
#include "sandboxd/server.h"

#include <stdlib.h>

#include "common/json.h"

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
