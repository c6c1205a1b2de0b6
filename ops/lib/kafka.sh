# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Apache Kafka from Maven Central's jars: one node that is broker and controller.

KAFKA_VERSION=4.3.1
KAFKA_JARS=$CACHE/kafka-$KAFKA_VERSION
KAFKA_FETCH=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies

# kafka_verify FOLDER: every jar of SHA256SUMS as it was, and no jar beside them.
kafka_verify() {
    (cd "$1" && sha256sum --check --quiet --strict "$ROOT/ops/kafka/SHA256SUMS" &&
        [ "$(find . -name '*.jar' | wc -l)" = "$(wc -l <"$ROOT/ops/kafka/SHA256SUMS")" ])
}

kafka_fetch() {
    local new=$KAFKA_JARS.new.$$
    [ ! -d "$KAFKA_JARS" ] || return 0
    mkdir -p "$CACHE"
    step "fetching Apache Kafka $KAFKA_VERSION (44 MB of jars, once)"
    quietly "$DIR/log/kafka-fetch.log" mvn -q -B -Dstyle.color=never -f "$ROOT/ops/kafka/pom.xml" "$KAFKA_FETCH" \
        -DincludeScope=runtime -DoutputDirectory="$new" ||
        die "Kafka's jars did not come" "is Maven Central, or the mirror in ~/.m2/settings.xml, reachable? does Java trust it?"
    if ! kafka_verify "$new" >&2; then
        rm -rf "$new"
        die "a jar differs from ops/kafka/SHA256SUMS" \
            "nothing was kept; if the version in ops/kafka/pom.xml was raised on purpose, write new sums"
    fi
    if ! mv -T "$new" "$KAFKA_JARS" 2>/dev/null; then rm -rf "$new"; fi # somebody else was first
}

kafka_configure() {
    local here=127.0.0.1 client=PLAINTEXT
    if [ "$TLS" = yes ]; then client=SASL_SSL; fi
    write_file 600 "$DIR/kafka.properties" <<END
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@$here:${PORT[kafka_controller]}
controller.listener.names=CONTROLLER
listeners=CLIENT://$here:${PORT[kafka]},INNER://$here:${PORT[kafka_inner]},CONTROLLER://$here:${PORT[kafka_controller]}
advertised.listeners=CLIENT://$here:${PORT[kafka]},INNER://$here:${PORT[kafka_inner]}
listener.security.protocol.map=CLIENT:$client,INNER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=INNER
log.dirs=$(data_dir)/kafka
auto.create.topics.enable=false
# One node: every internal topic has one copy.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4
# A killed node comes back in 2 s instead of 12: its old registration times out sooner.
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300
# Groups form at once, and tests may see a dead member quickly.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# A bench that measures from the broker's own time asks for LogAppendTime.
log.message.timestamp.type=${SANDFLEET_KAFKA_TIMESTAMP:-CreateTime}
$(tls_kafka_properties)
END
}

# A small heap and no optimizing compiler: 275 MB, and ready in 2 s. All stands still for 20 to 40 ms a
# second under load: who measures latencies gives it another collector, by SANDFLEET_KAFKA_JAVA.
read -ra KAFKA_HEAP <<<"${SANDFLEET_KAFKA_JAVA:--Xms64m -Xmx512m -XX:+UseSerialGC -XX:TieredStopAtLevel=1}"
KAFKA_JAVA=(java "${KAFKA_HEAP[@]}" -cp "$KAFKA_JARS/*"
    -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -Dorg.slf4j.simpleLogger.showDateTime=true
    -Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info)

kafka_format() {
    local id
    local -a user
    [ ! -f "$(data_dir)/kafka/meta.properties" ] || return 0
    id=c$(head -c 15 /dev/urandom | base64 | tr '+/' '-_')w # 22 letters, never a leading "-"
    mapfile -t user < <(tls_kafka_user)
    quietly "$(log_file kafka-format)" "${KAFKA_JAVA[@]}" kafka.tools.StorageTool format -t "$id" \
        -c "$DIR/kafka.properties" --ignore-formatted "${user[@]}"
}

kafka_prepare() {
    kafka_fetch
    ports_need kafka kafka kafka_controller kafka_inner
    tls_make
    tls_kafka_client
    kafka_configure
}

kafka_digest() { { cat "$DIR/kafka.properties" && cat "$ROOT/ops/kafka/SHA256SUMS"; } | digest; }

kafka_start() {
    kafka_verify "$KAFKA_JARS" >&2 ||
        die "Kafka's jars in $KAFKA_JARS were changed" "remove that folder; the next start fetches them again"
    kafka_format
    proc_start kafka "$1" "${KAFKA_JAVA[@]}" kafka.Kafka "$DIR/kafka.properties"
}

# "started" comes after the broker was unfenced: from here on it serves.
kafka_ready() { since "$(log_file kafka)" "$1" | grep -q 'Kafka Server started'; }
