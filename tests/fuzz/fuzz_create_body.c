/* SPDX-License-Identifier: Apache-2.0 */
/* Property: the body of a create request is accepted within its bounds or refused with a reason;
 * a template's name that is accepted is one harmless segment of a path. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/json/json.h"
#include "sandboxd/control/new_sandbox.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_name(struct str text)
{
    struct template_ref ref, again;

    if (template_ref_parse(text, &ref, NULL) != ERR_OK)
        return;
    assert(ref.name[0] != '\0' && ref.name[0] != '.' && strchr(ref.name, '/') == NULL);
    assert(template_ref_parse(str_of(ref.name), &again, NULL) == ERR_OK);
    assert(strcmp(ref.name, again.name) == 0 && again.tag[0] == '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = {(const char *)data, size};
    AUTO_JSON *body = NULL;
    struct new_sandbox out;

    try_name(text);
    if (json_parse(text, 0, &body, NULL) != ERR_OK)
        return 0;
    for (int v2 = 0; v2 < 2; v2++) {
        struct err e = ERR_INIT;

        if (new_sandbox_parse(body, v2 != 0, &out, &e) != ERR_OK) {
            assert(e.msg[0] != '\0');
            continue;
        }
        assert(out.timeout_s > 0 && out.timeout_s <= TIMEOUT_MAX_S && (out.secure || v2 == 0));
        try_name(out.template);
    }
    return 0;
}
