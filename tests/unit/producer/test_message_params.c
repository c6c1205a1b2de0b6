/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a Message Batches line becomes a run where it can, and what has no meaning for an agent
 * is refused with its place rather than ignored.
 * Proof: params as rows; what comes out, or the pointer to what is refused. */
#include <string.h>

#include "common/json/json.h"
#include "producer/batch/message_params.h"
#include "tests/lib/table.h"

#define HI   "\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]"
#define SAID "\"prompt\":\"hi\""

static struct row {
    const char *name, *params, *want; /* want: members, or a pointer */
} rows[] = {
    {"as documented", "{\"model\":\"m\",\"max_tokens\":1024," HI "}", "\"model\":\"m\"," SAID},
    {"messages alone", "{" HI "}", SAID},
    {"one block",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}]}]}",
     SAID},
    {"two blocks",
     "{\"messages\":[{\"content\":[{\"type\":\"text\",\"text\":\"a\"}, "
     "{\"text\":\"b\\n\",\"type\":\"text\","
     "\"cache_control\":{\"type\":\"ephemeral\"}}],\"role\":\"user\"}]}",
     "\"prompt\":\"a\\n\\nb\\n\""},
    {"system", "{" HI ",\"system\":\"be brief\"}", SAID ",\"system_prompt\":\"be brief\""},
    {"system in blocks", "{" HI ",\"system\":[{\"type\":\"text\",\"text\":\"be\"}]}",
     SAID ",\"system_prompt\":\"be\""},
    {"no system", "{" HI ",\"system\":\"\"}", SAID},
    {"user", "{" HI ",\"metadata\":{\"user_id\":\"u-1\"}}", SAID ",\"user_id\":\"u-1\""},
    {"no user", "{" HI ",\"metadata\":{\"user_id\":null}}", SAID},
    {"format",
     "{" HI
     ",\"output_config\":{\"format\":{\"type\":\"json_schema\",\"schema\":{\"type\":\"object\"}}}}",
     SAID ",\"json_schema\":{\"type\":\"object\"}"},
    {"what says nothing",
     "{" HI ",\"stream\":false,\"temperature\":1.0,\"tools\":[],\"stop_sequences\":[],\"service_"
     "tier\":\"auto\","
     "\"top_p\":null,\"cache_control\":{\"type\":\"ephemeral\"}}",
     SAID},
    {"empty", "{}", "/params/messages"},
    {"no object", "[]", "/params"},
    {"no messages", "{\"messages\":[]}", "/params/messages"},
    {"messages is a text", "{\"messages\":\"hi\"}", "/params/messages"},
    {"a conversation",
     "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":"
     "\"b\"}]}",
     "/params/messages/1"},
    {"the assistant's", "{\"messages\":[{\"role\":\"assistant\",\"content\":\"b\"}]}",
     "/params/messages/0/role"},
    {"no role", "{\"messages\":[{\"content\":\"b\"}]}", "/params/messages/0/role"},
    {"no content", "{\"messages\":[{\"role\":\"user\"}]}", "/params/messages/0/content"},
    {"content is a number", "{\"messages\":[{\"role\":\"user\",\"content\":1}]}",
     "/params/messages/0/content"},
    {"no block", "{\"messages\":[{\"role\":\"user\",\"content\":[]}]}",
     "/params/messages/0/content"},
    {"an image",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":"
     "\"image\",\"source\":{}}]}]}",
     "/params/messages/0/content/1/type"},
    {"a block without text",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\"}]}]}",
     "/params/messages/0/content/0/text"},
    {"a block with more",
     "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"a\","
     "\"citations\":[1]}]}]}",
     "/params/messages/0/content/0/citations"},
    {"more in a message", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\",\"x/y\":1}]}",
     "/params/messages/0/x~1y"},
    {"max_tokens 0", "{" HI ",\"max_tokens\":0}", "/params/max_tokens"},
    {"max_tokens 1.5", "{" HI ",\"max_tokens\":1.5}", "/params/max_tokens"},
    {"stream", "{" HI ",\"stream\":true}", "/params/stream"},
    {"temperature", "{" HI ",\"temperature\":0}", "/params/temperature"},
    {"tools", "{" HI ",\"tools\":[{\"name\":\"x\"}]}", "/params/tools"},
    {"thinking", "{" HI ",\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024}}",
     "/params/thinking"},
    {"effort", "{" HI ",\"output_config\":{\"effort\":\"high\"}}", "/params/output_config/effort"},
    {"another format", "{" HI ",\"output_config\":{\"format\":{\"type\":\"text\"}}}",
     "/params/output_config/format/type"},
    {"no schema", "{" HI ",\"output_config\":{\"format\":{\"type\":\"json_schema\"}}}",
     "/params/output_config/format/schema"},
    {"other metadata", "{" HI ",\"metadata\":{\"a\":1}}", "/params/metadata/a"},
    {"unknown", "{" HI ",\"modle\":\"m\"}", "/params/modle"},
    {"twice", "{" HI ",\"model\":\"m\",\"model\":\"n\"}", "/params"},
};

static void check(void **state)
{
    const struct row *row = *state;
    char pointer[POINTER_MAX_BYTES];
    struct json_scan scan;
    struct err err = ERR_INIT;
    bool max_tokens;
    AUTO_BUF out = BUF_INIT(4096);

    assert_int_equal(json_scan(str_of(row->params), NULL, 0, &scan, &err), ERR_OK);
    enum err_code rc = message_params(str_of(row->params), &out, &max_tokens, pointer, &err);
    if (row->want[0] == '/') {
        assert_string_equal(err_name(rc), "INVALID");
        assert_string_equal(pointer, row->want);
        assert_true(err.msg[0] != '\0');
        return;
    }
    if (rc != ERR_OK)
        fail_msg("%s: %s", pointer, err.msg);
    assert_string_equal(out.p, row->want);
    assert_int_equal(max_tokens, strstr(row->params, "max_tokens") != NULL);
}

int main(void)
{
    return TABLE_RUN("message_params", rows, check);
}
