/* SPDX-License-Identifier: Apache-2.0 */
#include "producer/api/api_wait.h"

#include "common/backoff.h"
#include "common/clock.h"
#include "producer/show/waiting.h"
#include "common/banned.h"

enum { POLL_MAX_S = 60, POLL_MAX_MS = POLL_MAX_S * 1000, BACKOFF_MS = 500, BACKOFF_CAP_MS = 10000 };

struct waiting {
    struct api_client *api;
    const struct api_wait *w;
    struct backoff backoff;
    int64_t begun_ms, contact_ms;
    struct waiting_row row;
    bool told, stopped;
};

static int64_t left_ms(const struct waiting *x)
{
    int64_t left = x->w->wait_ms - (clock_boot_ms() - x->begun_ms);

    return !x->w->wait_ms || left > POLL_MAX_MS ? POLL_MAX_MS : left > 0 ? left : 0;
}

static enum err_code poll_once(struct waiting *x, cJSON **doc, struct err *err)
{
    int64_t s = (left_ms(x) + 999) / 1000;
    AUTO_BUF path = BUF_INIT(8192), body = BUF_INIT(API_ANSWER_MAX);

    buf_adds(&path, x->w->path);
    api_query_int(&path, "wait", s);
    const struct api_call call = {.path = path.p, .wait_ms = 1000 * s};
    if (api_call(x->api, &call, &body, NULL, err) != ERR_OK)
        return err->code;
    json_delete(doc);
    *doc = NULL;
    if (json_parse(buf_str(&body), 0, doc, err) != ERR_OK)
        return err_set(err, ERR_PROTOCOL, "sandfleet-api at %s answers no JSON",
                       api_client_url(x->api));
    x->contact_ms = clock_boot_ms();
    backoff_reset(&x->backoff);
    return ERR_OK;
}

static bool rest(struct waiting *x, int64_t ms)
{
    x->stopped = !api_rest(x->api, ms);
    return !x->stopped;
}

static bool not_known_yet(const struct waiting *x, const struct err *err)
{
    return x->w->maybe_young && err->code == ERR_NOT_FOUND &&
           clock_boot_ms() - x->begun_ms < API_UNKNOWN_MS && (!x->w->wait_ms || left_ms(x) > 0);
}

static bool rest_unknown(struct waiting *x)
{
    waiting_show(&x->row, x->w->quiet, API_UNKNOWN_TEXT);
    bool rested = rest(x, BACKOFF_MS);
    waiting_end(&x->row);
    return rested;
}

/* false: it is given up. */
static bool come_again(struct waiting *x, const struct err *err)
{
    int64_t wait = err->retry_ms > 0 ? err->retry_ms : backoff_next_ms(&x->backoff);
    bool away =
        err->code == ERR_UNAVAILABLE || err->code == ERR_TIMEOUT || err->code == ERR_THROTTLED;

    if (!away || clock_boot_ms() - x->contact_ms + wait > API_AWAY_MS ||
        (x->w->wait_ms && left_ms(x) < wait))
        return false;
    if (!x->told && !x->w->quiet)
        client_note("%s; trying again", err->msg);
    x->told = true;
    return rest(x, wait);
}

enum err_code api_wait(struct api_client *a, const struct api_wait *w, cJSON **doc, struct err *err)
{
    struct waiting x = {.api = a,
                        .w = w,
                        .backoff = BACKOFF_INIT(BACKOFF_MS, BACKOFF_CAP_MS),
                        .begun_ms = clock_boot_ms(),
                        .contact_ms = clock_boot_ms()};

    *doc = NULL;
    for (;;) {
        *err = ERR_INIT;
        if (poll_once(&x, doc, err) == ERR_OK) {
            if (w->over(*doc))
                return ERR_OK;
            if (w->wait_ms && left_ms(&x) == 0)
                return err_set(err, ERR_TIMEOUT, "the wait is over");
        } else if (!(not_known_yet(&x, err) ? rest_unknown(&x) : come_again(&x, err))) {
            json_delete(doc);
            *doc = NULL;
            return x.stopped ? err_set(err, ERR_CANCELLED, "stopped") : err->code;
        }
    }
}

static void on_stop(void *ctx, int count)
{
    (void)count;
    loop_stop(ctx);
}

enum err_code api_wait_heed_stop(struct api_client *a, struct err *err)
{
    return loop_on_stop(api_client_loop(a), on_stop, api_client_loop(a), err);
}

int api_wait_detached(const char *what, const char *command, const char *of)
{
    client_note("detached; the %s goes on. Come back with: %s %s", what, command, of);
    return EXIT_INTERRUPTED;
}
