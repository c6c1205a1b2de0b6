/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/file_op.h"

#include <errno.h>

#include "common/banned.h"

int file_op_run(int request_fd, int *answer_fd)
{
    (void)request_fd;
    *answer_fd = -1;
    return ENOSYS;
}
