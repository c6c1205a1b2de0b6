#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What one would write first: a consumer, json.loads, batched inserts, offsets at the end.

Ends after --rows rows; prints when the first and the last batch were committed.
"""
import argparse
import datetime
import json
import time

import confluent_kafka
import psycopg

COLUMNS = ("run_id run_day sequence attempt epoch line log_offset type time tenant tool model input_tokens "
           "output_tokens cost_usd data").split()
INSERT = (f"INSERT INTO fleet.events ({', '.join(COLUMNS)}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"
          " ON CONFLICT DO NOTHING")
BATCH = 500


def row_of(value):
    row = json.loads(value)
    row["run_day"] = datetime.date.fromordinal(datetime.date(1970, 1, 1).toordinal() + row["run_day"])
    row["time"] = datetime.datetime.fromtimestamp(row["time"] / 1000, datetime.timezone.utc)
    return [row[c] for c in COLUMNS]


def main():
    parser = argparse.ArgumentParser()
    for name in ("brokers", "topic", "database", "group"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--rows", type=int, required=True)
    o = parser.parse_args()
    consumer = confluent_kafka.Consumer({"bootstrap.servers": o.brokers, "group.id": o.group,
                                         "auto.offset.reset": "earliest", "enable.auto.commit": False})
    consumer.subscribe([o.topic])
    done, first = 0, None
    with psycopg.connect(o.database) as db:
        while done < o.rows:
            messages = [m for m in consumer.consume(BATCH, timeout=0.1) if not m.error()]
            if not messages:
                continue
            with db.cursor() as cursor:
                cursor.executemany(INSERT, [row_of(m.value()) for m in messages])
            db.commit()
            consumer.commit(asynchronous=True)
            done += len(messages)
            first = first or (time.monotonic(), done)
    last = time.monotonic()
    print(json.dumps({"rows": done - first[1], "seconds": last - first[0]}))
    consumer.close()


main()
