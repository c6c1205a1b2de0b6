/* SPDX-License-Identifier: Apache-2.0 */
/* Gives every seed of a fuzz target to it once, without libFuzzer: so each build, with
 * any compiler, keeps the inputs that once found something. argv[1]: the seeds' folder. */
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/attrs.h"
#include "common/banned.h"

enum { SEED_MAX = 8 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A heap block of the seed's very size, so that a read past its end is seen. */
static bool replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END) != 0)
        return false;
    long size = ftell(f);
    if (size < 0 || size > SEED_MAX || fseek(f, 0, SEEK_SET) != 0)
        return false;
    uint8_t *data = malloc((size_t)size + !size);
    if (!data || fread(data, 1, (size_t)size, f) != (size_t)size)
        return false;
    fclose(f);
    LLVMFuzzerTestOneInput(data, (size_t)size);
    free(data);
    return true;
}

int main(int argc, char **argv)
{
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    int seeds = 0;
    if (!folder) {
        fprintf(stderr, "no folder of seeds: %s\n", argc == 2 ? argv[1] : "(none given)");
        return 2;
    }
    for (struct dirent *entry; (entry = readdir(folder));) {
        char path[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", argv[1], entry->d_name);
        if (!replay(path)) {
            fprintf(stderr, "cannot read %s\n", path);
            return 2;
        }
        seeds++;
    }
    closedir(folder);
    printf("%d seeds\n", seeds);
    return seeds ? 0 : 1;
}
