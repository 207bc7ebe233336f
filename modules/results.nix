# A oneshot unit under a user of its own, whose results `serve` reads. A static user,
# not a dynamic one: systemd would hide the folder of a dynamic user from `serve`.
#
#   { lib, name, credentials } -> { users, serviceConfig }
{
  lib,
  name,
  credentials,
}:
{
  users = {
    users.${name} = {
      isSystemUser = true;
      group = name;
    };
    groups.${name} = { };
  };

  serviceConfig = import ./hardening.nix // {
    Type = "oneshot";
    DynamicUser = false;
    User = name;
    Group = name;
    UMask = "0022"; # the results are readable by others
    LoadCredential = lib.mapAttrsToList (credential: path: "${credential}:${path}") credentials;
    RestrictAddressFamilies = [
      "AF_UNIX" # the resolver's socket
      "AF_INET"
      "AF_INET6"
    ];
    MemoryMax = "256M";
  };
}
