/* SPDX-License-Identifier: Apache-2.0 */
/* Patterns of keys: read, and compared. */
#include <inttypes.h>
#include <string.h>

#include "common/secret/redact_internal.h"
#include "common/banned.h"

/* Formats that their makers published, each with a beginning that nothing else has. */
const char redact_patterns[] = "# Anthropic\n"
                               "sk-ant-[A-Za-z0-9_-]{16,}\n"
                               "# OpenAI\n"
                               "sk-proj-[A-Za-z0-9_-]{20,}\n"
                               "sk-svcacct-[A-Za-z0-9_-]{20,}\n"
                               "sk-[A-Za-z0-9]{48}\n"
                               "# Amazon\n"
                               "AKIA[A-Z0-9]{16}\n"
                               "ASIA[A-Z0-9]{16}\n"
                               "# Google\n"
                               "AIza[A-Za-z0-9_-]{35}\n"
                               "ya29.[A-Za-z0-9_-]{20,}\n"
                               "# GitHub, GitLab\n"
                               "ghp_[A-Za-z0-9]{36,255}\n"
                               "gho_[A-Za-z0-9]{36,255}\n"
                               "ghu_[A-Za-z0-9]{36,255}\n"
                               "ghs_[A-Za-z0-9]{36,255}\n"
                               "ghr_[A-Za-z0-9]{36,255}\n"
                               "github_pat_[A-Za-z0-9_]{22,255}\n"
                               "glpat-[A-Za-z0-9_-]{20,255}\n"
                               "# Slack\n"
                               "xoxb-[A-Za-z0-9-]{10,255}\n"
                               "xoxp-[A-Za-z0-9-]{10,255}\n"
                               "xoxa-[A-Za-z0-9-]{10,255}\n"
                               "xoxs-[A-Za-z0-9-]{10,255}\n"
                               "xapp-[A-Za-z0-9-]{10,255}\n"
                               "# Stripe\n"
                               "sk_live_[A-Za-z0-9]{16,255}\n"
                               "rk_live_[A-Za-z0-9]{16,255}\n"
                               "whsec_[A-Za-z0-9+/=]{24,255}\n"
                               "# npm, PyPI, Hugging Face, SendGrid, E2B\n"
                               "npm_[A-Za-z0-9]{36}\n"
                               "pypi-[A-Za-z0-9_-]{50,}\n"
                               "hf_[A-Za-z0-9]{34}\n"
                               "SG.[A-Za-z0-9_.-]{66}\n"
                               "e2b_[0-9a-f]{40}\n"
                               "# our own (schema/api_key.h)\n"
                               "sfk_[0-9a-f_]{40,255}\n"
                               "# JSON Web Tokens\n"
                               "eyJhbGciOi[A-Za-z0-9_.-]{40,}\n"
                               "# PEM\n"
                               "-----BEGIN PRIVATE KEY-----[A-Za-z0-9+/=\\n-]{64,8192}\n"
                               "-----BEGIN ENCRYPTED PRIVATE KEY-----[A-Za-z0-9+/=\\n-]{64,8192}\n"
                               "-----BEGIN RSA PRIVATE KEY-----[A-Za-z0-9+/=\\n-]{64,8192}\n"
                               "-----BEGIN EC PRIVATE KEY-----[A-Za-z0-9+/=\\n-]{64,8192}\n"
                               "-----BEGIN OPENSSH PRIVATE KEY-----[A-Za-z0-9+/=\\n-]{64,8192}\n";

enum { MOST = 4096 }; /* where the pattern does not say */

/* --- reading -------------------------------------------------------------------- */

static enum err_code bad(struct err *err)
{
    return err_set(err, ERR_CONFIG,
                   "want %d..%d bytes, a [class] and {least,most}: sk-ant-[A-Za-z0-9_-]{16,}",
                   REDACT_PREFIX_MIN_BYTES, REDACT_PREFIX_MAX_BYTES);
}

/* What JSON would not be JSON without. */
static bool is_plain(char c)
{
    return c > ' ' && c < 0x7f && c != '"' && c != '\\';
}

