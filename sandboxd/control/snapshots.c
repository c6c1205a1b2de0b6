/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/control/snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/clock.h"
#include "common/json/json.h"
#include "common/log.h"
#include "sandboxd/sandbox/tree.h"

#include "common/banned.h"

enum { RECORD_MAX = 4096 };

static void folder_of(const struct snapshots *s, const char *id, char out[SNAPSHOT_PATH_ROOM])
{
    (void)snprintf(out, SNAPSHOT_PATH_ROOM, "%s/snapshots/%s", s->data, id);
}

void snapshot_home(const struct snapshots *s, const struct snapshot *one,
                   char out[SNAPSHOT_PATH_ROOM])
{
    (void)snprintf(out, SNAPSHOT_PATH_ROOM, "%s/snapshots/%s/home", s->data, one->id);
}

/* --- what is written down --------------------------------------------------------------- */

static bool member(const cJSON *o, const char *key, char *out, size_t room)
{
    const char *value = json_get_string(o, key);

    return value != NULL && (size_t)snprintf(out, room, "%s", value) < room;
}

/* NULL: it is none, or not whole. */
static struct snapshot *record_read(const struct snapshots *s, const char *id)
{
    char path[SNAPSHOT_PATH_ROOM + 32], text[RECORD_MAX];
    AUTO_JSON *o = NULL;
    struct snapshot *one = calloc(1, sizeof(*one));

    folder_of(s, id, path);
    (void)strncat(path, "/snapshot.json", sizeof(path) - strlen(path) - 1);
    FILE *f = fopen(path, "re");
    size_t n = f != NULL ? fread(text, 1, sizeof(text), f) : 0;
    if (f != NULL)
        (void)fclose(f);
    if (one != NULL && n < sizeof(text) &&
        json_parse((struct str){text, n}, JSON_STRICT, &o, NULL) == ERR_OK &&
        member(o, "id", one->id, sizeof(one->id)) && strcmp(one->id, id) == 0 &&
        member(o, "sandboxID", one->sandbox, sizeof(one->sandbox)) &&
        member(o, "template", one->template, sizeof(one->template)) &&
        member(o, "name", one->name, sizeof(one->name)) &&
        json_get_int(o, "made_ms", &one->made_ms))
        return one;
    free(one);
    return NULL;
}

static enum err_code record_write(const struct snapshots *s, const struct snapshot *one,
                                  struct err *err)
{
    char path[SNAPSHOT_PATH_ROOM + 32], temp[SNAPSHOT_PATH_ROOM + 40];
    AUTO_BUF text = BUF_INIT(RECORD_MAX);

    folder_of(s, one->id, path);
    (void)strncat(path, "/snapshot.json", sizeof(path) - strlen(path) - 1);
    (void)snprintf(temp, sizeof(temp), "%s.new", path);
    buf_adds(&text, "{");
    json_kv(&text, "id", one->id);
    json_kv(&text, "sandboxID", one->sandbox);
    json_kv(&text, "template", one->template);
    json_kv(&text, "name", one->name);
    json_kv_int(&text, "made_ms", one->made_ms);
    buf_adds(&text, "}\n");
    FILE *f = text.rc == ERR_OK ? fopen(temp, "wex") : NULL;
    bool good = f != NULL && fwrite(text.p, 1, text.len, f) == text.len;
    if (f != NULL && fclose(f) != 0)
        good = false;
    if (good && rename(temp, path) == 0)
        return ERR_OK;
    return err_errno(err, errno, "cannot write '%s'", path);
}

/* --- all of them ------------------------------------------------------------------------- */

static void insert(struct snapshots *s, struct snapshot *one)
{
    struct snapshot *older;

    TAILQ_FOREACH(older, &s->all, link)
    if (older->made_ms < one->made_ms ||
        (older->made_ms == one->made_ms && strcmp(older->id, one->id) < 0))
        break;
    if (older != NULL)
        TAILQ_INSERT_BEFORE(older, one, link);
    else
        TAILQ_INSERT_TAIL(&s->all, one, link);
    s->n++;
}

enum err_code snapshots_load(struct snapshots *s, const char *data, struct err *err)
{
    char path[SNAPSHOT_PATH_ROOM];

    *s = (struct snapshots){.data = data};
    TAILQ_INIT(&s->all);
    folder_of(s, "", path);
    if (mkdir(path, 0711) != 0 && errno != EEXIST)
        return err_errno(err, errno, "cannot make '%s'", path);
    DIR *d = opendir(path);
    if (d == NULL)
        return err_errno(err, errno, "cannot read '%s'", path);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        struct snapshot *one = e->d_name[0] != '.' ? record_read(s, e->d_name) : NULL;

