# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Kafka Connect and a JDBC sink connector from Maven Central, each jar checked: ops/bench's peers.

CONNECT_SUMS=$ROOT/ops/kafka/connect.SHA256SUMS
CONNECT_HOME=$CACHE/connect-$(sha256sum "$CONNECT_SUMS" | cut -c1-16)
CONNECT_FETCH=org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies
# What Connect itself brings, or what other databases need.
CONNECT_NOT=kafka-clients,connect-api,slf4j-api,lz4-java,snappy-java,zstd-jni,jackson-annotations,jackson-core,jackson-databind,jackson-datatype-jsr310,mariadb-java-client,mssql-jdbc,mysql-connector-j,ojdbc11

# connect_verify FOLDER: every jar as it was, and none beside them.
connect_verify() {
    (cd "$1" && sha256sum --check --quiet --strict "$CONNECT_SUMS" &&
        [ "$(find . -name '*.jar' | wc -l)" = "$(wc -l <"$CONNECT_SUMS")" ])
}

# connect_copy POM FOLDER [OPTION…]
connect_copy() {
    quietly "$CACHE/connect.log" mvn -q -B -Dstyle.color=never -f "$ROOT/ops/kafka/$1" "$CONNECT_FETCH" \
        -DincludeScope=runtime -DoutputDirectory="$2" "${@:3}"
}

# connect_fetch: prints the folder with libs/ (Connect) and plugins/jdbc/.
connect_fetch() {
    local new=$CONNECT_HOME.new.$$
    if [ ! -d "$CONNECT_HOME" ]; then
        step "fetching Kafka Connect and a JDBC sink connector (65 MB of jars, once)" >&2
        mkdir -p "$CACHE"
        if ! { connect_copy connect.xml "$new/libs" &&
            connect_copy connect-jdbc.xml "$new/plugins/jdbc" -DexcludeArtifactIds="$CONNECT_NOT" &&
            connect_verify "$new" >&2; }; then
            rm -rf "$new"
            die "Kafka Connect did not come as ops/kafka/connect.SHA256SUMS has it" "the log: $CACHE/connect.log"
        fi
        if ! mv -T "$new" "$CONNECT_HOME" 2>/dev/null; then rm -rf "$new"; fi # somebody else was first
    fi
    echo "$CONNECT_HOME"
}
