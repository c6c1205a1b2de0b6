/* SPDX-License-Identifier: Apache-2.0 */
/* Promise: a server is spoken to only when its certificate is good, its own and in time; calls
 * share HTTP/2 connections and none waits behind the 100 streams of one; streams have HTTP/1.1
 * connections of their own. Proof: nghttpx before a scripted server. */
#include "tests/unit/common/http_world.h"

#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { MANY = 250, CAP = 100 };

static struct {
    char dir[64];
    bool usable;
} tls;

struct front { /* nghttpx, with a certificate of ours */
    pid_t pid;
    int port;
};

static int shell(const char *script)
{
    char command[2048];
    int status;
    snprintf(command, sizeof command, "cd '%s' && (%s) >log 2>&1", tls.dir, script);
    status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* "good" and "expired" are for "localhost", by the authority "ca". */
static int make_certificates(void **state)
{
    static const char script[] =
        "command -v nghttpx && echo subjectAltName=DNS:localhost >ext"
        " && openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -subj /CN=ca"
        " && openssl req -newkey rsa:2048 -nodes -keyout key -out csr -subj /CN=localhost"
        " && for days in 2 -1; do openssl x509 -req -in csr -CA ca.pem -CAkey ca.key"
        " -CAcreateserial -extfile ext -days $days -out \"cert$days\"; done";
    (void)state;
    snprintf(tls.dir, sizeof tls.dir, "/tmp/sandfleet-tls-XXXXXX");
    if (!mkdtemp(tls.dir))
        return -1;
    tls.usable = shell(script) == 0;
    return 0;
}

static int remove_certificates(void **state)
{
    char command[128];
    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", tls.dir);
    return system(command);
}

static bool listens(int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    to.sin_port = htons((uint16_t)port);
    bool open = connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
    close(fd);
    return open;
}

static void exec_front(const struct world *w, int port, const char *cert)
{
    char front[64], back[64], streams[64], log[96];
    snprintf(front, sizeof front, "-f127.0.0.1,%d", port);
    snprintf(back, sizeof back, "-b127.0.0.1,%d", w->s.port);
    snprintf(streams, sizeof streams, "--frontend-http2-max-concurrent-streams=%d", CAP);
    snprintf(log, sizeof log, "--errorlog-file=%s/nghttpx.log", tls.dir);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (!freopen("/dev/null", "w", stderr))
        _exit(127);
    if (chdir(tls.dir) == 0)
        execlp("nghttpx", "nghttpx", "--conf=/dev/null", "--workers=1", front, back, streams, log,
               "key", cert, NULL);
    _exit(127);
}

/* Somebody else may take a port between our look and its bind: then the next one. */
static struct front front_up(const struct world *w, const char *cert)
{
    struct front f = {.port = w->s.port};
    if (!tls.usable)
        skip(); /* ops/install --dev brings it */
    for (int tries = 0; tries < 20; tries++) {
        while (listens(++f.port))
            continue;
        f.pid = fork();
        if (f.pid == 0)
            exec_front(w, f.port, cert);
        for (int i = 0; i < 1000 && waitpid(f.pid, NULL, WNOHANG) == 0; i++) {
            if (listens(f.port))
                return f;
            poll(NULL, 0, 10);
        }
    }
    fail_msg("nghttpx does not listen");
    return f;
}

static void front_down(struct front *f)
{
    kill(f->pid, SIGKILL);
    waitpid(f->pid, NULL, 0);
}

static struct http *pool(const struct world *w, bool trusted, enum http_version version)
{
    char ca[96];
    struct http *h = NULL;
    const struct http_opts opts = {.ca_file = trusted ? ca : NULL, .version = version};
    snprintf(ca, sizeof ca, "%s/ca.pem", tls.dir);
    assert_int_equal(http_new(w->l, &opts, &h, NULL), ERR_OK);
    return h;
}

static void call_front(struct world *w, struct http *h, const char *host, int port,
                       const char *path, bool stream)
{
    char url[128];
    struct http_call call = {.method = "GET", .url = url, .stream = stream};
    struct http_req *r;
    snprintf(url, sizeof url, "https://%s:%d%s", host, port, path);
    assert_int_equal(http_start(h, &call, &collecting, w, &r, NULL), ERR_OK);
}

/* --- certificates --------------------------------------------------------------- */

static struct row {
    const char *name, *cert, *host;
    bool trusted;
    const char *want;
} rows[] = {
    {"a good one", "cert2", "localhost", true, "OK"},
    {"of an authority nobody knows", "cert2", "localhost", false, "UNAVAILABLE"},
    {"of another host", "cert2", "127.0.0.1", true, "UNAVAILABLE"},
    {"expired", "cert-1", "localhost", true, "UNAVAILABLE"},
};

static struct row *row_of_test;

static int setup_row(void **state)
{
    row_of_test = *state;
    return setup(state);
}

static void a_certificate(void **state)
{
    struct world *w = *state;
    const struct row *row = row_of_test;
    struct front f = front_up(w, row->cert);
    struct http *h = pool(w, row->trusted, HTTP_VERSION_AUTO);
    call_front(w, h, row->host, f.port, "/ok", false);
    loop_run(w->l);
    assert_string_equal(err_name(w->e.code), row->want);
    assert_int_equal(w->s.n_conns, strcmp(row->want, "OK") == 0); /* nothing came through */
    http_free(h);
    front_down(&f);
}

/* --- many at once ------------------------------------------------------------------ */

static int handles(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (d && readdir(d))
        n++;
    closedir(d);
    return n;
}

static void release_held(struct world *w)
{
    static const char answer_text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";
    for (size_t i = 0; i < w->s.n_conns; i++)
        if (w->s.conns[i]->held)
            assert_true(write(w->s.conns[i]->fd, answer_text, sizeof answer_text - 1) > 0);
}

/* Returns how many connections of ours they needed; all are under way together. */
static int many_at_once(struct world *w, struct http *h, int port, bool stream)
{
    int before, ours;
    call_front(w, h, "localhost", port, "/ok", false); /* what the server speaks is known */
    loop_run(w->l);
    before = handles() - (int)w->s.n_conns;
    w->done = 0;
    for (int i = 0; i < MANY; i++)
        call_front(w, h, "localhost", port, "/hold", stream);
    struct timer *tick = timer_new(w->l, (loop_fn)loop_stop, w->l);
    while (w->s.held < MANY) {
        timer_start(tick, 5);
        loop_run(w->l);
    }
    timer_free(tick);
    ours = handles() - (int)w->s.n_conns - before;
    release_held(w);
    while (w->done < MANY)
        loop_run(w->l);
    assert_string_equal(w->e.msg, "");
    assert_int_equal(w->status, 200);
    return ours;
}

static void calls_share_connections_and_none_waits(void **state)
{
    struct world *w = *state;
    struct front f = front_up(w, "cert2");
    struct http *h = pool(w, true, HTTP_VERSION_AUTO);
    int connections = many_at_once(w, h, f.port, false);
    assert_non_null(strcasestr(w->s.last, "\r\nvia: 2 "));
    if (connections < MANY / CAP - 1 || connections > MANY - CAP)
        fail_msg("%d calls took %d more connections", MANY, connections);
    http_free(h);
    front_down(&f);
}

static void streams_have_connections_of_their_own(void **state)
{
    struct world *w = *state;
    struct front f = front_up(w, "cert2");
    struct http *h = pool(w, true, HTTP_VERSION_AUTO);
    assert_int_equal(many_at_once(w, h, f.port, true), MANY);
    assert_non_null(strcasestr(w->s.last, "\r\nvia: 1.1 "));
    http_free(h);
    front_down(&f);
}

static void streams_over_http_2_do_not_wait_either(void **state)
{
    struct world *w = *state;
    struct front f = front_up(w, "cert2");
    struct http *h = pool(w, true, HTTP_VERSION_2);
    assert_true(many_at_once(w, h, f.port, true) <= MANY - CAP);
    assert_non_null(strcasestr(w->s.last, "\r\nvia: 2 "));
    http_free(h);
    front_down(&f);
}

/* --- proxies ------------------------------------------------------------------------- */

/* The scripted server as proxy: it is asked for a tunnel, and says no. */
static void a_proxy_is_honoured(void **state)
{
    struct world *w = *state;
    char address[64];
    struct http_call call = {.method = "GET", .url = "https://nowhere.invalid/ok"};
    struct http_req *r;
    snprintf(address, sizeof address, "http://127.0.0.1:%d", w->s.port);
    setenv("HTTPS_PROXY", address, 1);
    assert_int_equal(http_start(w->h, &call, &collecting, w, &r, NULL), ERR_OK);
    loop_run(w->l);
    assert_non_null(strstr(w->s.last, "CONNECT nowhere.invalid:443 HTTP/1.1\r\n"));
    assert_string_not_equal(err_name(w->e.code), "OK");
    setenv("NO_PROXY", "nowhere.invalid", 1);
    w->s.last[0] = '\0';
    assert_int_equal(http_start(w->h, &call, &collecting, w, &r, NULL), ERR_OK);
    loop_run(w->l);
    assert_string_equal(w->s.last, "");
    assert_string_equal(err_name(w->e.code), "UNAVAILABLE");
    unsetenv("HTTPS_PROXY");
    unsetenv("NO_PROXY");
}

int main(void)
{
    struct CMUnitTest table[COUNTOF(rows)];
    const struct CMUnitTest stories[] = {
        TEST(calls_share_connections_and_none_waits),
        TEST(streams_have_connections_of_their_own),
        TEST(streams_over_http_2_do_not_wait_either),
        TEST(a_proxy_is_honoured),
    };
    unsetenv("http_proxy");
    for (size_t i = 0; i < COUNTOF(rows); i++)
        table[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = a_certificate,
                                       .setup_func = setup_row,
                                       .teardown_func = teardown,
                                       .initial_state = &rows[i]};
    return cmocka_run_group_tests_name("http_tls.certificates", table, make_certificates,
                                       remove_certificates) +
           cmocka_run_group_tests_name("http_tls", stories, make_certificates, remove_certificates);
}
