# The timestamp of a line from a file, which does not come from the journal. Pure,
# builtins only.
#
#   read FORMAT  stages for a line just read, with a format of formats.nix
#   own FORMAT   stages for an entry of that format
#
# A line's own time is used when it is within 30 minutes of now: Loki would reject an
# older one as soon as the stream has newer lines, and a wrong clock would hide the
# line. Loki would store two equal lines of one second or millisecond once, so the
# digits below the line's resolution come from the time of reading: set before
# lines are joined, which keeps their order.
let
  inherit (import ./stage.nix) compute find;

  near =
    seconds: body:
    "{{ $d := sub (now | unixEpoch) (${seconds}) }}{{ if and (lt $d 1800) (gt $d -1800) }}${body}{{ end }}";
  ofLayout =
    seconds: layout:
    # A layout that does not match gives the year 1, which is not near.
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
      # "fudge", the default, would date a line without a time by an earlier one.
      action_on_failure = "skip";
    };
  };
in
{
  read =
    format:
    if format ? time then
      [ (compute "x_fraction" ''{{ (now).UTC.Format ".000000000" }}'') ]
    else
      [ ];

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
      ];
}
