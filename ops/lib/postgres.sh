# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# A Postgres cluster of the stack's own, on 127.0.0.1 only. The server refuses to run as
# root, so there it runs as the package's user `postgres`.

PG_BIN=${PG_BIN:-/usr/lib/postgresql/15/bin}

postgres_user() { if is_root; then echo postgres; else id -un; fi; }
postgres_data() { echo "$(data_dir)/postgres"; }

postgres_configure() {
    local data
    data=$(postgres_data)
    {
        echo "listen_addresses = '127.0.0.1'"
        echo "port = ${PORT[postgres]}"
        echo "unix_socket_directories = ''"
        echo "max_connections = 200"
        echo "log_line_prefix = '%m [%p] '"
        echo "log_min_messages = warning"
        tls_postgres_settings
    } | write_file 600 "$data/sandfleet.conf"
    chown "$(postgres_user)" "$data/sandfleet.conf"
    tls_postgres_install "$data" "$(postgres_user)"
}

# initdb into a folder beside, renamed at the end: a failed or interrupted one is not half
# there. One chain, because `set -e` does not hold in a function whose status is asked for.
postgres_init() {
    local data new user
    data=$(postgres_data)
    user=$(postgres_user)
    [ ! -d "$data" ] || return 0
    new=$data.new
    rm -rf "$new"
    install -d -m 700 -o "$user" "$new" &&
        secret_of postgres | install -m 600 -o "$user" /dev/stdin "$new.password" &&
        as_user "$user" "$PG_BIN/initdb" -D "$new" -U sandfleet -E UTF8 --locale=C.UTF-8 \
            -A scram-sha-256 --pwfile="$new.password" --no-sync &&
        rm "$new.password" &&
        echo "include = 'sandfleet.conf'" >>"$new/postgresql.conf" &&
        mv -T "$new" "$data"
}

postgres_prepare() {
    ports_need postgres postgres
    tls_make
    quietly "$(log_file postgres-init)" postgres_init ||
        die "the Postgres cluster could not be made" "is there room for 50 MB in $(data_dir)?"
    postgres_configure
}

postgres_digest() { { "$PG_BIN/postgres" --version && cat "$(postgres_data)/sandfleet.conf"; } | digest; }

postgres_start() {
    local -a as=()
    await 10 postgres_alone || warn "a process of a killed Postgres still holds $(postgres_data)"
    if is_root; then as=(env --chdir=/ setpriv --reuid postgres --regid postgres --init-groups); fi
    proc_start postgres "$1" "${as[@]}" "$PG_BIN/postgres" -D "$(postgres_data)"
}

# After a crash of the server its sessions end by themselves, a moment later. Until then they
# hold the shared memory that line 7 of the old pid file names, and no new server may start.
postgres_alone() {
    local id
    id=$(awk 'NR == 7 { print $2 }' "$(postgres_data)/postmaster.pid" 2>/dev/null) || return 0
    awk -v id="$id" '$2 == id && $7 > 0 { held = 1 } END { exit held }' /proc/sysvipc/shm
}

# The first query makes the database; later ones only ask.
postgres_ready() {
    postgres_sql sandfleet 'select 1' >/dev/null 2>&1 ||
        { postgres_sql postgres 'create database sandfleet' >/dev/null 2>&1 && false; }
}

# postgres_sql DATABASE SQL
postgres_sql() {
    PGCONNECT_TIMEOUT=5 "$PG_BIN/psql" -XqAt -v ON_ERROR_STOP=1 \
        -d "$(postgres_conninfo "") dbname=$1" -c "$2"
}

# A login for each of our own processes, as the migrations left their roles. By standard input: an
# argument list can be read by everybody.
postgres_logins() {
    local role
    for role in worker sink api client webhook; do
        echo "SELECT 'CREATE ROLE dev_$role LOGIN IN ROLE sandfleet_$role'"
        echo "WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'dev_$role') \\gexec"
        echo "ALTER ROLE dev_$role PASSWORD '$(secret_of "postgres-$role")';"
    done | PGCONNECT_TIMEOUT=5 "$PG_BIN/psql" -XqAt -v ON_ERROR_STOP=1 -d "$(postgres_conninfo "")" -f -
}

# postgres_conninfo [ROLE]: as the owner of all, or as one of our processes.
postgres_conninfo() {
    local user=sandfleet secret=postgres
    if [ -n "${1:-}" ]; then user=dev_$1 secret=postgres-$1; fi
    echo "host=127.0.0.1 port=${PORT[postgres]:-1} dbname=sandfleet user=$user password=$(secret_of "$secret")$(tls_postgres_words)"
}
