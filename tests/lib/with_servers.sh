#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# with_servers.sh COMMAND…: a test beside the Kafka and Postgres that CTest lends it, one pair of
# several (ops/test starts them). By hand, without CTest's word: those of the environment.
set -euo pipefail
lent=${CTEST_RESOURCE_GROUP_0_SERVERS:-}
lent=${lent#id:}
# shellcheck disable=SC1090
[ -z "$lent" ] || . "$SANDFLEET_TEST_DIR/servers-${lent%%,*}/env"
exec "$@"
