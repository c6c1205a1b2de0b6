/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "common/banned.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR };

static int64_t read_ms(clockid_t id)
{
    struct timespec t;

    (void)clock_gettime(id, &t); /* fails only for an unknown clock */
    return (int64_t)t.tv_sec * SECOND + t.tv_nsec / 1000000;
}

int64_t clock_boot_ms(void)
{
    return read_ms(CLOCK_BOOTTIME);
}

int64_t clock_boot_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_BOOTTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_wall_ms(void)
{
    return read_ms(CLOCK_REALTIME);
}

/* --- wall time ---------------------------------------------------------------- */

static bool utc(int64_t wall_ms, struct tm *out)
{
    time_t seconds = (time_t)(wall_ms / SECOND);

    return wall_ms >= 0 && gmtime_r(&seconds, out) && out->tm_year <= 9999 - 1900;
}

char *clock_rfc3339(int64_t wall_ms, char out[CLOCK_TEXT])
{
    struct tm t;

    if (!utc(wall_ms, &t))
        (void)snprintf(out, CLOCK_TEXT, "-");
    else
        (void)snprintf(out, CLOCK_TEXT, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ",
                       (unsigned)(t.tm_year + 1900) % 10000, (unsigned)(t.tm_mon + 1) % 100,
                       (unsigned)t.tm_mday % 100, (unsigned)t.tm_hour % 100,
                       (unsigned)t.tm_min % 100, (unsigned)t.tm_sec % 100,
                       (unsigned)(wall_ms % SECOND));
    return out;
}

char *clock_day(int64_t wall_ms, char out[CLOCK_TEXT])
{
    struct tm t;

    if (!utc(wall_ms, &t))
        (void)snprintf(out, CLOCK_TEXT, "-");
    else
        (void)snprintf(out, CLOCK_TEXT, "%04u-%02u-%02u", (unsigned)(t.tm_year + 1900) % 10000,
                       (unsigned)(t.tm_mon + 1) % 100, (unsigned)t.tm_mday % 100);
    return out;
}

char *clock_rfc3339_us(int64_t wall_ms, int us, char out[CLOCK_TEXT])
{
    char *end;

    clock_rfc3339(wall_ms, out);
    end = strchr(out, 'Z');
    if (end) {
        *end++ = (char)('0' + us / 100 % 10);
        *end++ = (char)('0' + us / 10 % 10);
        *end++ = (char)('0' + us % 10);
        memcpy(end, "Z", 2);
    }
    return out;
}

