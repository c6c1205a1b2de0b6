/* SPDX-License-Identifier: Apache-2.0 */
/* A queue that is a table: each line of standard input (id, tab, value) becomes a row by a prepared
 * INSERT of its own, committed before the next one. Prints {"rows": …, "seconds": …}. */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <libpq-fe.h>

static const char table[] =
    "CREATE TABLE queue (id text PRIMARY KEY, value json NOT NULL, state text NOT NULL DEFAULT "
    "'queued', created_at timestamptz NOT NULL DEFAULT now())";

static void must(PGconn *db, PGresult *r, ExecStatusType want)
{
    if (PQresultStatus(r) != want) {
        (void)fprintf(stderr, "bench.insert: %s", PQerrorMessage(db));
        exit(1);
    }
    PQclear(r);
}

static double now_s(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(void)
{
    const char *conninfo = getenv("SANDFLEET_DATABASE");
    PGconn *db = PQconnectdb(conninfo ? conninfo : "");
    char *line = NULL;
    size_t room = 0;
    ssize_t n;
    long rows = 0;

    must(db, PQexec(db, "DROP TABLE IF EXISTS queue"), PGRES_COMMAND_OK);
    must(db, PQexec(db, table), PGRES_COMMAND_OK);
    must(db, PQprepare(db, "put", "INSERT INTO queue (id, value) VALUES ($1, $2)", 2, NULL),
         PGRES_COMMAND_OK);
    double began = now_s();
    while ((n = getline(&line, &room, stdin)) > 0) {
        char *tab = strchr(line, '\t');

        if (!tab)
            continue;
        *tab = line[n - 1] = '\0';
        const char *values[] = {line, tab + 1};
        must(db, PQexecPrepared(db, "put", 2, values, NULL, NULL, 0), PGRES_COMMAND_OK);
        rows++;
    }
    printf("{\"rows\": %ld, \"seconds\": %.6f}\n", rows, now_s() - began);
    free(line);
    PQfinish(db);
    return 0;
}
