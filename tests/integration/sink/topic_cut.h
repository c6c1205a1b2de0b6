/* SPDX-License-Identifier: Apache-2.0 */
/* A partition's beginning, cut off. */
#ifndef SANDFLEET_TESTS_INTEGRATION_SINK_TOPIC_CUT_H
#define SANDFLEET_TESTS_INTEGRATION_SINK_TOPIC_CUT_H

#include <librdkafka/rdkafka.h>

#include "tests/integration/sink/lab.h"

/* Takes the records before `offset` away, as retention does. */
static inline void lab_cut(struct lab *lab, enum topic topic, int32_t partition, int64_t offset)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_DeleteRecords_t *what;
    rd_kafka_queue_t *answers;
    rd_kafka_event_t *answer;
    rd_kafka_t *rk;

    rd_kafka_conf_set(conf, "bootstrap.servers", lab->brokers, text, sizeof(text));
    rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(rk);
    rd_kafka_topic_partition_list_add(list, lab->topics.name[topic], partition)->offset = offset;
    what = rd_kafka_DeleteRecords_new(list);
    answers = rd_kafka_queue_new(rk);
    rd_kafka_DeleteRecords(rk, &what, 1, NULL, answers);
    answer = rd_kafka_queue_poll(answers, LAB_WAIT_MS);
    assert_non_null(answer);
    assert_int_equal(rd_kafka_event_error(answer), RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(answer);
    rd_kafka_queue_destroy(answers);
    rd_kafka_DeleteRecords_destroy(what);
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(rk);
}

#endif
