/* SPDX-License-Identifier: Apache-2.0 */
#include "common/process.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/banned.h"

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static int64_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    char line[128];
    int64_t pages = 0;

    if (!f)
        return 0;
    if (fgets(line, sizeof(line), f)) { /* the second number */
        char *rest = line;
        (void)strtoll(line, &rest, 10);
        pages = strtoll(rest, NULL, 10);
    }
    (void)fclose(f);
    return pages * sysconf(_SC_PAGESIZE);
}

static int64_t open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    int64_t n = 0;

    if (!d)
        return 0;
    for (const struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    (void)closedir(d);
    return n - 1; /* without the folder's own */
}

void process_look(struct process_figures *out)
{
    struct rlimit files = {0};
    struct rusage used;

    *out = (struct process_figures){.resident_bytes = resident_bytes(), .files = open_files()};
    if (getrusage(RUSAGE_SELF, &used) == 0)
        out->cpu_s = seconds(used.ru_utime) + seconds(used.ru_stime);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        out->files_max = files.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)files.rlim_cur;
}

enum err_code process_need_files(int64_t need, struct err *err)
{
    struct rlimit now = {0};
    rlim_t want = (rlim_t)need;

    if (getrlimit(RLIMIT_NOFILE, &now) != 0 || now.rlim_cur >= want)
        return ERR_OK;
    if (now.rlim_max < want)
        return err_set(err, ERR_CONFIG,
                       "%" PRId64 " open files are needed, and the hard limit is %" PRIu64
                       ": raise it (ulimit -Hn, LimitNOFILE=)",
                       need, (uint64_t)now.rlim_max);
    now.rlim_cur = want;
    return setrlimit(RLIMIT_NOFILE, &now) == 0
               ? ERR_OK
               : err_set(err, ERR_CONFIG, "%" PRId64 " open files are needed: refused", need);
}
