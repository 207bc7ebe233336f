# The groups that may use the sockets of the apps' Redis servers, for units that
# read them: apps -> [ "redis-shop" ]. Builtins only.
apps:
let
  inherit (import ../pure.nix) filterAttrs mapAttrsToList;
  named = mapAttrsToList (_: app: app.redis.group) (
    filterAttrs (_: app: app.redis.group != null) apps
  );
in
# each once
builtins.attrNames (builtins.groupBy (group: group) named)
