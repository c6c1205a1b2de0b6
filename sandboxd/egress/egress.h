/* SPDX-License-Identifier: Apache-2.0 */
/* The way out of sandboxes that have no network of their own: an HTTP proxy behind a unix socket
 * each (CONNECT for tunnels, whole URLs for plain requests), which holds what the sandbox must
 * not: a rule's headers are added out here. A plain request to a host with a rule goes on by
 * TLS, so `http://api.example.org` inside is `https://api.example.org` with the credential
 * outside. Tunnels are passed through unread: nothing can be added in them.
 *
 * No address of this machine and its networks is reached, whatever the rules say, but those the
 * server allows. Single-threaded; nothing here blocks. */
#ifndef SANDFLEET_SANDBOXD_EGRESS_EGRESS_H
#define SANDFLEET_SANDBOXD_EGRESS_EGRESS_H

#include <stdint.h>
#include <sys/types.h>

#include "common/err.h"
#include "common/loop.h"
#include "common/option/option.h"
#include "sandboxd/egress/rules.h"

enum {
    EGRESS_RELAYS_MAX = 256,        /* connections of one sandbox at once */
    EGRESS_BUFFER_BYTES = 64 << 10, /* each way */
    EGRESS_HEAD_MS = 30 * 1000,     /* until the request is there */
    EGRESS_IDLE_MS = 15 * 60 * 1000 /* without a byte either way: a model may think for long */
};

struct egress; /* opaque: of the server */
struct door;   /* opaque: one sandbox's way out */

struct egress_opts {              /* borrowed until return */
    const struct opt_list *local; /* "127.0.0.1:8080", "10.0.0.0/8", "[::1]:80": allowed anyway */
    const char *ca_file;          /* as in http_opts */
};
/* ERR_CONFIG: an entry of `local` is no address. */
enum err_code egress_new(struct loop *l, const struct egress_opts *opts, struct egress **out,
                         struct err *err) MUST_USE;
void egress_free(struct egress *g); /* after its doors */

struct door_opts {       /* borrowed until return, but the name */
    const char *folder;  /* the socket is <folder>/egress.sock, made 0600 */
    const char *sandbox; /* its id, for the log; lives as long as the door */
    uid_t uid;           /* the socket is given to this user when we are root */
    gid_t gid;
    struct egress_rules *rules; /* taken, also on failure */
};
enum err_code door_open(struct egress *g, const struct door_opts *opts, struct door **out,
                        struct err *err) MUST_USE;
void door_set_rules(struct door *d, struct egress_rules *rules); /* taken; for new connections */
void door_close(struct door *d); /* cuts what is open; NULL is fine */

#endif
