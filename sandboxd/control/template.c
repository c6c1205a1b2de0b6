/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/control/snapshots.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/json/json.h"
#include "common/log.h"

#include "common/banned.h"

enum { SETTINGS_MAX = 4096 };

static bool is_folder(const struct snapshots *s, const char *name)
{
    char path[SNAPSHOT_PATH_ROOM];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/templates/%s", s->data, name);
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool has_start(const struct snapshots *s, const char *folder)
{
    char path[SNAPSHOT_PATH_ROOM];
    struct stat st;

    (void)snprintf(path, sizeof(path), "%s/templates/%s/start", s->data, folder);
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;
}

static int64_t start_timeout_s(const struct snapshots *s, const char *folder)
{
    char path[SNAPSHOT_PATH_ROOM], text[SETTINGS_MAX];
    AUTO_JSON *o = NULL;
    int64_t timeout = START_TIMEOUT_S;

    (void)snprintf(path, sizeof(path), "%s/templates/%s/template.json", s->data, folder);
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return timeout;
    size_t n = fread(text, 1, sizeof(text), f);
    (void)fclose(f);
    if (json_parse((struct str){text, n}, JSON_STRICT, &o, NULL) == ERR_OK &&
        (json_get(o, "start_timeout_s") == NULL ||
         (json_get_int(o, "start_timeout_s", &timeout) && timeout >= 1 &&
          timeout <= START_TIMEOUT_MAX_S)))
        return timeout;
    log_event(LOG_WARN, "template.settings", LF("unreadable", path));
    return START_TIMEOUT_S;
}

enum err_code template_find(const struct snapshots *s, const struct template_ref *ref,
                            struct template *out, struct err *err)
{
    const struct snapshot *one = snapshots_find(s, ref->name);
    const char *folder = one != NULL ? one->template : ref->name;

    *out = (struct template){0};
    if (!is_folder(s, folder))
        return err_set(err, ERR_NOT_FOUND, "template '%s' not found", ref->name);
    if (ref->tag[0] != '\0' && strcmp(ref->tag, "default") != 0 && strcmp(ref->tag, "latest") != 0)
        return err_set(err, ERR_NOT_FOUND, "tag '%s' does not exist for template '%s'", ref->tag,
                       ref->name);
    (void)snprintf(out->id, sizeof(out->id), "%s", one != NULL ? one->id : ref->name);
    (void)snprintf(out->folder, sizeof(out->folder), "%s", folder);
    if (one != NULL)
        snapshot_home(s, one, out->home);
    out->starts = has_start(s, folder);
    if (out->starts)
        out->start_timeout_ms = start_timeout_s(s, folder) * 1000;
    return ERR_OK;
}

void template_each(const struct snapshots *s, void (*fn)(void *ctx, const char *name), void *ctx)
{
    char path[SNAPSHOT_PATH_ROOM];

    (void)snprintf(path, sizeof(path), "%s/templates", s->data);
    DIR *d = opendir(path);
    if (d == NULL)
        return;
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.' && is_folder(s, e->d_name))
            fn(ctx, e->d_name);
    (void)closedir(d);
}
