/* SPDX-License-Identifier: Apache-2.0 */
/* Properties: a time that is read and can be written reads back as itself; a duration that is
 * read is not negative, and its written form is a duration, too, and no longer one. */
#include <assert.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/uuid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_time(struct str s)
{
    char text[CLOCK_TEXT];
    int64_t ms, again;

    if (!clock_parse_rfc3339(s, &ms) || ms < 0 || ms > INT64_C(253402300799999))
        return;
    assert(clock_parse_rfc3339(str_of(clock_rfc3339(ms, text)), &again));
    assert(again == ms);
}

static void check_duration(struct str s)
{
    char text[CLOCK_TEXT];
    int64_t ms, again;

    if (!clock_parse_duration(s, &ms))
        return;
    assert(ms >= 0);
    assert(clock_parse_duration(str_of(clock_duration(ms, text)), &again));
    assert(again <= ms);
}

static void check_uuid(struct str s)
{
    char text[UUID_TEXT];
    uint8_t bytes[16];

    if (!uuid_bytes(s, bytes))
        return;
    uuid_text(bytes, text);
    assert(str_is(s, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str s = {(const char *)data, size};

    check_time(s);
    check_duration(s);
    check_uuid(s);
    return 0;
}
