#!/bin/sh
# Set a shipper's position back to Loki's newest line, before it starts.
#
# usage: rewind.sh POSITIONS LINES LOKI SELECTOR [JOURNALCTL-OPTION ...]
#
#   POSITIONS  the shipper's positions file
#   LINES      the maximum number of lines to go back
#   LOKI       http://HOST:PORT
#   SELECTOR   the streams that come from the journal
#
# The shipper saves its position when it reads a line, not when Loki has it: unsent
# lines would be lost when it is killed. So it starts again a little before the
# newest line in Loki. Lines that are sent twice are stored once: Loki drops an
# entry whose stream, time and text it already has. Metric queries count such an
# entry twice as long as one of the two is only in memory, so "a little" is five
# seconds; LINES applies when Loki does not answer.
set -eu

positions=$1
lines=$2
loki=$3
selector=$4
shift 4

# No command may end a pipeline early or with an error: on a host it runs with
# `pipefail`.
cursors() {
  { journalctl "$@" --quiet --output=export --output-fields=PRIORITY 2>/dev/null || true; } |
    sed -n 's/^__CURSOR=//p'
}

# The time of a cursor in microseconds.
time_of() {
  hexadecimal=${1##*;t=}
  echo "$((0x${hexadecimal%%;*}))"
}

if [ ! -s "$positions" ]; then
  exit 0 # the first start
fi
# Promtail:  "  cursor-journal: s=…"      Alloy:  "  : s=…" below the name
cursor=$(sed -n 's/^  \(cursor-[^:]*\)\{0,1\}: *"\{0,1\}\(s=[^"]*\)"\{0,1\}$/\2/p' "$positions" | sed -n 1p)
if [ -z "$cursor" ]; then
  exit 0
fi

target=$(cursors "$@" --cursor="$cursor" --reverse --lines="$lines" | tail -n 1)
if [ -z "$target" ]; then
  exit 0 # the journal no longer has that line
fi

read_until=$(time_of "$cursor")
answer=$(curl --silent --max-time 10 --retry 20 --retry-delay 1 --retry-connrefused \
  --retry-max-time 30 --get "$loki/loki/api/v1/query_range" \
  --data-urlencode "query=$selector" --data limit=1 --data direction=backward \
  --data "start=$(((read_until - 604800000000) * 1000))" \
  --data "end=$(date +%s)999999999") || answer=
newest=$(printf %s "$answer" | sed -n 's/.*"values":\[\["\([0-9]*\)".*/\1/p')
if [ -n "$newest" ]; then
  since=$((newest / 1000000000 - 5))
  near=$(cursors "$@" --since="@$since" | sed -n 1p)
  if [ -n "$near" ] && [ "$(time_of "$near")" -gt "$(time_of "$target")" ]; then
    target=$near
  fi
fi
if [ "$(time_of "$target")" -ge "$read_until" ]; then
  exit 0
fi

temporary=$positions.rewound
awk -v cursor="$target" '
  /^  (cursor-[^:]*)?: *"?s=/ { sub(/: *"?s=.*/, ": " cursor) }
  { print }
' "$positions" >"$temporary"
mv "$temporary" "$positions"
