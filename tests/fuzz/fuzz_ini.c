/* SPDX-License-Identifier: Apache-2.0 */
/* Property: whatever the bytes, they are refused with a line, or hold entries which, written down
 * again, read back as the same ones. */
#include <assert.h>
#include <string.h>

#include "common/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_down(const struct ini *ini, struct buf *out)
{
    size_t section = 0;

    for (size_t i = 0; i < ini->n_entries; i++) {
        const struct ini_entry *e = &ini->entries[i];

        while (section < e->section)
            buf_addf(out, "[%s]\n", ini->sections[++section].name);
        buf_addf(out, "%s = ", e->key);
        ini_put_value(out, str_of(e->value));
        buf_addc(out, '\n');
    }
}

static void check_same(const struct ini *a, const struct ini *b)
{
    assert(a->n_entries == b->n_entries);
    for (size_t i = 0; i < a->n_entries; i++) {
        assert(a->entries[i].section == b->entries[i].section);
        assert(strcmp(a->entries[i].key, b->entries[i].key) == 0);
        assert(strcmp(a->entries[i].value, b->entries[i].value) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF text = BUF_INIT(16 << 20);
    struct err err = ERR_INIT;
    struct ini first, second;

    if (ini_parse("f", (struct str){(const char *)data, size}, &first, &err) != ERR_OK) {
        assert(err.code == ERR_CONFIG && strncmp(err.msg, "f:", 2) == 0);
        return 0;
    }
    write_down(&first, &text);
    if (text.len <= INI_MAX_BYTES) {
        assert(ini_parse("f", buf_str(&text), &second, &err) == ERR_OK);
        check_same(&first, &second);
        ini_release(&second);
    }
    ini_release(&first);
    return 0;
}
