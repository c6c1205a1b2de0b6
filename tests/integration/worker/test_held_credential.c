/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a credential whose limit is reached, or that is refused, is held for the whole fleet,
 * with its time and reason; a run that names its pool goes on with another one and loses no
 * attempt. Proof: an agent that fails with one token and not with the other, a real worker, and
 * the ledger. */
#include "cell.h"

#include "schema/credential_rows.h"

#include "common/banned.h"

static const struct row {
    const char *name, *line, *result; /* of an agent that has the first token */
    const char *held;                 /* what the ledger says of it afterwards */
    const char *windows;              /* and of the service's limits */
} rows[] = {
    {"a limit is reached",
     "{\"type\":\"rate_limit_event\",\"rate_limit_info\":{\"status\":\"rejected\",\"resetsAt\":'$(("
     "$(date "
     "+%s) + 7200))',\"rateLimitType\":\"five_hour\"},\"k\":2}",
     "{\"type\":\"result\",\"is_error\":true,\"api_error\":\"usage_limit_reached\","
     "\"api_error_status\":429,\"k\":3}",
     "a usage_limit 2", "five_hour rejected 2"},
    {"a token is refused",
     "{\"type\":\"assistant\",\"error\":\"authentication_failed\",\"api_error_status\":401,\"k\":"
     "2}",
     "{\"type\":\"result\",\"is_error\":true,\"api_error_status\":401,\"k\":3}", "a auth 0", ""},
};

#define KEYS "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"

static void write_keys(char path[96])
{
    int fd;

    (void)snprintf(path, 96, "%s/keys", fx.dir);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, KEYS, sizeof(KEYS) - 1) > 0 && close(fd) == 0);
}

static void add_credential(const struct cell *c, const char *name, const char *token)
{
    const struct credential_what what = {
        .tenant = STR("*"), .name = str_of(name), .kind = CREDENTIAL_OAUTH};
    struct keyring *keys = NULL;
    struct secret *plain = NULL;
    struct sealed sealed = {0};
    struct err e = ERR_INIT;

    if (keyring_parse(STR(KEYS), &keys, &e) != ERR_OK ||
        secret_new(str_of(token), &plain, &e) != ERR_OK ||
        credential_seal(keys, &what, plain, &sealed, &e) != ERR_OK ||
        credential_rows_add(c->pg, &what, STR("p"), &sealed, false, &e) != ERR_OK)
        fail_msg("%s", e.msg);
    sealed_release(&sealed);
    secret_free(plain);
    keyring_free(keys);
}

static void write_agent(const struct cell *c, const struct row *row, struct buf *out)
{
    buf_addf(out, "echo start >>%s\n", c->starts);
    buf_adds(out, "echo '{\"type\":\"system\",\"subtype\":\"init\",\"k\":1}'\n"
                  "case $(cat <&3) in *aaaa*)\n");
    buf_addf(out, "echo '%s'\necho '%s'\nexit 1 ;; esac\n", row->line, row->result);
    buf_adds(out, "echo '{\"type\":\"assistant\",\"message\":{},\"k\":2}'\n"
                  "echo '{\"type\":\"result\",\"is_error\":false,\"result\":\"done\",\"k\":3}'\n");
}

static void another_one_goes_on(void **state)
{
    static const char over[] = "SELECT count(*) FROM ledger.claims WHERE state = 'ended'"
                               " AND published";
    const struct row *row = *state;
    AUTO_BUF agent = BUF_INIT(8192);
    struct cell c;
    char path[96];
    int64_t until = clock_boot_ms() + CELL_WAIT_MS;

    write_keys(path);
    cell_open(&c, row->name, (unsigned)(row - rows));
    add_credential(&c, "a", "sk-ant-oat01-aaaaaaaa");
    add_credential(&c, "b", "sk-ant-oat01-bbbbbbbb");
    write_agent(&c, row, &agent);
    cell_submit(&c, agent.p, ",\"credential\":\"p\",\"max_attempts\":1");
    cell_worker(&c, 0, NULL, (const char *const[]){"--master-key-file", path, NULL});
    while (strcmp(cell_ask(&c, over), "1") != 0) {
        if (clock_boot_ms() > until)
            fail_msg("%s: does not end; log: %s", c.name, c.log);
        cell_nap();
    }
    cell_stop(&c, 0);

    struct cell_log log = cell_read_log(&c);
    assert_string_equal(log.state, "sandfleet.run.completed");
    assert_int_equal(cell_starts(&c), 2);
    assert_int_equal(log.of[EVENT_CREDENTIAL_HELD], 1);
    cell_expect(&c, "SELECT credential_used || ' ' || failures FROM ledger.claims", "b 0");
    cell_expect(&c,
                "SELECT string_agg(name || ' ' || hold_reason || ' ' ||"
                " round(extract(epoch FROM hold_until - now()) / 3600), ',')"
                " FROM ledger.credentials WHERE hold_until > now()",
                row->held);
    cell_expect(&c,
                "SELECT coalesce(string_agg(w.key || ' ' || (w.value->>'status') || ' ' ||"
                " round(extract(epoch FROM (w.value->>'resets_at')::timestamptz - now()) / 3600),"
                " ','), '') FROM ledger.credentials, jsonb_each(windows) AS w WHERE name = 'a'"
                " AND (w.value->>'seen_at')::timestamptz <= now()",
                row->windows);
    cell_close(&c);
}

static int up(void **state)
{
    fx_not_isolated = true;
    return fx_up(state) == 0 ? cell_make_template(state) : -1;
}

static int down(void **state)
{
    (void)cell_drop_template(state);
    return fx_down(state);
}

int main(void)
{
    struct CMUnitTest tests[COUNTOF(rows)];

    for (size_t i = 0; i < COUNTOF(rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = another_one_goes_on,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("held credentials", tests, up, down);
}
