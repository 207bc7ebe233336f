# The time of a line of a file, of which the journal knows nothing. Pure, builtins
# only.
#
#   read            a stage for a line that was just read
#   own FORMAT      stages for an entry of this format (formats.nix)
#
# A line's own time is taken when it is within 30 minutes of now: an older one would
# be refused as soon as the stream has newer lines, and a wrong clock would hide the
# line. Two equal lines of one second or millisecond would be one in Loki, so what is
# finer than the line's time is taken from the moment at which it was read: before
# lines are joined, so that it keeps their order.
let
  inherit (import ./stages.nix) compute extract;

  near =
    seconds: body:
    "{{ $d := sub (now | unixEpoch) (${seconds}) }}{{ if and (lt $d 1800) (gt $d -1800) }}${body}{{ end }}";
  ofLayout =
    seconds: layout:
    # A layout that does not fit gives the year 1, which is not near.
    ''{{ $t := toDate "${layout}" .x_own }}''
    + near "$t | unixEpoch" (
      if seconds then
        ''{{ $t.UTC.Format "2006-01-02T15:04:05" }}{{ .x_fraction }}Z''
      else
        ''{{ $t.UTC.Format "2006-01-02T15:04:05.000" }}{{ substr 1 7 .x_fraction }}Z''
    );
  timestamp = format: {
    timestamp = {
      source = "x_time";
      inherit format;
    };
  };
in
{
  read = compute "x_fraction" ''{{ (now).UTC.Format ".000000000" }}'';

  own =
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
        (extract time)
        (compute "x_time" "{{ if .x_sec }}${near ".x_sec" "{{ .x_sec }}{{ .x_ms }}"}{{ end }}")
        (timestamp "UnixMs")
      ]
    else
      # group x_own
      [
        (extract time)
        (compute "x_time" "{{ if .x_own }}${builtins.concatStringsSep "" (map (ofLayout seconds) layouts)}{{ end }}")
        (timestamp "RFC3339Nano")
      ];
}
