/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: through its door a sandbox reaches what it may and nothing else, every byte both ways,
 * and a rule's header is added outside. Proof: a real door and a real origin; the sandbox and the
 * origin are played by a child process that may block, each story a function of it. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandboxd/egress/egress.h"
#include "tests/lib/table.h"

enum { BIG = 3 << 20, CHILD_S = 20 };

struct world {
    char folder[64];
    int origin, port; /* a listening socket on loopback */
    struct loop *loop;
    struct egress *egress;
    struct door *door;
    pid_t child;
    int status;
};

/* --- the child's side --------------------------------------------------------- */

#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

static int knock(const struct world *w)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    snprintf(name.sun_path, sizeof(name.sun_path), "%s/egress.sock", w->folder);
    MUST(connect(fd, (const struct sockaddr *)&name, sizeof(name)) == 0);
    return fd;
}

static void say(int fd, const char *text)
{
    MUST(send(fd, text, strlen(text), 0) == (ssize_t)strlen(text));
}

/* Reads until `text` was seen or the end; what came, terminated. */
static size_t hear(int fd, const char *text, char *into, size_t room)
{
    size_t have = 0;
    ssize_t n;

    into[0] = '\0';
    while (have + 1 < room && (text == NULL || strstr(into, text) == NULL) &&
           (n = recv(fd, into + have, room - 1 - have, 0)) > 0) {
        have += (size_t)n;
        into[have] = '\0';
    }
    return have;
}

static void tunnel(const struct world *w)
{
    static char bytes[BIG], back[BIG];
    char text[256], request[128];
    int fd = knock(w);

    snprintf(request, sizeof(request), "CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\nearly", w->port);
    say(fd, request);
    int at = accept(w->origin, NULL, NULL);
    hear(at, "early", text, sizeof(text));
    MUST(strcmp(text, "early") == 0); /* and nothing of the head */
    hear(fd, "\r\n\r\n", text, sizeof(text));
    MUST(strncmp(text, "HTTP/1.1 200 ", 13) == 0);
    for (size_t i = 0; i < BIG; i++)
        bytes[i] = (char)(i * 2654435761U >> 13);
    if (fork() == 0) { /* both ways at once, more than any buffer holds */
        for (size_t n = 0; n < BIG;)
            n += (size_t)send(at, bytes + n, BIG - n, 0);
        _exit(0);
    }
    for (size_t have = 0; have < BIG;) {
        ssize_t n = recv(fd, back + have, BIG - have, 0);
        MUST(n > 0);
        have += (size_t)n;
    }
    MUST(memcmp(bytes, back, BIG) == 0);
}

static void upload(const struct world *w)
{
    static char back[BIG + 1];
    char text[256], request[128];
    int fd = knock(w), status;

    snprintf(request, sizeof(request), "CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n", w->port);
    say(fd, request);
    int at = accept(w->origin, NULL, NULL);
    hear(fd, "\r\n\r\n", text, sizeof(text));
    pid_t writer = fork();
    if (writer == 0) {
        static char bytes[BIG];
        close(at);
        memset(bytes, 'u', sizeof(bytes));
        for (size_t n = 0; n < BIG;)
            n += (size_t)send(fd, bytes + n, BIG - n, 0);
        shutdown(fd, SHUT_WR);
        hear(fd, NULL, text, sizeof(text)); /* the answer comes behind our end */
        _exit(strcmp(text, "thanks") == 0 ? 0 : 1);
    }
    close(fd);
    MUST(hear(at, NULL, back, sizeof(back)) == BIG);
    say(at, "thanks");
    close(at);
    MUST(waitpid(writer, &status, 0) == writer && status == 0);
}

static void rule(const struct world *w)
{
    char text[1024], request[256];
    int fd = knock(w);

    snprintf(request, sizeof(request),
             "GET http://127.0.0.1:%d/v1 HTTP/1.1\r\nX-Api-Key: dummy\r\nAccept: a\r\n\r\n",
             w->port);
    say(fd, request);
    int at = accept(w->origin, NULL, NULL);
    hear(at, "\r\n\r\n", text, sizeof(text));
    MUST(strncmp(text, "GET /v1 HTTP/1.1\r\n", 18) == 0);
    MUST(strstr(text, "x-api-key: the-secret\r\n") != NULL);
    MUST(strstr(text, "dummy") == NULL && strstr(text, "Accept: a\r\n") != NULL);
    say(at, "HTTP/1.1 200 OK\r\n\r\nfirst ");
    hear(fd, "first ", text, sizeof(text)); /* before the answer's end */
    say(at, "last");
    close(at);
    hear(fd, NULL, text, sizeof(text));
    MUST(strcmp(text, "last") == 0);
}

