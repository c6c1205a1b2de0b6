/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/sandbox/packet.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/banned.h"

union control {
    char room[CMSG_SPACE(PACKET_FDS * sizeof(int))];
    struct cmsghdr align;
};

bool packet_send(int fd, const void *data, size_t n, const int *fds, size_t n_fds, int flags)
{
    char copy[64];
    struct iovec part = {copy, n};
    union control control = {0};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};

    assert(n <= sizeof(copy) && n_fds <= PACKET_FDS);
    memcpy(copy, data, n);
    if (n_fds > 0) {
        m.msg_control = control.room;
        m.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n_fds * sizeof(int));
        memcpy(CMSG_DATA(c), fds, n_fds * sizeof(int));
    }
    return sendmsg(fd, &m, MSG_NOSIGNAL | flags) == (ssize_t)n;
}

ssize_t packet_receive(int fd, void *data, size_t n, int fds[PACKET_FDS], size_t *n_fds, int flags)
{
    struct iovec part = {data, n};
    union control control = {0};
    struct msghdr m = {.msg_iov = &part,
                       .msg_iovlen = 1,
                       .msg_control = control.room,
                       .msg_controllen = sizeof(control.room)};
    size_t got = 0;

    for (size_t i = 0; i < PACKET_FDS; i++)
        fds[i] = -1;
    ssize_t len = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | flags);
    const struct cmsghdr *c = len > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (c != NULL && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS) {
        got = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); /* the room holds no more than fit */
        memcpy(fds, CMSG_DATA(c), got * sizeof(int));
    }
    if (n_fds != NULL)
        *n_fds = got;
    return len;
}

void packet_close(int fds[PACKET_FDS])
{
    for (size_t i = 0; i < PACKET_FDS; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}
