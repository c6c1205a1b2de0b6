/* SPDX-License-Identifier: Apache-2.0 */
#include "sandboxd/settings.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/banned.h"

#define AT(member) offsetof(struct settings, member)

// clang-format off
const struct opt settings_rows[] = {
    {"listen", 0, OPT_STRING, AT(listen), "127.0.0.1:0", 3, 64, 0, "SANDFLEET_SANDBOXD_LISTEN",
     "<address:port>", "Where to listen; port 0 takes a free one below 32768 and prints it."},
    {"data", 0, OPT_STRING, AT(data), NULL, 1, 1024, 0, "SANDFLEET_SANDBOXD_DATA",
     "<folder>", "Where sandboxes and templates are kept; the sandboxes' user must be able to enter it."},
    {"claude", 0, OPT_STRING, AT(claude), NULL, 1, 4096, 0, "SANDFLEET_CLAUDE",
     "<program>", "Becomes `claude` in the sandboxes of template \"claude\"."},
    {"run-as", 0, OPT_STRING, AT(run_as), NULL, 1, 256, 0, "SANDFLEET_SANDBOXD_RUN_AS",
     "<user>", "The user that commands run as; needed, and only possible, as root."},
    {"isolation", 0, OPT_STRING, AT(isolation), "medium", 1, 16, 0, "SANDFLEET_SANDBOXD_ISOLATION",
     "<level>", "How sandboxes are kept apart: strong (a network of their own, with a proxy), medium, weak or none."},
    {"i-know-it-is-unsafe", 0, OPT_BOOL, AT(unsafe), NULL, 0, 0, OPT_NO_ENV, NULL,
     NULL, "Allows --isolation none: sandboxes then are this machine."},
    {"memory", 0, OPT_BYTES, AT(memory_bytes), "4GiB", 256 << 20, INT64_C(1) << 44, 0, "SANDFLEET_SANDBOX_MEMORY",
     "<bytes>", "Most memory of a sandbox; without a cgroup: of each of its processes, 1.5GiB at least."},
    {"pids", 0, OPT_INT, AT(pids), "1024", 16, 1 << 20, 0, "SANDFLEET_SANDBOX_PIDS",
     "<n>", "Most processes and threads of a sandbox."},
    {"disk", 0, OPT_BYTES, AT(file_bytes), "16GiB", 1 << 20, INT64_C(1) << 46, 0, "SANDFLEET_SANDBOX_DISK",
     "<bytes>", "Largest file that a sandbox may write."},
    {"connect-ports", 0, OPT_LIST, AT(connect_ports), NULL, 0, 0, 0, "SANDFLEET_SANDBOX_CONNECT_PORTS",
     "<port>", "TCP ports that sandboxes may connect to (weak and medium, Landlock 4 and later); default all."},
    {"egress-allow", 0, OPT_LIST, AT(egress_allow), NULL, 0, 0, 0, "SANDFLEET_EGRESS_ALLOW",
     "<address:port>", "Address of this machine or its networks that sandboxes without a network may reach (strong)."},
    {"egress-ca", 0, OPT_STRING, AT(egress_ca), NULL, 1, 4096, 0, "SANDFLEET_EGRESS_CA",
     "<file>", "PEM file of authorities to trust, instead of the system's, where a rule's header is added."},
    {"max-sandboxes", 0, OPT_INT, AT(max_sandboxes), "100", 1, 10000, 0, "SANDFLEET_MAX_SANDBOXES",
     "<n>", "Most sandboxes at once; more are refused with 429."},
    {"max-upload", 0, OPT_BYTES, AT(max_upload), "8GiB", 1, INT64_MAX / 4, 0, "SANDFLEET_MAX_UPLOAD",
     "<bytes>", "Most bytes of one upload into a sandbox, unpacked; never over --disk."},
    {"e2b-api-key", 0, OPT_STRING, AT(api_key), NULL, 1, 4096, OPT_SECRET, "E2B_API_KEY",
     "<key>", "The key that callers must send as X-API-Key."},
    {"faults", 0, OPT_STRING, AT(faults), NULL, 1, 4096, OPT_NO_ENV, NULL,
     "<file>", "Scripted faults for tests, as JSON: which answers go wrong, and how."},
    {"fault-endpoint", 0, OPT_BOOL, AT(fault_endpoint), NULL, 0, 0, OPT_NO_ENV, NULL,
     NULL, "Lets PUT /sandfleet/faults replace the scripted faults; for tests."},
    PROGRAM_ROWS(AT(common)),
};
// clang-format on
const size_t settings_n = COUNTOF(settings_rows);

static enum err_code read_ports(struct settings *s, struct err *err)
{
    if (s->connect_ports.n > LANDLOCK_PORTS_MAX)
        return err_set(err, ERR_CONFIG, "--connect-ports: over %d ports", LANDLOCK_PORTS_MAX);
    for (size_t i = 0; i < s->connect_ports.n; i++) {
        char *end = NULL;
        long port = strtol(s->connect_ports.items[i], &end, 10);

        if (*end != '\0' || port < 1 || port > 65535)
            return err_set(err, ERR_USAGE, "--connect-ports '%s' is not a port from 1 to 65535",
                           s->connect_ports.items[i]);
        s->want.ports[s->want.n_ports++] = (uint16_t)port;
    }
    return ERR_OK;
}

static enum err_code check_isolation(struct settings *s, struct err *err)
{
    s->want = (struct isolation_want){
        .memory_bytes = s->memory_bytes, .pids = s->pids, .file_bytes = s->file_bytes};
    if (!isolation_parse(s->isolation, &s->want.level))
        return err_set(err, ERR_USAGE, "--isolation '%s' is not strong, medium, weak or none",
                       s->isolation);
    if (s->want.level == ISOLATION_NONE && !s->unsafe)
        return err_set(err, ERR_CONFIG,
                       "--isolation none keeps nothing apart: what runs in a sandbox can do all "
                       "that its user can on this machine; take medium, or add "
                       "--i-know-it-is-unsafe");
    return read_ports(s, err);
}

enum err_code settings_check(void *settings, const char *word, struct err *err)
{
    struct settings *s = settings;

    (void)word;
    if (program_asked(&s->common))
        return ERR_OK;
    if (s->data == NULL)
        return err_set(err, ERR_CONFIG, "no folder for sandboxes: give --data FOLDER");
    if (s->api_key == NULL)
        return err_set(err, ERR_CONFIG,
                       "no API key: set E2B_API_KEY or give --e2b-api-key-file FILE");
    return check_isolation(s, err);
}

const char settings_usage[] =
    "usage: sandfleet-sandboxd --data FOLDER [--isolation LEVEL] [--run-as USER] [options]\n\n"
    "Sandboxes on this machine behind E2B's API.\n\n";
