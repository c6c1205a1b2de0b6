/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a signed URL opens exactly what was signed, for as long as was said.
 * Proof: signatures made by another program (sha256sum, base64), and each of their parts changed.
 */
#include <string.h>

#include "sandboxd/envd/files_sign.h"
#include "tests/lib/table.h"

enum { NOW = 1700000000 };
#define SIGNED "v1_Ox9WDtf1F77yGr1/mmuJib8aFWRztp6PDU6DaGMdIOg" /* of "x y:read::token" */
#define UNTIL  "v1_EN2AyEgTfZ1SHzFUDNYlVuZbSlNj9+GuQl+cEb9YHac" /* … ":user:token:1700000060" */
#define WRONG  "invalid signature"

static struct row {
    const char *name, *path, *user, *signature, *expiration, *operation, *token, *want;
} rows[] = {
    {"for ever", "x y", NULL, SIGNED, NULL, "read", "token", NULL},
    {"an empty user is none", "x y", "", SIGNED, NULL, "read", "token", NULL},
    {"for a minute", "x y", "user", UNTIL, "1700000060", "read", "token", NULL},
    {"none", "x y", NULL, NULL, NULL, "read", "token", "missing signature query parameter"},
    {"another path", "x", NULL, SIGNED, NULL, "read", "token", WRONG},
    {"another operation", "x y", NULL, SIGNED, NULL, "write", "token", WRONG},
    {"another user", "x y", "user", SIGNED, NULL, "read", "token", WRONG},
    {"another sandbox", "x y", NULL, SIGNED, NULL, "read", "other", WRONG},
    {"a later end", "x y", "user", UNTIL, "1700000061", "read", "token", WRONG},
    {"an end left out", "x y", "user", UNTIL, NULL, "read", "token", WRONG},
    {"an end that is no number", "x y", "user", UNTIL, "soon", "read", "token", WRONG},
    {"cut short", "x y", NULL, "v1_Ox9WDtf1F77yGr1/mmuJib8aFWRztp6PDU6DaGMdIO", NULL, "read",
     "token", WRONG},
    {"padded", "x y", NULL, SIGNED "=", NULL, "read", "token", WRONG},
    {"empty", "x y", NULL, "", NULL, "read", "token", WRONG},
};

static struct file_sign sign_of(const struct row *row)
{
    return (struct file_sign){.path = str_of(row->path),
                              .user = str_of(row->user),
                              .signature = str_of(row->signature),
                              .expiration = str_of(row->expiration),
                              .operation = row->operation,
                              .token = row->token};
}

static void check(void **state)
{
    const struct row *row = *state;
    const struct file_sign s = sign_of(row);
    const char *got = file_sign_refusal(&s, NOW);

    assert_string_equal(got != NULL ? got : "fine", row->want != NULL ? row->want : "fine");
}

static void ends_in_time(void **state)
{
    const struct file_sign s = sign_of(&rows[2]);

    (void)state;
    assert_null(file_sign_refusal(&s, NOW + 60));
    assert_string_equal(file_sign_refusal(&s, NOW + 61), "signature is already expired");
}

int main(void)
{
    const struct CMUnitTest more[] = {cmocka_unit_test(ends_in_time)};
    int failed = TABLE_RUN("signature", rows, check);

    return failed + cmocka_run_group_tests_name("signature", more, NULL, NULL);
}
