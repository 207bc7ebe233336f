# Recording rules about a share over a window: how much of `all` is a `part`.
# Builtins only.
{
  # The three rules of one window: `all` and `part` a second, and their ratio, which is
  # a sum over a sum. Nothing has a ratio without any of `all`.
  rates =
    level: nameOfAll: all: nameOfPart: part: window:
    let
      rate = name: "${level}:${name}:rate${window}";
    in
    [
      {
        record = rate nameOfAll;
        expr = all;
      }
      {
        record = rate nameOfPart;
        expr = part;
      }
      {
        record = "${level}:${nameOfPart}:ratio_rate${window}";
        expr = "${rate nameOfPart} / (${rate nameOfAll} > 0)";
      }
    ];
}
