/* SPDX-License-Identifier: Apache-2.0 */
/* Property: however a client writes what form of an answer it takes, how much it wants one is
 * within bounds; a dead letter's id that is accepted is its parts, and nothing else. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "api/accept.h"
#include "api/letter_id.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_accept(const char *header)
{
    static const char *const types[] = {"application/json", "text/event-stream"};

    for (size_t i = 0; i < COUNTOF(types); i++) {
        int q = accept_quality(header, types[i]);

        assert(q >= 0 && q <= 1000);
    }
}

static void check_letter(struct str text)
{
    AUTO_BUF again = BUF_INIT(LETTER_ID_MAX + 1);
    struct letter_id id;

    if (!letter_id_parse(text, &id))
        return;
    buf_addf(&again, "%s-%s-%s", id.topic, id.partition, id.offset);
    assert(again.rc == ERR_OK);
    assert(str_eq(buf_str(&again), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);

    assert(text);
    memcpy(text, data, size);
    text[size] = '\0';
    check_accept(text);
    check_letter((struct str){(const char *)data, size});
    free(text);
    return 0;
}