static void answered(const struct world *w, const char *request, const char *status)
{
    char text[1024];
    int fd = knock(w);

    say(fd, request);
    hear(fd, NULL, text, sizeof(text));
    if (strncmp(text, status, strlen(status)) != 0)
        fprintf(stderr, "'%s' was answered '%s'\n", request, text);
    MUST(strncmp(text, status, strlen(status)) == 0);
}

static void refusals(const struct world *w)
{
    char closed[128];

    answered(w, "CONNECT 127.0.0.1:9 HTTP/1.1\r\n\r\n", "HTTP/1.1 403 "); /* not its port */
    answered(w, "CONNECT localhost:9 HTTP/1.1\r\n\r\n", "HTTP/1.1 403 ");
    answered(w, "GET http://[::1]/ HTTP/1.1\r\n\r\n", "HTTP/1.1 403 ");
    answered(w, "GET http://0x7f.1/ HTTP/1.1\r\n\r\n", "HTTP/1.1 403 ");
    answered(w, "GET http://2130706433/ HTTP/1.1\r\n\r\n", "HTTP/1.1 403 ");
    answered(w, "GET http://169.254.169.254/latest HTTP/1.1\r\n\r\n", "HTTP/1.1 403 ");
    answered(w, "CONNECT 8.8.8.8:443 HTTP/1.1\r\n\r\n", "HTTP/1.1 403 "); /* by its rules */
    answered(w, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 ");
    shutdown(w->origin, SHUT_RDWR); /* nobody listens there any more, whoever holds it */
    snprintf(closed, sizeof(closed), "CONNECT 127.0.0.1:%d HTTP/1.1\r\n\r\n", w->port);
    answered(w, closed, "HTTP/1.1 502 ");
}

/* --- the world -------------------------------------------------------------------- */

static struct row {
    const char *name;
    void (*story)(const struct world *w);
} rows[] = {{"tunnel", tunnel}, {"upload", upload}, {"rule", rule}, {"refusals", refusals}};

static void on_child(void *ctx)
{
    struct world *w = ctx;

    if (waitpid(w->child, &w->status, WNOHANG) == w->child)
        loop_stop(w->loop);
}

static void make_origin(struct world *w)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    w->origin = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (w->port = 21000; w->port < 32000; w->port++) {
        a.sin_port = htons((uint16_t)w->port);
        if (bind(w->origin, (const struct sockaddr *)&a, sizeof(a)) == 0)
            break;
    }
    assert_int_equal(listen(w->origin, 8), 0);
}

static void open_door(struct world *w)
{
    char local[64];
    char *items[] = {local};
    struct opt_list list = {.items = items, .n = 1};
    static const char text[] =
        "{\"denyOut\":[\"0.0.0.0/0\"],\"rules\":{\"127.0.0.1\":[{\"transform\":"
        "{\"headers\":{\"x-api-key\":\"the-secret\"}}}]}}";
    cJSON *network = cJSON_Parse(text);
    struct door_opts opts = {
        .folder = w->folder, .sandbox = "i1", .uid = geteuid(), .gid = getegid()};
    struct err e = ERR_INIT;

    snprintf(local, sizeof(local), "127.0.0.1:%d", w->port);
    assert_int_equal(egress_rules_new(network, true, &opts.rules, &e), ERR_OK);
    assert_int_equal(loop_new(&w->loop, &e), ERR_OK);
    assert_int_equal(egress_new(w->loop, &(struct egress_opts){.local = &list}, &w->egress, &e),
                     ERR_OK);
    assert_int_equal(door_open(w->egress, &opts, &w->door, &e), ERR_OK);
    cJSON_Delete(network);
}

static void check(void **state)
{
    const struct row *row = *state;
    struct world w = {.folder = "/tmp/egress-XXXXXX"};
    struct stat st;
    char path[96];
    struct err e = ERR_INIT;

    assert_non_null(mkdtemp(w.folder));
    make_origin(&w);
    open_door(&w);
    snprintf(path, sizeof(path), "%s/egress.sock", w.folder);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(loop_on_signal(w.loop, SIGCHLD, on_child, &w, &e), ERR_OK);
    w.child = fork();
    if (w.child == 0) {
        alarm(CHILD_S);
        row->story(&w);
        _exit(0);
    }
    loop_run(w.loop);
    assert_int_equal(w.status, 0);
    door_close(w.door);
    egress_free(w.egress);
    loop_free(w.loop);
    close(w.origin);
    unlink(path);
    rmdir(w.folder);
}

int main(void)
{
    return TABLE_RUN("door", rows, check);
}
