/* SPDX-License-Identifier: Apache-2.0 */
/* An S3 stand-in that checks each signature (tests/lib/s3_stub.py), and a store in it. */
#ifndef SANDFLEET_TESTS_WORKER_S3_H
#define SANDFLEET_TESTS_WORKER_S3_H

#include "fixture.h"

#include "worker/store/store.h"

struct s3 {
    char url[64];
    pid_t pid;
};

FX_HELPER struct s3 s3_up(const char *token)
{
    struct s3 s = {0};
    char text[256] = "";
    int out[2];

    assert_int_equal(pipe(out), 0);
    s.pid = fx_fork();
    if (s.pid == 0) {
        (void)dup2(out[1], STDOUT_FILENO);
        (void)close(out[0]);
        (void)execlp("python3", "python3", "-B", SF_SOURCE_DIR "/tests/lib/s3_stub.py",
                     "eu-central-1", "AKIDEXAMPLE", "s3cr3t/with+slash", token, NULL);
        _exit(127);
    }
    (void)close(out[1]);
    for (size_t n = 0; !strchr(text, '\n');) {
        ssize_t got = read(out[0], text + n, sizeof(text) - 1 - n);

        assert_true(got > 0);
        n += (size_t)got;
    }
    assert_int_equal(sscanf(text, "url=%63s", s.url), 1);
    /* out[0] stays open: it goes on to say what it does */
    return s;
}

FX_HELPER void s3_down(const struct s3 *s)
{
    (void)kill(s->pid, SIGKILL);
    (void)waitpid(s->pid, NULL, 0);
}

FX_HELPER struct store *s3_store(const struct s3 *s, const char *secret, const char *region,
                                 const char *token)
{
    struct secret *id = NULL, *key = NULL, *session = NULL;
    struct store *store = NULL;
    struct err e = ERR_INIT;

    assert_int_equal(secret_new(STR("AKIDEXAMPLE"), &id, &e), ERR_OK);
    assert_int_equal(secret_new(str_of(secret), &key, &e), ERR_OK);
    if (token)
        assert_int_equal(secret_new(str_of(token), &session, &e), ERR_OK);
    const struct store_s3_opts opts = {.where = "s3://bucket/some/prefix",
                                       .endpoint = s->url,
                                       .region = region,
                                       .key_id = id,
                                       .key = key,
                                       .token = session};
    if (store_s3_new(fx.loop, &opts, &store, &e) != ERR_OK)
        fail_msg("%s", e.msg);
    secret_free(id);
    secret_free(key);
    secret_free(session);
    return store;
}

#endif
