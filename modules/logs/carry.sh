#!/bin/sh
# Start where the other shipper stopped, after the engine was switched.
#
# usage: carry.sh OWN POSITION LEGACY OTHER
#
#   OWN       the journal positions file of the shipper that starts
#   POSITION  what to write there, with CURSOR in place of the journal's cursor
#   LEGACY    where that shipper finds the positions of files
#   OTHER     the journal positions file of the other shipper
#
# Run as root: the two shippers' folders belong to different users.
set -eu

own=$1
position=$2
legacy=$3
other=$4

# Only when the other one was the last to run.
if [ ! -s "$other" ] || [ -n "$(find "$own" -newer "$other" 2>/dev/null)" ]; then
  exit 0
fi
cursor=$(sed -n 's/^  \(cursor-[^:]*\)\{0,1\}: *"\{0,1\}\(s=[^"]*\)"\{0,1\}$/\2/p' "$other" | sed -n 1p)
if [ -z "$cursor" ]; then
  exit 0
fi

state=$(dirname "$legacy")
folder=$(dirname "$own")
mkdir -p "$folder"
printf '%s' "$position" | sed "s/CURSOR/$cursor/" >"$own.carried"
if [ "$legacy" != "$own" ]; then
  # It imports the positions of files, if it can read them.
  cp "$other" "$legacy"
  chown --reference="$state" "$legacy"
elif [ -s "$own" ]; then
  # The positions of files stay unchanged.
  grep -v -e '^positions:' -e '^  cursor-' "$own" >>"$own.carried" || true
fi
chown --reference="$state" "$folder" 2>/dev/null || true
chown --reference="$folder" "$own.carried"
chmod 0600 "$own.carried"
mv "$own.carried" "$own"
