/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/config/config_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/nearest.h"
#include "common/secret/secret.h"
#include "producer/mask.h"
#include "common/banned.h"

/* --- the place ---------------------------------------------------------------------- */

static char *joined(const char *folder, const char *rest)
{
    size_t n = strlen(folder), m = strlen(rest);
    char *path = malloc(n + m + 1);

    if (!path)
        return NULL;
    memcpy(path, folder, n);
    memcpy(path + n, rest, m + 1);
    return path;
}

static const char *place(const char **rest)
{
    const char *xdg = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
    bool is_xdg = xdg && xdg[0] == '/'; /* another one is to be ignored, says its specification */

    *rest = is_xdg ? "/sandfleet/config" : "/.config/sandfleet/config";
    return is_xdg ? xdg : home && *home ? home : NULL;
}

char *config_default_path(void)
{
    const char *rest, *folder = place(&rest);

    return folder ? joined(folder, rest) : NULL;
}

/* With "~" for the home folder; of a very long one the end. */
static void show_path(struct config *c)
{
    const char *home = getenv("HOME"), *path = c->path;
    size_t n = home ? strlen(home) : 0, len;
    bool at_home = n > 1 && strncmp(path, home, n) == 0 && path[n] == '/';

    path += at_home ? n : 0;
    len = strlen(path);
    if (len > CONFIG_SHOWN_MAX - 8)
        (void)snprintf(c->shown, sizeof c->shown, "…%s", path + len - (CONFIG_SHOWN_MAX - 8));
    else
        (void)snprintf(c->shown, sizeof c->shown, "%s%s", at_home ? "~" : "", path);
}

/* --- the bytes ---------------------------------------------------------------------- */

static enum err_code read_all(const struct config *c, int fd, struct buf *text, struct err *err)
{
    for (;;) {
        char *room = buf_room(text, 4096);
        ssize_t n = room ? read(fd, room, 4096) : 0;

        if (!room)
            return text->rc == ERR_TOO_BIG
                       ? err_set(err, ERR_CONFIG, "%s: over %d bytes", c->shown, INI_MAX_BYTES)
                       : err_set(err, text->rc, "%s: out of memory", c->shown);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set(err, ERR_CONFIG, "cannot read '%s': %s", c->shown, strerror(errno));
        if (n == 0)
            return ERR_OK;
        buf_grew(text, (size_t)n);
    }
}

/* *text stays empty when the file may be missing and is. */
static enum err_code read_file(struct config *c, bool may_be_missing, struct buf *text,
                               struct err *err)
{
    int fd = open(c->path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat st;
    enum err_code rc;

    if (fd < 0 && may_be_missing && (errno == ENOENT || errno == ENOTDIR)) {
        free(c->path);
        c->path = NULL;
        return ERR_OK;
    }
    if (fd < 0)
        return err_set(err, ERR_CONFIG, "cannot open the configuration '%s': %s", c->shown,
                       strerror(errno));
    c->open_to_others = fstat(fd, &st) != 0 || (st.st_mode & (S_IRWXG | S_IRWXO)) != 0;
    rc = read_all(c, fd, text, err);
    (void)close(fd);
    return rc;
}

/* --- the profile -------------------------------------------------------------------- */

static enum err_code no_profile(const struct config *c, const char *name, int line, struct err *err)
{
    struct nearest near = nearest_of(str_of(name));

    for (size_t i = 1; i < c->ini.n_sections; i++)
        nearest_try(&near, c->ini.sections[i].name);
    err_set(err, ERR_CONFIG, "no profile '%.60s' in %s%s%s%s", name,
            c->path ? c->shown : "a configuration: there is no such file",
            near.name[0] ? ": did you mean '" : "", near.name, near.name[0] ? "'?" : "");
    return line ? err_wrap(err, "%s:%d", c->shown, line) : ERR_CONFIG;
}

static enum err_code choose(struct config *c, const char *name, struct err *err)
{
    int line = 0;

    for (size_t i = 0; !name && i < c->ini.n_entries; i++)
        if (c->ini.entries[i].section == 0 && strcmp(c->ini.entries[i].key, CONFIG_PROFILE) == 0) {
            name = c->ini.entries[i].value;
            line = c->ini.entries[i].line;
        }
    if (!name)
        return ERR_OK;
    for (size_t i = 1; i < c->ini.n_sections; i++)
        if (strcmp(c->ini.sections[i].name, name) == 0)
            c->profile = i;
    return c->profile ? ERR_OK : no_profile(c, name, line, err);
}

static const struct opt prop_row = {.name = "kafka-prop", .type = OPT_LIST};

/* --- the values --------------------------------------------------------------------- */

/* The path of a file: below the home folder, or beside the configuration, or anywhere. */
static void put_path(const struct config *c, const char *value, struct buf *out)
{
    const char *home = getenv("HOME"), *slash = strrchr(c->path, '/');

    if (value[0] == '~' && value[1] == '/' && home) {
        buf_adds(out, home);
        value++;
    } else if (value[0] != '/' && slash) {
        buf_add(out, c->path, (size_t)(slash + 1 - c->path));
    }
    buf_adds(out, value);
}

/* "kafka.sasl.password-file = x" gives "sasl.password=<what is in x>". */
static enum err_code put_prop(struct config *c, const struct ini_entry *e, struct err *err)
{
    const char *name = e->key + CONFIG_KAFKA_LEN;
    bool from_file = config_ends_in(name, CONFIG_FILE) && mask_is_secret_prop(str_of(name));
    size_t n = strlen(name) - (from_file ? CONFIG_FILE_LEN : 0);
    AUTO_BUF path = BUF_INIT(4096);
    struct secret *s = NULL;

