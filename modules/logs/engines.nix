# The supported log shippers, one entry each. Both read Promtail's configuration file.
# Pure, builtins only. Other places that depend on the engine: carry.sh (format of the
# positions file); in the package, the engines' names (config/options.py) and the
# metrics of dropped lines (loki_budget/keep.py, doctor/servers.py).
#
#   ENGINE = {
#     package        its attribute in nixpkgs; the program has the engine's name
#     port           its usual port
#     arguments      { file, address, port, folder } -> of the program
#     ready          the path that answers when it is ready
#     verify         file -> command that fails when the file is invalid
#     positions      in its state folder, the positions file of the journal
#     legacy         in its state folder, Promtail's positions file
#     environment    of its unit
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
    legacy = "positions.yaml";
    environment = { };
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
    # It imports the positions of files from there, once; carry.sh puts a copy there.
    legacy = "promtail-positions.yaml";
    # It uses 344 MB when idle, and grows up to any limit.
    environment.GOMEMLIMIT = "384MiB";
  };
}
