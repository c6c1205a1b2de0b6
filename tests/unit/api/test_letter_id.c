/* SPDX-License-Identifier: Apache-2.0 */
/* A dead letter's id is its topic, partition and offset; what Postgres would not take is none. */
#include "tests/lib/table.h"

#include "api/letter_id.h"

#include "common/banned.h"

static struct row {
    const char *name, *text, *topic, *partition, *offset; /* topic NULL: none */
} rows[] = {
    {"a letter", "sandfleet.runs.dlq-0-17", "sandfleet.runs.dlq", "0", "17"},
    {"a topic with dashes", "a-b-c-3-0", "a-b-c", "3", "0"},
    {"the last places", "t-2147483647-9223372036854775807", "t", "2147483647",
     "9223372036854775807"},
    {"a partition too far", "t-2147483648-1", NULL, NULL, NULL},
    {"an offset too far", "t-1-9223372036854775808", NULL, NULL, NULL},
    {"leading zeros", "t-1-01", NULL, NULL, NULL},
    {"no numbers", "t-x-y", NULL, NULL, NULL},
    {"one number", "t-1", NULL, NULL, NULL},
    {"below zero", "t-1--1", NULL, NULL, NULL},
    {"no topic", "-1-1", NULL, NULL, NULL},
    {"nothing", "", NULL, NULL, NULL},
    {"a dash", "-", NULL, NULL, NULL},
};

static void check(void **state)
{
    const struct row *row = *state;
    struct letter_id id;

    assert_int_equal(letter_id_parse(str_of(row->text), &id), row->topic != NULL);
    if (!row->topic)
        return;
    assert_string_equal(id.topic, row->topic);
    assert_string_equal(id.partition, row->partition);
    assert_string_equal(id.offset, row->offset);
}

int main(void)
{
    return TABLE_RUN("letter id", rows, check);
}
