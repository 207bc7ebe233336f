# Assertions: values that Loki refuses, and the host's own Loki settings that the
# other components do not follow.
{
  config,
  lib,
  ...
}:
let
  inherit (import ../types.nix { inherit lib; }) atLeast inForce listensHere;
  inherit (import ../durations.nix) milliseconds;
  soloscope = config.services.soloscope;
  cfg = soloscope.loki;
  told = config.services.loki.configuration;
  o = "services.soloscope.loki";
  theirs = "services.loki.configuration";

  # Loki's minimum retention.
  day = atLeast "24h" "Loki keeps nothing for less";

  newest = lib.last (lib.sort (a: b: a.from < b.from) told.schema_config.configs);
in
{
  config = lib.mkIf soloscope.enable {
    assertions = [
      (day "${o}.retention" cfg.retention)
      (day "${o}.budgetFloor" cfg.budgetFloor)
      {
        assertion = milliseconds cfg.budgetFloor <= milliseconds cfg.retention;
        message = "${o}.budgetFloor is ${cfg.budgetFloor}, longer than ${o}.retention, ${cfg.retention}. Make it no longer.";
      }
      {
        assertion = config.services.loki.configFile == null;
        message = "services.loki.configFile is set, but soloscope gives Loki its settings in ${theirs}. Move yours there.";
      }
    ]
    ++ lib.mapAttrsToList (name: stream: day "${o}.shorter.${name}.retention" stream.retention) (
      lib.filterAttrs (_: stream: stream.retention != null) cfg.shorter
    )
    ++ lib.optionals (config.services.loki.configFile == null) [
      (inForce {
        program = "Loki";
        option = "${theirs}.server.http_listen_port";
        value = told.server.http_listen_port;
        ours = "${o}.port";
        expected = cfg.port;
      })
      (inForce {
        program = "Loki's gRPC";
        option = "${theirs}.server.grpc_listen_port";
        value = told.server.grpc_listen_port;
        ours = "${o}.grpcPort";
        expected = cfg.grpcPort;
      })
      (listensHere "Loki" "${theirs}.server.http_listen_address" told.server.http_listen_address)
      (listensHere "Loki's gRPC" "${theirs}.server.grpc_listen_address" told.server.grpc_listen_address)
      (inForce {
        program = "Loki";
        option = "${theirs}.auth_enabled";
        value = told.auth_enabled;
        expected = false;
      })
      {
        # The disk budget sets it in Loki's overrides, which win over the file.
        assertion = milliseconds told.limits_config.retention_period == milliseconds cfg.retention;
        message = "${theirs}.limits_config.retention_period is ${told.limits_config.retention_period}, but ${o}.retention is ${cfg.retention}, and the disk budget goes by that: set ${o}.retention = \"${told.limits_config.retention_period}\" instead.";
      }
      {
        assertion =
          newest.store == "tsdb" && lib.versionAtLeast (lib.removePrefix "v" newest.schema) "13";
        message = "${theirs}.schema_config's newest entry has store ${newest.store} and schema ${newest.schema}, but soloscope keeps events and ids as structured metadata, which needs store tsdb and schema v13. Append an entry of these, and enable soloscope from its `from` date on.";
      }
    ];
  };
}