        if (one != NULL) {
            insert(s, one);
        } else if (e->d_name[0] != '.') {
            folder_of(s, e->d_name, path);
            if (tree_remove(path) != 0)
                log_event(LOG_WARN, "snapshot.left", LF("folder", path));
        }
    }
    (void)closedir(d);
    return ERR_OK;
}

void snapshots_release(struct snapshots *s)
{
    struct snapshot *one;

    while (s->data != NULL && (one = TAILQ_FIRST(&s->all)) != NULL) {
        TAILQ_REMOVE(&s->all, one, link);
        free(one);
    }
}

struct snapshot *snapshots_find(const struct snapshots *s, const char *id_or_name)
{
    struct snapshot *one;

    TAILQ_FOREACH(one, &s->all, link)
    if (strcmp(one->id, id_or_name) == 0 || strcmp(one->name, id_or_name) == 0)
        return one;
    return NULL;
}

/* --- one ------------------------------------------------------------------------------------- */

static void make_id(char out[SNAPSHOT_ID_ROOM])
{
    static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz0123456789";

    out[0] = 's';
    for (int i = 1; i <= 20; i++)
        out[i] = alphabet[randombytes_uniform(sizeof(alphabet) - 1)];
    out[21] = '\0';
}

enum err_code snapshot_begin(const struct snapshots *s, const struct identity *id,
                             struct snapshot **out, struct err *err)
{
    char folder[SNAPSHOT_PATH_ROOM], home[SNAPSHOT_PATH_ROOM];
    struct snapshot *one;

    if (s->n >= SNAPSHOTS_MAX)
        return err_set(err, ERR_CAPACITY, "there are %d snapshots: delete some", SNAPSHOTS_MAX);
    one = calloc(1, sizeof(*one));
    if (one == NULL)
        return err_set(err, ERR_NOMEM, "snapshot");
    one->made_ms = clock_wall_ms();
    make_id(one->id);
    folder_of(s, one->id, folder);
    snapshot_home(s, one, home);
    if (mkdir(folder, 0711) == 0 && mkdir(home, 0700) == 0 &&
        (!id->drop || chown(home, id->uid, id->gid) == 0)) {
        *out = one;
        return ERR_OK;
    }
    enum err_code rc = err_errno(err, errno, "cannot make '%s'", home);
    (void)tree_remove(folder);
    free(one);
    return rc;
}

enum err_code snapshot_finish(struct snapshots *s, struct snapshot *one, struct err *err)
{
    enum err_code rc = record_write(s, one, err);

    if (rc == ERR_OK)
        insert(s, one);
    return rc;
}

struct removal {
    struct child child;
    char folder[SNAPSHOT_PATH_ROOM], home[SNAPSHOT_PATH_ROOM];
};

/* As the sandboxes' user, who owns what is in the home, but maybe not the folder that it is in. */
static int remove_home(const void *ctx)
{
    const struct removal *r = ctx;

    (void)tree_remove(r->home);
    return 0;
}

static void on_removed(struct child *c, int wait_status)
{
    struct removal *r = CONTAINER_OF(c, struct removal, child);

    if (wait_status >= 0 && tree_remove(r->folder) != 0)
        log_event(LOG_WARN, "snapshot.left", LF("folder", r->folder));
    free(r);
}

static void remove_folder(const struct snapshots *s, struct fleet *f, const struct snapshot *one)
{
    struct removal *r = calloc(1, sizeof(*r));
    struct err e = ERR_INIT;

    if (r == NULL)
        return; /* the next start removes it: there is no record */
    r->child.exited = on_removed;
    folder_of(s, one->id, r->folder);
    snapshot_home(s, one, r->home);
    if (fleet_fork(f, &r->child, remove_home, r, &e) != ERR_OK) {
        log_event(LOG_WARN, "snapshot.left", LF("folder", r->folder), LF_ERR(&e));
        free(r);
    }
}

void snapshot_remove(struct snapshots *s, struct fleet *f, struct snapshot *one)
{
    char path[SNAPSHOT_PATH_ROOM + 32];
    struct snapshot *known;

    folder_of(s, one->id, path);
    (void)strncat(path, "/snapshot.json", sizeof(path) - strlen(path) - 1);
    (void)unlink(path);
    TAILQ_FOREACH(known, &s->all, link)
    if (known == one)
        break;
    if (known != NULL) {
        TAILQ_REMOVE(&s->all, one, link);
        s->n--;
    }
    remove_folder(s, f, one);
    free(one);
}
