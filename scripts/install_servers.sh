#!/bin/sh
# The servers of others that tests run on loopback: PostgreSQL, Redis and MariaDB, from Debian. As root.
# NATS and a Kafka broker come with the Python packages of `relive[dev]`.
set -eu
missing=""
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
command -v redis-server >/dev/null 2>&1 || missing="$missing redis-server"
command -v mariadbd >/dev/null 2>&1 || missing="$missing mariadb-server"
[ -n "$missing" ] || exit 0
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
# shellcheck disable=SC2086
apt-get -q install -y --no-install-recommends $missing
