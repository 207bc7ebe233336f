# A selector for a `match` stage. Pure, builtins only.
#
#   selector ''{job=~".+"} |~ `a\.b` !~ `c"d` '' -> the same with double quotes
#
# Regular expressions are most readable in backticks, as in LogQL; the stage's own
# parser accepts double quotes only.
text:
let
  quoted = regex: "\"${builtins.replaceStrings [ "\\" "\"" ] [ "\\\\" "\\\"" ] regex}\"";
  # Every second piece was between backticks.
  pieces = builtins.filter builtins.isString (builtins.split "`" text);
  odd = index: index - 2 * (index / 2) == 1;
in
builtins.concatStringsSep "" (
  builtins.genList (
    index:
    let
      piece = builtins.elemAt pieces index;
    in
    if odd index then quoted piece else piece
  ) (builtins.length pieces)
)
