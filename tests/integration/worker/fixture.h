/* SPDX-License-Identifier: Apache-2.0 */
/* For the worker's integration tests: a sandboxd of our own whose `claude` runs the
 * prompt as a shell script (and cannot be updated, but counts the tries), and a service that talks
 * to it. */
#ifndef SANDFLEET_TESTS_WORKER_FIXTURE_H
#define SANDFLEET_TESTS_WORKER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/loop.h"
#include "common/secret/secret.h"
#include "worker/e2b/envd.h"
#include "worker/e2b/sandbox.h"

#define FIXTURE_KEY "e2b_0123456789abcdef"
enum { FIXTURE_WAIT_MS = 60 * 1000 };
#define FX_HELPER static __attribute__((unused)) /* not every test needs every one */

static struct {
    char dir[64], url[64];
    pid_t pid;
    struct loop *loop;
    struct secret *key;
} fx;

static bool fx_not_isolated; /* sandboxes are this machine: agents leave traces for the test */

/* fork, and the child does not outlive a test that aborts. */
static pid_t fx_fork(void)
{
    pid_t pid = fork();

    if (pid == 0)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

static void fx_exec_sandboxd(int log)
{
    const char *bin = getenv("SANDFLEET_BIN");
    char program[512], data[80], agent[80];

    (void)snprintf(program, sizeof(program), "%s/sandfleet-sandboxd", bin ? bin : "build/dev/bin");
    (void)snprintf(data, sizeof(data), "%s/data", fx.dir);
    (void)snprintf(agent, sizeof(agent), "%s/agent", fx.dir);
    (void)setenv("E2B_API_KEY", FIXTURE_KEY, 1);
    (void)dup2(log, STDERR_FILENO);
    (void)execl(program, program, "--listen", "127.0.0.1:0", "--data", data, "--claude", agent,
                "--fault-endpoint", "--max-sandboxes", "200", "--i-know-it-is-unsafe",
                "--isolation", fx_not_isolated ? "none" : "medium",
                geteuid() == 0 ? "--run-as" : NULL, "nobody", NULL);
    (void)dprintf(STDERR_FILENO, "cannot run %s: build it, and set SANDFLEET_BIN\n", program);
    _exit(127);
}

/* Its log goes to a file; the ready line in it names the address. */
static bool fx_await_ready(const char *log)
{
    char text[8192];

    for (int i = 0; i < FIXTURE_WAIT_MS / 20; i++) {
        int fd = open(log, O_RDONLY);
        ssize_t n = read(fd, text, sizeof(text) - 1);
        const char *url;

        (void)close(fd);
        text[n > 0 ? n : 0] = '\0';
        url = strstr(text, "event=sandboxd.ready");
        url = url ? strstr(url, "url=") : NULL;
        if (url && strchr(url, '\n'))
            return sscanf(url, "url=%63s", fx.url) == 1;
        if (waitpid(fx.pid, NULL, WNOHANG) != 0)
            break;
        (void)poll(NULL, 0, 20);
    }
    (void)fprintf(stderr, "sandboxd did not get ready:\n%s\n", text);
    return false;
}

static int fx_write_agent(void)
{
    static const char agent[] = "#!/bin/sh\n[ \"$1\" != update ] || { echo u >>\"$HOME/updates\"; "
                                "exit 3; }\nexec /bin/sh\n";
    char path[80];
    int fd;

    (void)snprintf(path, sizeof(path), "%s/agent", fx.dir);
    fd = open(path, O_WRONLY | O_CREAT, 0755);
    return fd >= 0 && write(fd, agent, sizeof(agent) - 1) > 0 && close(fd) == 0 ? 0 : -1;
}

static int fx_up(void **state)
{
    char log[80];
    struct err e;
    int fd;

    (void)state;
    (void)snprintf(fx.dir, sizeof(fx.dir), "/tmp/sandfleet-worker-XXXXXX");
    if (secret_init(&e) != ERR_OK || !mkdtemp(fx.dir) || chmod(fx.dir, 0755) != 0 ||
        fx_write_agent() != 0)
        return -1;
    (void)snprintf(log, sizeof(log), "%s/log", fx.dir);
    fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0644);
    fx.pid = fx_fork();
    if (fx.pid == 0)
        fx_exec_sandboxd(fd);
    (void)close(fd);
    if (!fx_await_ready(log) || loop_new(&fx.loop, &e) != ERR_OK ||
        secret_new(STR(FIXTURE_KEY), &fx.key, &e) != ERR_OK)
        return -1;
    return 0;
}

