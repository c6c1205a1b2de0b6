/* SPDX-License-Identifier: Apache-2.0 */
/* What Kafka's errors mean for us. */
#include "common/kafka/kafka_internal.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* What is not here passes by itself or by trying again: ERR_UNAVAILABLE. */
static const struct {
    rd_kafka_resp_err_t kafka;
    enum err_code code;
    const char *next; /* what to do about it */
} meanings[] = {
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, ERR_TOO_BIG, NULL},
    {RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE, ERR_TOO_BIG, NULL},
    {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, ERR_TIMEOUT, NULL},
    {RD_KAFKA_RESP_ERR__QUEUE_FULL, ERR_THROTTLED, NULL},
    {RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS, ERR_CONFLICT, NULL},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, ERR_CONFIG, "sandfleet topics apply"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, ERR_CONFIG, "sandfleet topics apply"},
    {RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION, ERR_CONFIG, "sandfleet topics apply"},
    {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, ERR_CONFIG, "is the topic's retention too short?"},
    {RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET, ERR_CONFIG, "is the topic's retention too short?"},
    {RD_KAFKA_RESP_ERR_INVALID_PARTITIONS, ERR_CONFIG, NULL},
    {RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, ERR_CONFIG, NULL},
    {RD_KAFKA_RESP_ERR_INVALID_CONFIG, ERR_CONFIG, NULL},
    {RD_KAFKA_RESP_ERR_INVALID_REQUEST, ERR_CONFIG, NULL},
    {RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION, ERR_CONFIG, NULL},
    {RD_KAFKA_RESP_ERR_POLICY_VIOLATION, ERR_CONFIG, NULL},
    {RD_KAFKA_RESP_ERR__AUTHENTICATION, ERR_UNAUTHORIZED, NULL},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, ERR_UNAUTHORIZED, NULL},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, ERR_UNAUTHORIZED, NULL},
    {RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, ERR_UNAUTHORIZED, NULL},
    {RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, ERR_UNAUTHORIZED, NULL},
    {RD_KAFKA_RESP_ERR__FATAL, ERR_INTERNAL, NULL},
};

enum err_code kafka_error(struct err *err, rd_kafka_resp_err_t e, const char *fmt, ...)
{
    char what[160];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    enum err_code code = ERR_UNAVAILABLE;
    const char *next = NULL;
    for (size_t i = 0; i < COUNTOF(meanings); i++) {
        if (meanings[i].kafka != e)
            continue;
        code = meanings[i].code;
        next = meanings[i].next;
    }
    return err_set(err, code, "%s: %s%s%s%s", what, rd_kafka_err2str(e), next ? " (" : "",
                   next ? next : "", next ? ")" : "");
}

/* docs/adr/0024 */
static bool scram_is_hopeless(const char *reason)
{
    enum { FIXED = 0x02060100 };

    return strstr(reason, "SCRAM") && rd_kafka_version() < FIXED;
}

/* "…/bootstrap: " and "(after 3ms in state …)" are for who debugs librdkafka. */
static struct str plain_reason(const char *reason)
{
    const char *from = strstr(reason, "/bootstrap: "), *to = strstr(reason, " (after ");

    from = from ? from + strlen("/bootstrap: ") : reason;
    return (struct str){from, to && to > from ? (size_t)(to - from) : strlen(from)};
}

enum err_code kafka_refused(struct err *err, rd_kafka_resp_err_t e, const char *brokers,
                            const char *reason)
{
    bool tls = e == RD_KAFKA_RESP_ERR__SSL;
    struct str why = plain_reason(reason);
    const char *next =
        tls ? "is the broker's certificate from the authority in ssl.ca.location, and "
              "for the name in --brokers?"
        : scram_is_hopeless(reason)
            ? "librdkafka before 2.6.1 cannot do SCRAM with Kafka 3.9 and later: "
              "use PLAIN over TLS, OAUTHBEARER or a newer librdkafka"
            : "are sasl.username and sasl.password in --kafka-config right?";

    return err_set(err, tls ? ERR_CONFIG : ERR_UNAUTHORIZED, "kafka at %.60s: %.*s (%s)", brokers,
                   (int)(why.n < 100 ? why.n : 100), why.p, next);
}