    buf_add(&c->value, name, n);
    buf_addc(&c->value, '=');
    if (!from_file) {
        buf_adds(&c->value, e->value);
        return ERR_OK;
    }
    put_path(c, e->value, &path);
    if (path.rc != ERR_OK || secret_from_file(path.p, &s, err) != ERR_OK)
        return path.rc != ERR_OK ? config_fault(c, e->line, err, "%s: too long", e->key)
                                 : err_wrap(err, "%s:%d: %s", c->shown, e->line, e->key);
    buf_addstr(&c->value, secret_value(s));
    secret_free(s);
    return ERR_OK;
}

/* Of a secret the file's name; of others, what is a path by its argument's name. */
static bool is_path(const struct opt *row, bool is_file)
{
    return is_file ||
           (row->arg && (strcmp(row->arg, "<path>") == 0 || strcmp(row->arg, "<file>") == 0));
}

static enum err_code give(struct config *c, const struct opt *row, const struct ini_entry *e,
                          bool is_file, struct opt_found *out, struct err *err)
{
    enum err_code rc = ERR_OK;

    buf_clear(&c->value);
    if (is_path(row, is_file))
        put_path(c, e->value, &c->value);
    else if (strncmp(e->key, CONFIG_KAFKA, CONFIG_KAFKA_LEN) == 0)
        rc = put_prop(c, e, err);
    else
        buf_adds(&c->value, e->value);
    if (rc == ERR_OK && c->value.rc != ERR_OK)
        rc = err_set(err, c->value.rc, "%s:%d: %s", c->shown, e->line, e->key);
    if (rc != ERR_OK) {
        err->code = rc == ERR_NOMEM ? ERR_NOMEM : ERR_CONFIG;
        return err->code;
    }
    (void)snprintf(c->where, sizeof c->where, "%s:%d", c->shown, e->line);
    *out = (struct opt_found){c->value.p ? c->value.p : "", c->where, is_file};
    return ERR_OK;
}

/* The i-th entry: first those for all, then the profile's, so that these are the last. Of a list
 * that is not merged, the profile's replace those for all. */
static enum err_code value_of(void *ctx, const struct opt *row, size_t i, struct opt_found *out,
                              struct err *err)
{
    struct config *c = ctx;
    bool own = false, is_file;

    *out = (struct opt_found){0};
    for (size_t k = 0; k < c->ini.n_entries; k++)
        own = own || (c->profile && c->ini.entries[k].section == c->profile &&
                      config_is_key(row, c->ini.entries[k].key, &is_file));
    for (size_t pass = own && !(row->flags & OPT_MERGE); pass < (c->profile ? 2 : 1); pass++)
        for (size_t k = 0; k < c->ini.n_entries; k++) {
            const struct ini_entry *e = &c->ini.entries[k];

            if (e->section == (pass ? c->profile : 0) && config_is_key(row, e->key, &is_file) &&
                i-- == 0)
                return give(c, row, e, is_file, out, err);
        }
    return ERR_OK;
}

/* --- the whole ---------------------------------------------------------------------- */

static enum err_code load(struct config *c, bool may_be_missing, const char *profile,
                          struct err *err)
{
    AUTO_BUF text = BUF_INIT(INI_MAX_BYTES);
    enum err_code rc = ERR_OK;

    if (c->path) {
        show_path(c);
        rc = read_file(c, may_be_missing, &text, err);
    }
    if (rc == ERR_OK && c->path)
        rc = ini_parse(c->shown, buf_str(&text), &c->ini, err);
    if (text.p)
        sodium_memzero(text.p, text.cap);
    if (rc == ERR_OK)
        rc = config_check(c, err);
    return rc == ERR_OK ? choose(c, profile, err) : rc;
}

enum err_code config_load(const char *path, const char *profile, struct config **out,
                          struct err *err)
{
    struct config *c = calloc(1, sizeof *c);
    const char *rest;
    enum err_code rc;

    if (!c)
        return err_set(err, ERR_NOMEM, "out of memory");
    c->source = (struct opt_source){.ctx = c, .value = value_of};
    c->value = BUF_INIT(INI_MAX_BYTES);
    c->path = path ? joined(path, "") : config_default_path();
    rc = !c->path && (path || place(&rest)) ? err_set(err, ERR_NOMEM, "out of memory")
                                            : load(c, !path, profile, err);
    if (rc == ERR_OK)
        *out = c;
    else
        config_free(c);
    return rc;
}

void config_free(struct config *c)
{
    if (!c)
        return;
    if (c->value.p)
        sodium_memzero(c->value.p, c->value.cap);
    buf_release(&c->value);
    ini_release(&c->ini);
    free(c->path);
    free(c);
}

size_t config_n_props(struct config *c)
{
    size_t n = 0;
    bool is_file;

    for (size_t k = 0; c && k < c->ini.n_entries; k++) {
        const struct ini_entry *e = &c->ini.entries[k];

        n += (e->section == 0 || e->section == c->profile) &&
             config_is_key(&prop_row, e->key, &is_file);
    }
    return n;
}

const struct opt_source *config_source(struct config *c)
{
    return &c->source;
}

const char *config_path(const struct config *c)
{
    return c->path;
}

const char *config_profile(const struct config *c)
{
    return c->profile ? c->ini.sections[c->profile].name : NULL;
}

const char *config_profile_at(const struct config *c, size_t i)
{
    return i + 1 < c->ini.n_sections ? c->ini.sections[i + 1].name : NULL;
}
