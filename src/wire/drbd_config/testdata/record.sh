#!/bin/sh
# record.sh: writes what DRBD's own drbdadm says about the files here: its dump of each good one (without comments) beside
# it, and the line that it complains about in each wrong one. Needs drbd-utils.
set -eu
cd "$(dirname "$0")"
drbdadm=${DRBDADM:-/usr/lib/drbd/drbdadm-84}
for file in good/*.res; do
  "$drbdadm" -c "$file" dump | sed '/^ *#/d' >"${file%.res}.dump"
done
for file in wrong/*.res; do
  "$drbdadm" -c "$file" dump 2>&1 >/dev/null | sed -n '1s/^\([^:]*:[0-9]*\):.*/\1/p' >"${file%.res}.line"
done
