# Names of units as people write them in options. Pure, builtins only.
#
# A template (worker@.service) means all of its instances, and `*` is any text, as
# in systemctl (worker@*.service).
rec {
  isPattern = name: builtins.match ".*(@\\.|\\*).*" name != null;

  # A regular expression that matches exactly these names.
  regex =
    builtins.replaceStrings [ "@." "*" "." "+" "\\" ] [ "@.*\\." ".*" "\\." "\\+" "\\\\" ];
  oneOf = names: "(?:${builtins.concatStringsSep "|" (map regex names)})";
}
