/* SPDX-License-Identifier: Apache-2.0 */
/* `sandfleet man` and `sandfleet reference`: the manual, as files that a build installs. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "producer/client.h"
#include "producer/manual/manual.h"
#include "producer/verbs/cmd_config.h"
#include "common/banned.h"

enum { PAGE_MAX_BYTES = 4 << 20 };

/* Of a build that says when it is, for the same bytes each time; else today's. */
static const char *date_text(char out[16])
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    time_t t = epoch && *epoch ? (time_t)strtoll(epoch, NULL, 10) : time(NULL);
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(out, 16, "%Y-%m-%d", &tm) == 0)
        memcpy(out, "1970-01-01", 11);
    return out;
}

/* name: "sandfleet", or of a group "sandfleet-runs" or "runs". False: there is no such page. */
static bool write_page(const char *name, struct buf *out)
{
    static const char prefix[] = "sandfleet-";
    char date[16];

    if (strcmp(name, "sandfleet") == 0) {
        manual_main(&page_roff, date_text(date), out);
        return true;
    }
    name += strncmp(name, prefix, sizeof prefix - 1) == 0 ? sizeof prefix - 1 : 0;
    for (size_t g = 0; g < command_groups_n; g++)
        if (strcmp(command_groups[g].name, name) == 0) {
            manual_group(&page_roff, &command_groups[g], date_text(date), out);
            return true;
        }
    return false;
}

static enum err_code save(const char *folder, const char *name, const struct buf *page,
                          struct err *err)
{
    AUTO_BUF path = BUF_INIT(4096);
    FILE *to;

    buf_addf(&path, "%s/%s.1", folder, name);
    to = path.rc == ERR_OK ? fopen(path.p, "we") : NULL;
    if (!to)
        return err_errno(err, errno, "cannot write '%.200s'", path.p ? path.p : folder);
    size_t n = fwrite(page->p, 1, page->len, to);
    if (fclose(to) != 0 || n != page->len)
        return err_set(err, ERR_IO, "cannot write '%.200s'", path.p);
    return ERR_OK;
}

static enum err_code save_all(const char *folder, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t g = 0; rc == ERR_OK && g <= command_groups_n; g++) {
        AUTO_BUF page = BUF_INIT(PAGE_MAX_BYTES), name = BUF_INIT(64);

        buf_addf(&name, "sandfleet%s%s", g ? "-" : "", g ? command_groups[g - 1].name : "");
        write_page(name.p, &page);
        rc = page.rc == ERR_OK ? save(folder, name.p, &page, err)
                               : err_set(err, page.rc, "page %s", name.p);
    }
    return rc;
}

int command_man(struct client *c, int n, char **words)
{
    const struct manual_settings *s = (const struct manual_settings *)c;
    AUTO_BUF page = BUF_INIT(PAGE_MAX_BYTES);
    struct err err = ERR_INIT;
    bool gone = false;

    if (s->folder)
        return save_all(s->folder, &err) == ERR_OK ? EXIT_OK : client_fail(&err);
    if (!write_page(n > 0 ? words[0] : "sandfleet", &page))
        err_set(&err, ERR_NOT_FOUND, "no page '%.40s': sandfleet, or a noun", words[0]);
    else if (page.rc != ERR_OK)
        err_set(&err, page.rc, "the page");
    else if (client_put(page.p, page.len, &gone, &err))
        return EXIT_OK;
    return client_fail(&err);
}

int command_reference(struct client *c, int n, char **words)
{
    AUTO_BUF page = BUF_INIT(PAGE_MAX_BYTES);
    struct err err = ERR_INIT;
    bool gone = false;

    (void)c, (void)n, (void)words;
    manual_reference(&page);
    if (page.rc != ERR_OK)
        err_set(&err, page.rc, "the reference");
    return page.rc == ERR_OK && client_put(page.p, page.len, &gone, &err) ? EXIT_OK
                                                                          : client_fail(&err);
}
