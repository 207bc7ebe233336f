# The serviceConfig of a unit that makes files in the secrets' folder, its working
# directory. It reaches no network.
let
  folder = (import ../paths.nix).host.secrets;
in
import ../hardening.nix
// {
  Type = "oneshot";
  # root, because systemd hands the files to units of several users
  DynamicUser = false;
  PrivateUsers = false;
  StateDirectory = baseNameOf folder;
  StateDirectoryMode = "0700";
  WorkingDirectory = folder;
  PrivateNetwork = true;
  RestrictAddressFamilies = "none";
  IPAddressDeny = "any";
}
