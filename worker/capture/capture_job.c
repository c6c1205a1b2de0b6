/* SPDX-License-Identifier: Apache-2.0 */
/* The job file: the supervisor's script and, behind its marker, one setting a line. */
#include <inttypes.h>
#include <string.h>

#include "worker/capture/capture_internal.h"

#include "common/banned.h"

extern const char supervisor_sh[];
extern const size_t supervisor_sh_len;

/* No telemetry or updates from a sandbox; few retries: the queue retries better. */
static const char *const fixed_env[] = {"IS_SANDBOX=1",
                                        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1",
                                        "DISABLE_AUTOUPDATER=1", "CLAUDE_CODE_MAX_RETRIES=2"};

/* "name value": a value's backslash and newline become two characters each. */
static void put(struct buf *out, const char *name, const char *value)
{
    buf_adds(out, name);
    buf_addc(out, ' ');
    for (const char *p = value; *p; p++) {
        if (*p == '\\')
            buf_adds(out, "\\\\");
        else if (*p == '\n')
            buf_adds(out, "\\n");
        else
            buf_addc(out, *p);
    }
    buf_addc(out, '\n');
}

/* NAME=value: `env` would take anything else for an option or for the program. */
static bool env_ok(const char *pair)
{
    const char *eq = strchr(pair, '=');

    if (!eq || eq == pair || (*pair >= '0' && *pair <= '9'))
        return false;
    for (const char *p = pair; p < eq; p++)
        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9') ||
              *p == '_'))
            return false;
    return true;
}

enum err_code capture_job_write(const struct capture_spec *spec, struct buf *out, struct err *err)
{
    buf_add(out, supervisor_sh, supervisor_sh_len);
    buf_addf(out, "limit %" PRId64 "\n", spec->timeout_s);
    put(out, "work", spec->working_dir ? spec->working_dir : ".");
    if (spec->claude_session)
        put(out, "session", spec->claude_session);
    if (spec->transcript.n > 0)
        put(out, "talk", "1");
    if (spec->credential && spec->credential_env)
        put(out, "descriptor", spec->credential_env);
    if (spec->proxied)
        put(out, "proxied", "1");
    for (size_t i = 0; i < COUNTOF(fixed_env); i++)
        put(out, "word", fixed_env[i]);
    for (const char *const *e = spec->env; e && *e; e++) {
        if (!env_ok(*e))
            return err_set(err, ERR_INVALID, "job: an environment entry is no NAME=value");
        put(out, "word", *e);
    }
    put(out, "word", "claude");
    put(out, "word", "-p");
    for (const char *const *a = spec->args; a && *a; a++)
        put(out, "word", *a);
    return out->rc == ERR_OK ? ERR_OK : err_set(err, out->rc, "job file");
}
