/* SPDX-License-Identifier: Apache-2.0 */
/* bench.readers PORT TENANT_AND_RUNS_FILE READERS: that many readers of event streams, spread over
 * the runs that the file lists one a line, in one epoll loop. A line "at=UNIX_MICROSECONDS" in an
 * event's data says when it was printed; the time until its bytes are here is kept.
 *
 * On stdin a line each:  figures   prints what was since the last time, and begins anew
 *                        quit      ends
 * Prints a line each:    open N
 *   figures EVENTS BYTES P50_US P90_US P99_US P999_US MAX_US BROKEN GAPS
 * BROKEN: streams that ended or failed; GAPS: events that are not the one behind the last. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/banned.h"

enum { RUNS_MAX = 100000, ID = 36, READ_BYTES = 256 << 10, LEFT_MAX = 2 << 20, WAVE = 200 };
enum { BUCKET_US = 50, BUCKETS = 200000 }; /* up to 10 s */

struct reader {
    int fd;
    bool open, broken;
    int64_t id;      /* of the last event */
    struct buf left; /* of an unfinished line */
};

static struct {
    int epoll, port;
    struct reader *readers;
    size_t n, open, pending;
    char (*runs)[ID + 1];
    size_t n_runs;
    uint32_t *buckets;
    int64_t events, bytes, timed, max_us, broken, gaps;
    char piece[READ_BYTES];
} b;

static int64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void read_runs(const char *path)
{
    FILE *f = fopen(path, "re");

    b.runs = calloc(RUNS_MAX, sizeof(*b.runs));
    if (!f || !b.runs)
        die(path);
    while (b.n_runs < RUNS_MAX && fscanf(f, "%36s", b.runs[b.n_runs]) == 1)
        b.n_runs++;
    fclose(f);
}

/* --- a reader ----------------------------------------------------------------------------- */

static void begin(struct reader *r, size_t i)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)b.port)};
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = r};
    char ask[256];
    int n = snprintf(ask, sizeof(ask),
                     "GET /v1/runs/%s/events HTTP/1.1\r\nHost: bench\r\nAccept: "
                     "text/event-stream\r\n\r\n",
                     b.runs[i % b.n_runs]);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *r = (struct reader){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                         .left = BUF_INIT(LEFT_MAX)};
    if (r->fd < 0 || connect(r->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        send(r->fd, ask, (size_t)n, MSG_NOSIGNAL) != n || fcntl(r->fd, F_SETFL, O_NONBLOCK) != 0 ||
        epoll_ctl(b.epoll, EPOLL_CTL_ADD, r->fd, &ev) != 0)
        die("a reader");
    b.pending++;
}

static void take_time(const char *at, int64_t now)
{
    int64_t us = now - strtoll(at + 3, NULL, 10);
    size_t bucket = us < 0 ? 0 : (size_t)us / BUCKET_US;

    b.buckets[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    b.max_us = us > b.max_us ? us : b.max_us;
    b.timed++;
}

/* Chunk sizes are lines of their own, and are passed over as such. */
static void take_line(struct reader *r, struct str line, int64_t now)
{
    const char *at;

    if (str_starts(line, "id: ")) {
        int64_t id = strtoll(line.p + 4, NULL, 10);

        b.gaps += r->id > 0 && id != r->id + 1;
        r->id = id;
        b.events++;
    } else if (str_starts(line, "data: ")) {
        at = memmem(line.p, line.n, "\"at=", 4);
        if (at)
            take_time(at + 1, now);
    } else if (!r->open && str_starts(line, "HTTP/1.1 200")) {
        r->open = true;
        b.open++;
        b.pending--;
    }
}

static void take(struct reader *r, struct str piece, int64_t now)
{
    const char *end;

    while ((end = memchr(piece.p, '\n', piece.n))) {
        struct str line = {piece.p, (size_t)(end - piece.p)};

        piece.n -= line.n + 1;
        piece.p = end + 1;
        if (r->left.len) {
            buf_addstr(&r->left, line);
            take_line(r, buf_str(&r->left), now);
            buf_release(&r->left);
        } else {
            take_line(r, line, now);
        }
    }
    buf_addstr(&r->left, piece);
}

static void on_readable(struct reader *r)
{
    ssize_t n = recv(r->fd, b.piece, sizeof(b.piece), 0);

    if (n > 0) {
        b.bytes += n;
        take(r, (struct str){b.piece, (size_t)n}, now_us());
    } else if (n == 0 || errno != EAGAIN) {
        (void)epoll_ctl(b.epoll, EPOLL_CTL_DEL, r->fd, NULL);
        r->broken = true;
        b.broken++;
    }
}

/* --- figures -------------------------------------------------------------------------------- */

static int64_t percentile(int64_t of_1000)
{
    int64_t want = b.timed * of_1000 / 1000, seen = 0;

    for (size_t i = 0; i < BUCKETS; i++)
        if ((seen += b.buckets[i]) > want)
            return (int64_t)(i + 1) * BUCKET_US;
    return 0;
}

static void figures(void)
{
    (void)printf("figures %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64 " %" PRId64
                 " %" PRId64 " %" PRId64 " %" PRId64 "\n",
                 b.events, b.bytes, percentile(500), percentile(900), percentile(990),
                 percentile(999), b.max_us, b.broken, b.gaps);
    (void)fflush(stdout);
    memset(b.buckets, 0, BUCKETS * sizeof(*b.buckets));
    b.events = b.bytes = b.timed = b.max_us = 0;
}

static bool command(void)
{
    char line[64];
    ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

    if (n <= 0 || memchr(line, 'q', (size_t)n))
        return false;
    figures();
    return true;
}

static bool turn(void)
{
    struct epoll_event ready[256];
    int n = epoll_wait(b.epoll, ready, 256, -1);

    for (int i = 0; i < n; i++) {
        if (!ready[i].data.ptr) {
            if (!command())
                return false;
        } else {
            on_readable(ready[i].data.ptr);
        }
    }
    return true;
}

int main(int argc, char **argv)
{
    struct rlimit files;
    struct epoll_event ev = {.events = EPOLLIN};
    bool told = false;

    if (argc != 4)
        return 2;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    b.port = (int)strtol(argv[1], NULL, 10);
    read_runs(argv[2]);
    b.n = strtoull(argv[3], NULL, 10);
    b.readers = calloc(b.n, sizeof(*b.readers));
    b.buckets = calloc(BUCKETS, sizeof(*b.buckets));
    b.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!b.readers || !b.buckets || b.epoll < 0 || b.n_runs == 0 ||
        epoll_ctl(b.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &ev) != 0)
        die("readers");
    for (size_t i = 0; i < b.n || !told;) {
        if (i < b.n && b.pending < WAVE) {
            begin(&b.readers[i], i);
            i++;
            continue;
        }
        if (!turn())
            return 0;
        if (!told && b.open + (size_t)b.broken == b.n) {
            told = true;
            (void)printf("open %zu\n", b.open);
            (void)fflush(stdout);
        }
    }
    while (turn())
        continue;
    return 0;
}
