# A NixOS module: the whole of what a host needs. README.md shows it, and
# checks.<system>.examples evaluates it.
{
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
