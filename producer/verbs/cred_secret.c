/* SPDX-License-Identifier: Apache-2.0 */
/* A secret's way in. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include <sodium.h>

#include "common/secret/secret.h"
#include "producer/verbs/cmd_cred.h"
#include "common/banned.h"

enum { ROOM = SECRET_MAX_BYTES + 2 }; /* a newline more, and one byte to see that it is too long */

/* To its end; from a terminal, to the end of the line. */
static enum err_code read_input(char *text, size_t *n, bool line, struct err *err)
{
    for (*n = 0; *n < ROOM;) {
        ssize_t got = read(STDIN_FILENO, text + *n, ROOM - *n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_errno(err, errno, "cannot read the secret from standard input");
        *n += (size_t)got;
        if (got == 0 || (line && *n > 0 && text[*n - 1] == '\n'))
            return ERR_OK;
    }
    return err_set(err, ERR_TOO_BIG, "the secret is over %d bytes", SECRET_MAX_BYTES);
}

static enum err_code ask(char *text, size_t *n, struct err *err)
{
    struct termios before, silent;
    bool hidden = tcgetattr(STDIN_FILENO, &before) == 0;

    if (!hidden)
        return read_input(text, n, false, err);
    silent = before;
    silent.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) != 0)
        return err_errno(err, errno, "cannot hide what is typed");
    fputs("The secret (it is not shown): ", stderr);
    enum err_code rc = read_input(text, n, true, err);
    fputc('\n', stderr);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    return rc;
}

enum err_code cred_secret_read(const char *path, struct secret **out, struct err *err)
{
    char *text;
    size_t n = 0;

    *out = NULL;
    if (path)
        return secret_from_file(path, out, err);
    text = sodium_malloc(ROOM);
    if (!text)
        return err_set(err, ERR_NOMEM, "the secret: no locked memory");
    enum err_code rc = ask(text, &n, err);
    if (rc == ERR_OK && n > 0 && text[n - 1] == '\n')
        n--;
    if (rc == ERR_OK)
        rc = secret_new((struct str){text, n}, out, err);
    sodium_free(text);
    return rc;
}