int64_t clock_wall_next_us(void)
{
    static _Atomic int64_t last;
    struct timespec t;
    int64_t now, before = atomic_load(&last);

    (void)clock_gettime(CLOCK_REALTIME, &t);
    now = (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
    do {
        now = now > before ? now : before + 1;
    } while (!atomic_compare_exchange_weak(&last, &before, now));
    return now;
}

/* Takes `digits` digits off *s as a number in low..high. */
static bool take_number(struct str *s, size_t digits, int low, int high, int *out)
{
    int64_t v = 0;

    if (s->n < digits || !str_int((struct str){s->p, digits}, high, &v) || v < low)
        return false;
    s->p += digits;
    s->n -= digits;
    *out = (int)v;
    return true;
}

static bool take_char(struct str *s, const char *one_of)
{
    for (; s->n > 0 && *one_of; one_of++)
        if (s->p[0] == *one_of) {
            s->p++;
            s->n--;
            return true;
        }
    return false;
}

/* "2026-11-21" and its separator. */
static bool take_date(struct str *s, struct tm *t)
{
    static const int days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year;
    bool leap;

    if (!take_number(s, 4, 0, 9999, &year) || !take_char(s, "-") ||
        !take_number(s, 2, 1, 12, &t->tm_mon) || !take_char(s, "-") ||
        !take_number(s, 2, 1, days[t->tm_mon - 1], &t->tm_mday))
        return false;
    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    if (t->tm_mon == 2 && t->tm_mday == 29 && !leap)
        return false;
    t->tm_year = year - 1900;
    t->tm_mon--;
    return true;
}

/* "01:02:03" and its fraction, of which microseconds are kept. */
static bool take_time(struct str *s, struct tm *t, int *us)
{
    int weight = 100000;

    *us = 0;
    if (!take_number(s, 2, 0, 23, &t->tm_hour) || !take_char(s, ":") ||
        !take_number(s, 2, 0, 59, &t->tm_min) || !take_char(s, ":") ||
        !take_number(s, 2, 0, 60, &t->tm_sec)) /* 60: a leap second */
        return false;
    if (!take_char(s, "."))
        return true;
    for (int digit, seen = 0;; seen++, weight /= 10) {
        if (!take_number(s, 1, 0, 9, &digit))
            return seen > 0;
        *us += digit * weight;
    }
}

/* Days from 1970-01-01 on: timegm() takes ten times as long, and every event has times. The
 * year begins in March, so that the leap day is its last. */
static int64_t days_to(const struct tm *t)
{
    int64_t year = t->tm_year + 1900 - (t->tm_mon < 2), month = (t->tm_mon + 10) % 12;
    int64_t era = (year >= 0 ? year : year - 399) / 400, of_era = year - era * 400;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + (153 * month + 2) / 5 +
           t->tm_mday - 1 - 719468;
}

/* "Z", "+05:30". */
static bool take_offset(struct str *s, int64_t *offset_ms)
{
    int64_t sign = s->n > 0 && s->p[0] == '-' ? -1 : 1;
    int hours, minutes;

    *offset_ms = 0;
    if (take_char(s, "Zz"))
        return true;
    if (!take_char(s, "+-") || !take_number(s, 2, 0, 23, &hours) || !take_char(s, ":") ||
        !take_number(s, 2, 0, 59, &minutes))
        return false;
    *offset_ms = sign * (hours * (int64_t)HOUR + minutes * (int64_t)MINUTE);
    return true;
}

bool clock_parse_rfc3339_us(struct str s, int64_t *wall_ms, int *us)
{
    struct tm t = {0};
    int64_t offset_ms;
    int of_second;

    if (!take_date(&s, &t) || !take_char(&s, "Tt ") || !take_time(&s, &t, &of_second) ||
        !take_offset(&s, &offset_ms) || s.n > 0)
        return false;
    *wall_ms = days_to(&t) * DAY + t.tm_hour * (int64_t)HOUR + t.tm_min * (int64_t)MINUTE +
               t.tm_sec * (int64_t)SECOND + of_second / 1000 - offset_ms;
    *us = of_second % 1000;
    return true;
}

bool clock_parse_rfc3339(struct str s, int64_t *wall_ms)
{
    int us;

    return clock_parse_rfc3339_us(s, wall_ms, &us);
}

/* --- durations ---------------------------------------------------------------- */

static const struct unit {
    const char *name;
    int64_t ms;
} units[] = {{"d", DAY}, {"h", HOUR}, {"m", MINUTE}, {"s", SECOND}, {"ms", 1}};

/* "1.5" off *s, as thousandths. */
static bool take_thousandths(struct str *s, int64_t *out)
{
    int digit, weight = 100;
    int64_t v = 0;
    bool any = false;

    while (take_number(s, 1, 0, 9, &digit)) {
        if (v > INT64_MAX / 10000)
            return false;
        v = v * 10 + digit;
        any = true;
    }
    v *= 1000;
    if (any && take_char(s, "."))
        for (any = false; take_number(s, 1, 0, 9, &digit); any = true, weight /= 10)
            v += digit * weight;
    *out = v;
    return any;
}

/* The unit that begins *s, which must come after units[*least]: "1m1h" is a typing error. */
static const struct unit *take_unit(struct str *s, size_t *least)
{
    size_t n = 0;

    while (n < s->n && s->p[n] >= 'a' && s->p[n] <= 'z')
        n++;
    for (size_t i = *least; i < COUNTOF(units); i++)
        if (str_is((struct str){s->p, n}, units[i].name)) {
            s->p += n;
            s->n -= n;
            *least = i + 1;
            return &units[i];
        }
    return NULL;
}

bool clock_parse_duration(struct str s, int64_t *ms)
{
    int64_t sum = 0, thousandths, part;
    size_t least = 0;

    if (str_is(s, "0")) {
        *ms = 0;
        return true;
    }
    do {
        const struct unit *u;

        if (!take_thousandths(&s, &thousandths) || !(u = take_unit(&s, &least)))
            return false;
        if (__builtin_mul_overflow(thousandths, u->ms, &part) ||
            __builtin_add_overflow(sum, part / 1000, &sum) || sum > INT64_MAX / 1000)
            return false; /* what is accepted can be written and read again */
    } while (s.n > 0);
    *ms = sum;
    return true;
}

char *clock_duration(int64_t ms, char out[CLOCK_TEXT])
{
    const char *sign = ms < 0 ? "-" : "";
    uint64_t t = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;

    if (t < SECOND)
        (void)snprintf(out, CLOCK_TEXT, "%s%ums", sign, (unsigned)t);
    else if (t < MINUTE && t % SECOND >= 100)
        (void)snprintf(out, CLOCK_TEXT, "%s%u.%us", sign, (unsigned)(t / SECOND),
                       (unsigned)(t % SECOND / 100));
    else if (t < MINUTE)
        (void)snprintf(out, CLOCK_TEXT, "%s%us", sign, (unsigned)(t / SECOND));
    else if (t < HOUR)
        (void)snprintf(out, CLOCK_TEXT, "%s%um%02us", sign, (unsigned)(t / MINUTE),
                       (unsigned)(t % MINUTE / SECOND));
    else if (t < DAY)
        (void)snprintf(out, CLOCK_TEXT, "%s%uh%02um", sign, (unsigned)(t / HOUR),
                       (unsigned)(t % HOUR / MINUTE));
    else
        (void)snprintf(out, CLOCK_TEXT, "%s%llud%02uh", sign, (unsigned long long)(t / DAY),
                       (unsigned)(t % DAY / HOUR));
    return out;
}
