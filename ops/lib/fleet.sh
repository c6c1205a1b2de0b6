# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Our own parts of a stack: sandboxd, sink, workers, and which Claude the sandboxes get.

fleet_wanted() { parts_wanted | grep -qE 'sandboxd|sink|worker'; }
fleet_setup() { :; }
workers_retire() { :; }
