# Prometheus durations ("1h30m") as numbers. Builtins only.
let
  factor = {
    y = 31536000000;
    w = 604800000;
    d = 86400000;
    h = 3600000;
    m = 60000;
    s = 1000;
    ms = 1;
  };
in
{
  milliseconds =
    text:
    let
      parts = builtins.filter builtins.isList (builtins.split "([0-9]{1,9})(ms|[ywdhms])" text);
      value = part: builtins.fromJSON (builtins.elemAt part 0) * factor.${builtins.elemAt part 1};
    in
    builtins.foldl' (sum: part: sum + value part) 0 parts;
}
