/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sim/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/banned.h"

enum { PATH_ROOM = 4096 };

static const char *home(void)
{
    const char *h = getenv("HOME");

    return h != NULL && *h != '\0' ? h : ".";
}

static void path_of(const struct session *s, const char *suffix, char out[PATH_ROOM])
{
    (void)snprintf(out, PATH_ROOM, "%s/.claude/sim-sessions/%s%s", home(), s->id, suffix);
}

bool session_load(struct session *s)
{
    char path[PATH_ROOM];

    s->prompts = s->tokens_in = s->tokens_out = 0;
    path_of(s, "", path);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    int got =
        fscanf(f, "%" SCNd64 " %" SCNd64 " %" SCNd64, &s->prompts, &s->tokens_in, &s->tokens_out);
    (void)fclose(f);
    return got == 3;
}

static void make_folders(void)
{
    char path[PATH_ROOM];

    (void)snprintf(path, sizeof(path), "%s/.claude", home());
    (void)mkdir(path, 0700);
    (void)snprintf(path, sizeof(path), "%s/.claude/sim-sessions", home());
    (void)mkdir(path, 0700);
}

void session_save(const struct session *s)
{
    char path[PATH_ROOM], tmp[PATH_ROOM];

    make_folders();
    path_of(s, "", path);
    path_of(s, ".tmp", tmp);
    FILE *f = fopen(tmp, "we");
    if (f == NULL)
        return;
    (void)fprintf(f, "%" PRId64 " %" PRId64 " %" PRId64 "\n", s->prompts, s->tokens_in,
                  s->tokens_out);
    if (fclose(f) == 0)
        (void)rename(tmp, path);
}
