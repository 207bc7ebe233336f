# Numbers and durations as people read them. Builtins only.
rec {
  # 0.05 -> "0.05", 5.0 -> "5", 86400000 -> "86400000"
  decimal =
    number:
    let
      text = toString number;
      parts = builtins.match "([^.]*[.]([0-9]*[1-9])?)0*" text;
      short = builtins.head parts;
    in
    if parts == null then
      text
    else if builtins.match ".*[.]" short != null then
      builtins.substring 0 (builtins.stringLength short - 1) short
    else
      short;

  # 0.05 -> "5 %"
  percent = ratio: "${decimal (ratio * 100)} %";

  # "5m" -> "5 minutes", "1h" -> "1 hour", "1h30m" -> "1 hour 30 minutes"
  duration =
    text:
    let
      units = {
        ms = "millisecond";
        s = "second";
        m = "minute";
        h = "hour";
        d = "day";
        w = "week";
        y = "year";
      };
      parts = builtins.filter builtins.isList (builtins.split "([0-9]+)(ms|[smhdwy])" text);
      word =
        part:
        let
          count = builtins.elemAt part 0;
        in
        "${count} ${units.${builtins.elemAt part 1}}${if count == "1" then "" else "s"}";
    in
    builtins.concatStringsSep " " (map word parts);
}
