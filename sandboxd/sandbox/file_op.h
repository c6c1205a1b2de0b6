/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SANDFLEET_SANDBOXD_SANDBOX_FILE_OP_H
#define SANDFLEET_SANDBOXD_SANDBOX_FILE_OP_H

/* In a child of init. 0 or an errno; *answer_fd is -1 or yours. */
int file_op_run(int request_fd, int *answer_fd);

#endif
