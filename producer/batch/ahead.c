/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/batch/ahead.h"

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/banned.h"

enum { WORTH_LINES = 64 }; /* waking a thread takes as long as looking at some lines */

struct part {
    const struct str *lines;
    size_t n;
    struct glance *out;
};

struct ahead {
    const struct maker *maker;
    bool tried, running; /* the thread */
    pthread_t thread;
    sem_t asked, done;
    struct part part; /* the thread's, between asked and done; lines NULL: it is to end */
};

static void look(const struct maker *m, const struct part *p)
{
    struct look scratch;

    for (size_t i = 0; i < p->n; i++)
        maker_glance(m, p->lines[i], &scratch, &p->out[i]);
}

static void wait_for(sem_t *s)
{
    while (sem_wait(s) != 0)
        ;
}

static void *run(void *arg)
{
    struct ahead *a = arg;

    for (;;) {
        wait_for(&a->asked);
        if (!a->part.lines)
            return NULL;
        look(a->maker, &a->part);
        (void)sem_post(&a->done);
    }
}

struct ahead *ahead_new(const struct maker *m)
{
    struct ahead *a = calloc(1, sizeof(*a));

    if (a) {
        a->maker = m;
        (void)sem_init(&a->asked, 0, 0);
        (void)sem_init(&a->done, 0, 0);
    }
    return a;
}

/* With all signals blocked: they are the main thread's. Without a thread all goes on as before. */
static void start(struct ahead *a)
{
    sigset_t all, was;

    a->tried = true;
    if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
        return;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &was);
    a->running = pthread_create(&a->thread, NULL, run, a) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &was, NULL);
}

void ahead_free(struct ahead *a)
{
    if (!a)
        return;
    if (a->running) {
        a->part = (struct part){0};
        (void)sem_post(&a->asked);
        (void)pthread_join(a->thread, NULL);
    }
    (void)sem_destroy(&a->asked);
    (void)sem_destroy(&a->done);
    free(a);
}

void ahead_look(struct ahead *a, const struct str *lines, size_t n, struct glance *out)
{
    size_t half = n;

    if (n >= WORTH_LINES && !a->tried)
        start(a);
    if (n >= WORTH_LINES && a->running) {
        half = n / 2;
        a->part = (struct part){lines + half, n - half, out + half};
        (void)sem_post(&a->asked);
    }
    look(a->maker, &(struct part){lines, half, out});
    if (half < n)
        wait_for(&a->done);
}