static bool take_prefix(struct str *s, struct redact_pattern *out)
{
    size_t n = 0;

    while (n < s->n && s->p[n] != '[' && (is_plain(s->p[n]) || s->p[n] == ' '))
        n++;
    if (n < REDACT_PREFIX_MIN_BYTES || n > REDACT_PREFIX_MAX_BYTES || n == s->n || s->p[n] != '[')
        return false;
    memcpy(out->prefix, s->p, n);
    out->n_prefix = n;
    *s = (struct str){s->p + n + 1, s->n - n - 1};
    return true;
}

static void set(struct redact_pattern *p, unsigned char from, unsigned char to)
{
    for (int c = from; c <= to; c++)
        p->class[c / 64] |= UINT64_C(1) << c % 64;
}

static bool take_class(struct str *s, struct redact_pattern *out)
{
    size_t i = 0;

    for (; i < s->n && s->p[i] != ']'; i++) {
        bool range = i + 2 < s->n && s->p[i + 1] == '-' && s->p[i + 2] != ']';

        if (s->p[i] == '\\' && i + 1 < s->n && s->p[i + 1] == 'n') {
            out->breaks = true;
            i++;
        } else if (!is_plain(s->p[i]) || (range && s->p[i + 2] < s->p[i])) {
            return false;
        } else if (range) { /* no quote and no backslash lies in one but by their names */
            if ((s->p[i] < '"' && s->p[i + 2] > '"') || (s->p[i] < '\\' && s->p[i + 2] > '\\') ||
                !is_plain(s->p[i + 2]))
                return false;
            set(out, (unsigned char)s->p[i], (unsigned char)s->p[i + 2]);
            i += 2;
        } else {
            set(out, (unsigned char)s->p[i], (unsigned char)s->p[i]);
        }
    }
    if (i == 0 || i == s->n)
        return false;
    *s = (struct str){s->p + i + 1, s->n - i - 1};
    return true;
}

static bool number(struct str s, size_t *out)
{
    int64_t n;
    bool is = str_int(s, REDACT_REPEAT_MAX, &n);

    if (is)
        *out = (size_t)n;
    return is;
}

static bool take_repeat(struct str s, struct redact_pattern *out)
{
    struct str least;

    if (s.n < 3 || s.p[0] != '{' || s.p[s.n - 1] != '}')
        return false;
    s = (struct str){s.p + 1, s.n - 2};
    if (!str_next(&s, ',', &least) || !number(least, &out->least))
        return false;
    out->most = !s.p ? out->least : MOST;
    return (s.n == 0 || number(s, &out->most)) && out->least > 0 && out->most >= out->least;
}

enum err_code redact_pattern_parse(struct str line, struct redact_pattern *out, struct err *err)
{
    *out = (struct redact_pattern){0};
    return take_prefix(&line, out) && take_class(&line, out) && take_repeat(line, out) ? ERR_OK
                                                                                       : bad(err);
}

/* --- comparing ------------------------------------------------------------------- */

/* A line break at text[at], as it is or as JSON writes it (once or more): its bytes, 0: none. */
static size_t line_break(struct str text, size_t at)
{
    size_t n = at;

    if (text.p[at] == '\n' || text.p[at] == '\r')
        return 1;
    while (n < text.n && text.p[n] == '\\')
        n++;
    return n > at && n < text.n && (text.p[n] == 'n' || text.p[n] == 'r') ? n + 1 - at : 0;
}

static size_t run_from(const struct redact_pattern *p, struct str text, size_t at)
{
    while (at < text.n) {
        size_t n = redact_in_class(p, (unsigned char)text.p[at]) ? 1
                   : p->breaks                                   ? line_break(text, at)
                                                                 : 0;
        if (n == 0)
            break;
        at += n;
    }
    return at;
}

size_t redact_pattern_match(const struct redact_pattern *p, struct str text, size_t at, bool open,
                            size_t *run_end)
{
    size_t left = text.n - at, from = at + p->n_prefix, end;

    if (left < p->n_prefix) /* what there is of it is enough only of a long beginning */
        return open && left >= REDACT_LEAST_BYTES && memcmp(text.p + at, p->prefix, left) == 0
                   ? left
                   : 0;
    if (memcmp(text.p + at, p->prefix, p->n_prefix) != 0)
        return 0;
    if (from >= *run_end)
        *run_end = run_from(p, text, from);
    end = *run_end - from > p->most ? from + p->most : *run_end;
    return end >= from + p->least || (open && end == text.n) ? end - at : 0;
}
