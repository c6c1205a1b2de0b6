# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# With `ops/dev up --tls`: an authority of the stack's own, a certificate for its servers, and
# what their clients need to trust it. In DIR/tls; `other-ca.pem` is an authority that signed
# nothing, for whoever wants to see it refused.

TLS_USER=sandfleet

tls_make() {
    local tls=$DIR/tls
    if [ "$TLS" != yes ] || [ -f "$tls/server.pem" ]; then return 0; fi
    install -d -m 700 "$tls"
    quietly "$DIR/log/tls.log" tls_certify "$tls" || die "the certificates could not be made" "is openssl installed? ops/install"
}

# tls_certify FOLDER: server.pem has the key and its certificate, as Kafka wants them in one file.
tls_certify() {
    local tls=$1
    tls_authority "$tls/ca" "sandfleet development" && tls_authority "$tls/other-ca" "somebody else" &&
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost \
            -keyout "$tls/server.key" -out "$tls/server.csr" &&
        openssl x509 -req -in "$tls/server.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -days 30 -out "$tls/server.crt" \
            -extfile <(printf 'subjectAltName=IP:127.0.0.1,DNS:localhost\n') &&
        cat "$tls/server.key" "$tls/server.crt" >"$tls/server.pem"
}

tls_authority() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj "/CN=$2" \
        -keyout "$1.key" -out "$1.pem"
}

# --- Kafka: TLS, and SASL with a password behind it -------------------------
# PLAIN, not SCRAM: librdkafka before 2.6.1 and Kafka 4 do not agree about SCRAM (docs/adr/0024).

tls_kafka_properties() {
    local security=org.apache.kafka.common.security
    [ "$TLS" = yes ] || return 0
    cat <<END
ssl.keystore.type=PEM
ssl.keystore.location=$DIR/tls/server.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,OAUTHBEARER
listener.name.client.plain.sasl.jaas.config=$security.plain.PlainLoginModule required user_$TLS_USER="$(secret_of kafka)";
listener.name.client.scram-sha-256.sasl.jaas.config=$security.scram.ScramLoginModule required;
# Tokens that nobody signed: for tests of the mechanism.
listener.name.client.oauthbearer.sasl.jaas.config=$security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
END
}

# The words that give the broker a user with a password by SCRAM, too, when it is made.
tls_kafka_user() {
    if [ "$TLS" = yes ]; then printf -- '--add-scram\nSCRAM-SHA-256=[name=%s,password=%s]\n' "$TLS_USER" "$(secret_of kafka)"; fi
}

# What our programs, and kcat by -F, read by SANDFLEET_KAFKA_CONFIG.
tls_kafka_client() {
    [ "$TLS" = yes ] || return 0
    write_file 600 "$DIR/tls/kafka.conf" <<END
# Clients of the Kafka in $DIR
security.protocol=sasl_ssl
ssl.ca.location=$DIR/tls/ca.pem
sasl.mechanisms=PLAIN
sasl.username=$TLS_USER
sasl.password=$(secret_of kafka)
END
}

# --- Postgres ----------------------------------------------------------------

# The server reads its key as its own user, and wants it closed to others.
tls_postgres_install() {
    local data=$1 user=$2
    [ "$TLS" = yes ] || return 0
    install -m 600 -o "$user" "$DIR/tls/server.key" "$data/server.key"
    install -m 644 -o "$user" "$DIR/tls/server.crt" "$data/server.crt"
    # Nobody comes in without it, whatever the file said before.
    sed -i 's/^host /hostssl /' "$data/pg_hba.conf"
}

tls_postgres_settings() { if [ "$TLS" = yes ]; then echo "ssl = on"; fi; }

tls_postgres_words() { if [ "$TLS" = yes ]; then echo " sslmode=verify-full sslrootcert=$DIR/tls/ca.pem"; fi; }
