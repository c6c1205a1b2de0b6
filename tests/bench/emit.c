/* SPDX-License-Identifier: Apache-2.0 */
/* emit LINES RATE BYTES: prints LINES lines of BYTES bytes, RATE a second (0: as fast as they
 * are taken), one write each, as an agent does:  {"n":1,"t":<unix us>,"pad":"xxx…"}
 * The last has the SHA-256 of all before it:      {"n":9,"t":<unix us>,"sum":"…","pad":"xxx…"}
 * What could not be written in time is caught up with. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "common/banned.h"

enum { MAX_BYTES = 64 << 10, HEAD_MAX_BYTES = 192 };

static int64_t now_us(clockid_t clock)
{
    struct timespec t;

    (void)clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void wait_until(int64_t us)
{
    const struct timespec t = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};

    (void)clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int write_all(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t w = write(STDOUT_FILENO, p, n);

        if (w <= 0)
            return -1;
        p += w;
        n -= (size_t)w;
    }
    return 0;
}

/* The line but its padding; its length. */
static int head_of(char *line, int64_t n, crypto_hash_sha256_state *last)
{
    unsigned char digest[crypto_hash_sha256_BYTES];
    char sum[2 * sizeof(digest) + 1];
    int len = snprintf(line, MAX_BYTES, "{\"n\":%" PRId64 ",\"t\":%" PRId64 ",", n,
                       now_us(CLOCK_REALTIME));

    if (last) {
        (void)crypto_hash_sha256_final(last, digest);
        len += snprintf(line + len, (size_t)(MAX_BYTES - len), "\"sum\":\"%s\",",
                        sodium_bin2hex(sum, sizeof(sum), digest, sizeof(digest)));
    }
    return len + snprintf(line + len, (size_t)(MAX_BYTES - len), "\"pad\":\"");
}

int main(int argc, char **argv)
{
    static char line[MAX_BYTES];
    crypto_hash_sha256_state hash;
    int64_t lines = argc > 1 ? strtoll(argv[1], NULL, 10) : 0;
    int64_t rate = argc > 2 ? strtoll(argv[2], NULL, 10) : 0;
    size_t bytes = argc > 3 ? strtoul(argv[3], NULL, 10) : 0;
    int64_t start = now_us(CLOCK_MONOTONIC);

    if (argc != 4 || bytes < HEAD_MAX_BYTES || bytes > MAX_BYTES) {
        (void)fprintf(stderr, "usage: emit LINES RATE BYTES   (BYTES %d..%d)\n", HEAD_MAX_BYTES,
                      MAX_BYTES);
        return 2;
    }
    (void)crypto_hash_sha256_init(&hash);
    for (int64_t n = 1; n <= lines; n++) {
        int head;

        if (rate > 0)
            wait_until(start + n * 1000000 / rate);
        head = head_of(line, n, n == lines ? &hash : NULL);
        memset(line + head, 'x', bytes - (size_t)head);
        memcpy(line + bytes - 3, "\"}\n", 3);
        (void)crypto_hash_sha256_update(&hash, (const unsigned char *)line, bytes);
        if (write_all(line, bytes) != 0)
            return 1;
    }
    return 0;
}
