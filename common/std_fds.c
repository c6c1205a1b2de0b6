/* SPDX-License-Identifier: Apache-2.0 */
#include "common/std_fds.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/banned.h"

void std_fds_hold(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
            abort(); /* the lowest free number is given out first: POSIX */
}
