/* SPDX-License-Identifier: Apache-2.0 */
/* main() of a fuzz target without a fuzzer: runs it on the empty input and on
 * every file of the folder that argv[1] names. With --torture before it each allocation fails once.
 */
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buf.h"
#include "tests/lib/torture.h"

enum { PATH_MAX_BYTES = 4096, SEED_MAX_BYTES = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool tortures;
static size_t failed; /* allocations, so far */

static void die(const char *path)
{
    (void)fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
    exit(1);
}

/* A copy of exactly this size lets ASan see a read past the end. */
static void run(struct str seed)
{
    uint8_t *exact = malloc(seed.n ? seed.n : 1);

    if (!exact)
        die("malloc");
    if (seed.n > 0)
        memcpy(exact, seed.p, seed.n);
    if (tortures)
        failed += torture_run(LLVMFuzzerTestOneInput, exact, seed.n);
    else
        (void)LLVMFuzzerTestOneInput(exact, seed.n);
    free(exact);
}

static void run_file(const char *path)
{
    AUTO_BUF seed = BUF_INIT(SEED_MAX_BYTES);
    FILE *f = fopen(path, "rb");
    char piece[4096];
    size_t n;

    if (!f)
        die(path);
    while ((n = fread(piece, 1, sizeof piece, f)) > 0)
        buf_add(&seed, piece, n);
    if (ferror(f) || seed.rc != ERR_OK)
        die(path);
    (void)fclose(f);
    run(buf_str(&seed));
}

static int run_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    int seeds = 0;

    if (!dir)
        die(folder);
    while ((entry = readdir(dir)) != NULL) {
        AUTO_BUF path = BUF_INIT(PATH_MAX_BYTES);

        if (entry->d_name[0] == '.')
            continue;
        buf_addf(&path, "%s/%s", folder, entry->d_name);
        if (path.rc != ERR_OK)
            die(folder);
        run_file(path.p);
        seeds++;
    }
    (void)closedir(dir);
    return seeds;
}

int main(int argc, char **argv)
{
    int seeds;

    tortures = argc == 3 && strcmp(argv[1], "--torture") == 0;
    if (argc != 2 && !tortures) {
        (void)fprintf(stderr, "usage: %s [--torture] FOLDER\n", argv[0]);
        return 2;
    }
    run((struct str){"", 0});
    seeds = run_folder(argv[argc - 1]);
    if (tortures)
        (void)printf("%d seeds, %zu allocations failed\n", seeds, failed);
    else
        (void)printf("%d seeds replayed\n", seeds);
    return seeds > 0 ? 0 : 1;
}
