# The digest's timer and the canary's on a host: the message reaches the outbox once a
# day, and a shipper without its group is found.
{
  self,
  pkgs,
  lib,
}:
pkgs.testers.runNixOSTest {
  name = "morning";
  globalTimeout = 900;

  nodes.machine = {
    imports = [
      self.nixosModules.default
      ../lib/host.nix
    ];

    systemd.tmpfiles.rules = [ "f /var/lib/whatsapp-token 0400 root root - a-token" ];

    services.soloscope = {
      timeZone = "Asia/Tokyo";
      alertmanager.enable = true;
      # Nobody listens there: the message stays in the outbox.
      notify.whatsapp = {
        provider = "cloud-api";
        apiUrl = "http://127.0.0.1:1";
        phoneNumberId = "1";
        to = "+4915123456789";
        tokenFile = "/var/lib/whatsapp-token";
      };
      digest.enable = true;
      canary.enable = true;
      canary.timeout = "30s";
    };
  };

  testScript = lib.readFile ../lib/ask.py + lib.readFile ./test.py;
}
