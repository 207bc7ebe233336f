#!/bin/sh
# Start where the other shipper stopped, after the engine was switched.
#
# usage: carry.sh ENGINE OWN OTHER
#
#   ENGINE  promtail or alloy: the format of the positions file to write
#   OWN     the journal positions file of the shipper that starts
#   OTHER   the same file of the other shipper
#
# Run as root: the two shippers' folders belong to different users.
set -eu

engine=$1
own=$2
other=$3

# Only when the other one was the last to run.
if [ ! -s "$other" ] || [ -n "$(find "$own" -newer "$other" 2>/dev/null)" ]; then
  exit 0
fi
cursor=$(sed -n 's/^  \(cursor-[^:]*\)\{0,1\}: *"\{0,1\}\(s=[^"]*\)"\{0,1\}$/\2/p' "$other" | sed -n 1p)
if [ -z "$cursor" ]; then
  exit 0
fi

folder=$(dirname "$own")
mkdir -p "$folder"
case $engine in
promtail)
  printf 'positions:\n  cursor-journal: %s\n' "$cursor" >"$own.carried"
  # The positions of files stay unchanged.
  if [ -s "$own" ]; then
    grep -v -e '^positions:' -e '^  cursor-' "$own" >>"$own.carried" || true
  fi
  ;;
alloy)
  printf 'positions:\n  ? path: cursor-loki.source.journal.journal\n    labels: ""\n  : %s\n' \
    "$cursor" >"$own.carried"
  # Alloy itself imports the positions of files, if it can read them.
  legacy=$folder/../promtail-positions.yaml
  cp "$other" "$legacy"
  chown --reference="$folder/.." "$legacy"
  ;;
*)
  echo "carry.sh: no engine $engine: promtail or alloy" >&2
  exit 2
  ;;
esac
chown --reference="$folder/.." "$folder" 2>/dev/null || true
chown --reference="$folder" "$own.carried"
chmod 0600 "$own.carried"
mv "$own.carried" "$own"
