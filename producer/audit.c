/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/audit.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/pg/pg_once.h"
#include "common/uuid.h"
#include "common/banned.h"

enum { TOLD_MAX_BYTES = 4096, OBJECT_MAX_BYTES = 400, STATEMENT_MAX_BYTES = 4 * TOLD_MAX_BYTES };

static char *statement; /* pg_once_first() has it */

static void add_object(const struct command *c, int n, char **words, struct buf *out)
{
    AUTO_BUF object = BUF_INIT(OBJECT_MAX_BYTES);

    if (strstr(c->args, "PROMPT"))
        return; /* its words are what the agent is asked */
    for (int i = 0; i < n; i++)
        buf_addf(&object, "%s%s", i ? " " : "", words[i]);
    if (object.rc == ERR_OK && object.len > 0 && str_utf8(buf_str(&object), NULL))
        json_kv_str(out, "object", buf_str(&object));
}

static void describe(const struct command *c, int n, char **words, struct buf *out)
{
    const struct passwd *me = getpwuid(geteuid());
    char id[UUID_TEXT], number[32];

    uuid_v7(clock_wall_ms(), id);
    (void)snprintf(number, sizeof(number), "uid %u", (unsigned)geteuid());
    buf_addc(out, '{');
    json_kv(out, "request", id);
    json_kv(out, "kind", "client");
    json_kv(out, "actor", me ? me->pw_name : number);
    json_kv(out, "action", c->name);
    add_object(c, n, words, out);
    buf_addc(out, '}');
}

/* In hexadecimal: no word of the command line can end the text. */
void audit_command(const struct command *c, int n, char **words)
{
    AUTO_BUF told = BUF_INIT(TOLD_MAX_BYTES), sql = BUF_INIT(STATEMENT_MAX_BYTES);

    if (c->scope != SCOPE_ADMIN && c->scope != SCOPE_SUBMIT)
        return;
    describe(c, n, words, &told);
    buf_adds(&sql, "SELECT set_config('sandfleet.audit', convert_from(decode('");
    for (size_t i = 0; i < told.len; i++)
        buf_addf(&sql, "%02x", (unsigned char)told.p[i]);
    buf_adds(&sql, "', 'hex'), 'UTF8'), false)");
    if (told.rc == ERR_OK)
        statement = buf_take(&sql);
    pg_once_first(statement);
}

void audit_done(void)
{
    pg_once_first(NULL);
    free(statement);
    statement = NULL;
}

enum err_code audit_tell(const char *conninfo, struct err *err)
{
    static const char sql[] =
        "SELECT door.audit_add(current_setting('sandfleet.audit')::json, 'done')";
    AUTO_CONN *conn = NULL;
    AUTO_RES *res = NULL;
    enum err_code rc = pg_once_open(conninfo, "sandfleet audit", &conn, err);

    return rc == ERR_OK ? pg_once(conn, sql, 0, NULL, &res, err) : rc;
}