static int fx_down(void **state)
{
    char command[128];

    (void)state;
    loop_free(fx.loop);
    secret_free(fx.key);
    (void)kill(fx.pid, SIGTERM);
    (void)waitpid(fx.pid, NULL, 0);
    (void)snprintf(command, sizeof(command), "rm -rf -- '%s'", fx.dir);
    return system(command) == 0 ? 0 : -1;
}

static void fx_too_late(void *ctx)
{
    (void)ctx;
    (void)fprintf(stderr, "nothing happened for %d s\n", FIXTURE_WAIT_MS / 1000);
    abort();
}

/* Runs the loop until somebody calls loop_stop(), and no longer than a minute. */
static void fx_run(void)
{
    struct timer *t = timer_new(fx.loop, fx_too_late, NULL);

    timer_start(t, FIXTURE_WAIT_MS);
    loop_run(fx.loop);
    timer_free(t);
}

static int64_t fx_keepalive_s; /* of the next service's streams; 0: the default */

FX_HELPER struct sandbox_service *fx_service(const char *sandbox_url, const struct secret *key)
{
    const struct sandbox_service_opts opts = {.api_url = fx.url,
                                              .sandbox_url = sandbox_url ? sandbox_url : fx.url,
                                              .domain = "invalid.example",
                                              .api_key = key ? key : fx.key,
                                              .fleet = "test",
                                              .keepalive_s = fx_keepalive_s};
    struct sandbox_service *s = NULL;
    struct err e = ERR_INIT;

    assert_string_equal(err_name(sandbox_service_new(fx.loop, &opts, &s, &e)), "OK");
    return s;
}

/* --- what becomes of a create or an open ---------------------------------------- */
struct fx_got {
    struct sandbox *sb;
    struct err e;
    bool called;
};

static void fx_on_ready(void *ctx, struct sandbox *sb)
{
    struct fx_got *g = ctx;

    assert_false(g->called);
    g->called = true;
    g->sb = sb;
    loop_stop(fx.loop);
}

static void fx_on_failed(void *ctx, const struct err *e)
{
    struct fx_got *g = ctx;

    assert_false(g->called);
    g->called = true;
    g->e = *e;
    loop_stop(fx.loop);
}

static const struct sandbox_events fx_events = {.ready = fx_on_ready, .failed = fx_on_failed};

FX_HELPER struct fx_got fx_create(struct sandbox_service *s, const char *template,
                                  const char *run_id)
{
    const struct sandbox_want want = {
        .template = template, .ttl_ms = 300000, .run_id = run_id, .attempt = 1, .tenant = "t"};
    struct fx_got got = {0};
    struct err e = ERR_INIT;

    assert_string_equal(err_name(sandbox_create(s, &want, &fx_events, &got, NULL, &e)), "OK");
    assert_false(got.called);
    fx_run();
    return got;
}

/* A listener on a free port below 32768. */
FX_HELPER int fx_listen(int *port)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    for (*port = 20000 + getpid() % 10000; *port < 32768; ++*port) {
        a.sin_port = htons((uint16_t)*port);
        if (bind(fd, (struct sockaddr *)&a, sizeof(a)) == 0 && listen(fd, 64) == 0)
            return fd;
    }
    fail_msg("no free port below 32768");
    return -1;
}

#endif
