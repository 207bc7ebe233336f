# The time that stands in a line of a file: stages for one of formats.nix. Pure,
# builtins only.
#
# A file's line has a time of its own, of which the journal knows nothing. It
# is taken when it is within 30 minutes of now: an older one would be refused
# as soon as the stream has newer lines, and a wrong clock would hide the line.
# Two equal lines of one second would be one in Loki, so a time without
# fractions gets those of the moment at which it was read.
let
  inherit (import ./stage.nix) compute find;

  near =
    seconds: body:
    "{{ $d := sub (now | unixEpoch) (${seconds}) }}{{ if and (lt $d 1800) (gt $d -1800) }}${body}{{ end }}";
  ofLayout =
    seconds: layout:
    # A layout that does not fit gives the year 1, which is not near.
    ''{{ $t := toDate "${layout}" .x_own }}''
    + near "$t | unixEpoch" (
      if seconds then
        ''{{ $t.UTC.Format "2006-01-02T15:04:05" }}{{ (now).UTC.Format ".000000000Z" }}''
      else
        ''{{ $t.UTC.Format "2006-01-02T15:04:05.999999999Z07:00" }}''
    );
  timestamp = format: {
    timestamp = {
      source = "x_time";
      inherit format;
    };
  };
in
{
  time ? null,
  layouts ? [ ],
  seconds ? false,
  ...
}:
if time == null then
  [ ]
else if layouts == [ ] then
  # groups x_sec and x_ms: seconds since 1970 and milliseconds
  [
    (find time)
    (compute "x_time" "{{ if .x_sec }}${near ".x_sec" "{{ .x_sec }}{{ .x_ms }}"}{{ end }}")
    (timestamp "UnixMs")
  ]
else
  # group x_own
  [
    (find time)
    (compute "x_time" "{{ if .x_own }}${builtins.concatStringsSep "" (map (ofLayout seconds) layouts)}{{ end }}")
    (timestamp "RFC3339Nano")
  ]
