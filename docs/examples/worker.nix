# A NixOS module: a background worker that counts nothing, so it needs no Redis: its log
# and one check. checks.<system>.examples evaluates it, and a test asks every query of
# its dashboards.
{
  services.soloscope = {
    enable = true;
    apps.worker = {
      units = [ "worker.service" ];
      checks.queue = {
        kind = "tcp";
        url = "tcp://127.0.0.1:5672";
      };
    };
  };
}
