# The supported log shippers, one entry each: nothing else names an engine, but for
# flake.nix, which has the input that Promtail's package comes from. All read
# Promtail's configuration file. Pure, builtins only.
#
#   ENGINE = {
#     package        its attribute in nixpkgs; the program has the engine's name
#     port           its usual port
#     arguments      { file, address, port, folder } -> of the program
#     ready          the path that answers when it is ready
#     verify         file -> command that fails when the file is invalid
#     positions      in its state folder, the positions file of the journal: YAML in
#                    which a line ends with `: ` and the journal's cursor
#     position       cursor -> such a file, which carry.sh writes
#     legacy         in its state folder, Promtail's positions file, where it finds
#                    the positions of log files
#     metrics        counters: of lines above logs.flood (`flood`), and of lines
#                    that it could not send (`lost`)
#     environment    of its unit
#     warning        why to choose another one; "" for no reason
#   }
{
  promtail = {
    package = "promtail";
    port = 9080;
    arguments = { file, ... }: [ "-config.file=${file}" ];
    # /ready waits for at least one target, which may not exist.
    ready = "/metrics";
    verify = file: "promtail -check-syntax -config.file=${file}";
    positions = "positions.yaml";
    position = cursor: ''
      positions:
        cursor-journal: ${cursor}
    '';
    legacy = "positions.yaml";
    metrics = {
      flood = "logentry_dropped_lines_by_label_total";
      lost = "promtail_dropped_entries_total";
    };
    environment = { };
    warning = ''has not been maintained since March 2026. It works; its successor with the same pipeline is "alloy", which needs some 300 MB more memory.'';
  };

  # Promtail's successor.
  alloy = {
    package = "grafana-alloy";
    port = 12345;
    arguments =
      {
        file,
        address,
        port,
        folder,
      }:
      [
        "run"
        "--config.format=promtail"
        "--disable-reporting"
        "--server.http.listen-addr=${address}:${toString port}"
        "--storage.path=${folder}"
        file
      ];
    ready = "/-/ready";
    verify = file: "alloy convert --source-format=promtail --output=$TMPDIR/out.alloy ${file}";
    positions = "loki.source.journal.journal/positions.yml";
    position = cursor: ''
      positions:
        ? path: cursor-loki.source.journal.journal
          labels: ""
        : ${cursor}
    '';
    # It imports the positions of files from there, once.
    legacy = "promtail-positions.yaml";
    metrics = {
      flood = "loki_process_dropped_lines_by_label_total";
      lost = "loki_write_dropped_entries_total";
    };
    # It uses 344 MB when idle, and grows up to any limit.
    environment.GOMEMLIMIT = "384MiB";
    warning = "";
  };
}
