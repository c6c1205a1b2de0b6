/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sim/session.h"

#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/banned.h"

enum { PATH_ROOM = 4096, LINE_ROOM = 512 };

#define LINE                                                                                       \
    "{\"type\":\"simulated\",\"sessionId\":\"%s\",\"prompts\":%" PRId64 ",\"tokens_in\":%" PRId64  \
    ",\"tokens_out\":%" PRId64 "}\n"

static const char *home(void)
{
    const char *h = getenv("HOME");

    return h != NULL && *h != '\0' ? h : ".";
}

/* Where it is; false: nowhere. The id is a UUID, and the home none of a glob's letters. */
static bool find(const struct session *s, char out[PATH_ROOM])
{
    char pattern[PATH_ROOM];
    glob_t found;

    (void)snprintf(pattern, sizeof(pattern), "%s/.claude/projects/*/%s.jsonl", home(), s->id);
    bool any = glob(pattern, GLOB_NOSORT, NULL, &found) == 0 && found.gl_pathc > 0;
    if (any)
        (void)snprintf(out, PATH_ROOM, "%s", found.gl_pathv[0]);
    globfree(&found);
    return any;
}

/* The newest line says all. */
bool session_load(struct session *s)
{
    char path[PATH_ROOM], line[LINE_ROOM];
    bool known = false;

    s->prompts = s->tokens_in = s->tokens_out = 0;
    FILE *f = find(s, path) ? fopen(path, "re") : NULL;
    while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
        const char *from = strstr(line, "\"prompts\":");
        known = from != NULL &&
                sscanf(from,
                       "\"prompts\":%" SCNd64 ",\"tokens_in\":%" SCNd64 ",\"tokens_out\":%" SCNd64,
                       &s->prompts, &s->tokens_in, &s->tokens_out) == 3;
    }
    if (f != NULL)
        (void)fclose(f);
    return known;
}

/* As the real one names it: the working directory, '-' for each '/'. */
static void new_path(const struct session *s, char out[PATH_ROOM])
{
    char cwd[PATH_ROOM / 2];

    if (getcwd(cwd, sizeof(cwd)) == NULL)
        (void)snprintf(cwd, sizeof(cwd), "-");
    for (char *p = cwd; *p != '\0'; p++)
        *p = *p == '/' ? '-' : *p;
    (void)snprintf(out, PATH_ROOM, "%s/.claude", home());
    (void)mkdir(out, 0700);
    (void)snprintf(out, PATH_ROOM, "%s/.claude/projects", home());
    (void)mkdir(out, 0700);
    (void)snprintf(out, PATH_ROOM, "%s/.claude/projects/%s", home(), cwd);
    (void)mkdir(out, 0700);
    (void)snprintf(out, PATH_ROOM, "%s/.claude/projects/%s/%s.jsonl", home(), cwd, s->id);
}

void session_save(const struct session *s)
{
    char path[PATH_ROOM];

    if (!find(s, path))
        new_path(s, path);
    FILE *f = fopen(path, "ae");
    if (f == NULL)
        return;
    (void)fprintf(f, LINE, s->id, s->prompts, s->tokens_in, s->tokens_out);
    (void)fclose(f);
}
