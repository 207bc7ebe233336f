# What the host runs. Names with `my` in them are yours to choose; every option of
# soloscope is in docs/options.md of its repository.
{ inputs, ... }:
{
  imports = [
    inputs.soloscope.nixosModules.default
    # ./hardware-configuration.nix     made by nixos-generate-config
  ];

  networking.hostName = "myhost";
  nixpkgs.hostPlatform = "x86_64-linux";
  system.stateVersion = "26.05"; # the release that the host was installed with

  services.redis.servers.myapp.enable = true; # the app's own, if it has none yet

  services.soloscope = {
    enable = true;
    apps.myapp = {
      units = [ "myapp.service" ]; # whose journal is this app's log
      redis.url = "unix:///run/redis-myapp/redis.sock";
      counters.signups.help = "Sign-ups";
      jobs.nightly = {
        counter = "signups";
        by = "04:00"; # late from 04:05 on
      };
    };
  };
}
