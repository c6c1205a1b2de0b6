/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/show/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/attrs.h"
#include "common/banned.h"

static bool is_set(const char *variable)
{
    const char *v = getenv(variable);

    return v && *v;
}

static bool is_dumb(void)
{
    const char *term = getenv("TERM");

    return term && strcmp(term, "dumb") == 0;
}

/* The first variable that is set decides, as in setlocale(3). */
static bool utf8_locale(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (size_t i = 0; i < COUNTOF(names); i++) {
        const char *v = getenv(names[i]);

        if (v && *v)
            return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
    }
    return false;
}

static int columns_of(int fd, int otherwise)
{
    const char *typed = getenv("COLUMNS");
    long n = typed ? strtol(typed, NULL, 10) : 0;
    struct winsize size = {0};

    if (n < TERMINAL_COLUMNS_MIN && ioctl(fd, TIOCGWINSZ, &size) == 0)
        n = size.ws_col;
    return n >= TERMINAL_COLUMNS_MIN && n <= 10000 ? (int)n : otherwise;
}

/* So narrow that our rows would be broken: nothing can be written over then. */
static bool too_narrow(int fd)
{
    struct winsize size = {0};

    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 &&
           size.ws_col < TERMINAL_COLUMNS_MIN;
}

static int rows_of(int fd)
{
    struct winsize size = {0};

    return ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : TERMINAL_ROWS;
}

struct terminal terminal_of(int fd)
{
    struct terminal t = {.unicode = true, .columns = TERMINAL_COLUMNS_PIPE};

    if (!isatty(fd))
        return t;
    t.terminal = true;
    t.interactive = !is_dumb() && !too_narrow(fd);
    t.colour = !is_dumb() && !is_set("NO_COLOR");
    t.unicode = utf8_locale();
    t.columns = columns_of(fd, TERMINAL_COLUMNS);
    t.rows = t.interactive ? rows_of(fd) : 0;
    return t;
}

const char *terminal_style(const struct terminal *t, const char *name)
{
    static const struct {
        const char *name, *sequence;
    } styles[] = {{"plain", "\033[0m"}, {"bold", "\033[1m"},     {"dim", "\033[2m"},
                  {"red", "\033[31m"},  {"green", "\033[32m"},   {"yellow", "\033[33m"},
                  {"blue", "\033[34m"}, {"magenta", "\033[35m"}, {"cyan", "\033[36m"}};

    for (size_t i = 0; t->colour && i < COUNTOF(styles); i++)
        if (strcmp(name, styles[i].name) == 0)
            return styles[i].sequence;
    return "";
}
