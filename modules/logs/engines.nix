# The programs that can carry the log, one entry each. Both read Promtail's file.
# Pure, builtins only. What else knows them apart: carry.sh, the form of the file of
# positions; the package, the engines' names (config/options.py) and those of the
# metrics of dropped lines (loki_budget/keep.py, doctor/servers.py).
#
#   ENGINE = {
#     package        its attribute in nixpkgs; the program has the engine's name
#     port           its usual port
#     arguments      { file, address, port, folder } -> of the program
#     ready          the path that answers when it runs
#     verify         file -> command that fails when the file is not accepted
#     positions      below its folder, the file with its position in the journal
#     legacy         below its folder, Promtail's file of positions
#     environment    of its unit
#   }
{
  promtail = {
    package = "promtail";
    port = 9080;
    arguments = { file, ... }: [ "-config.file=${file}" ];
    # /ready waits for a file to be found, which there need not be.
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
    # It takes over the positions of files from there, once; carry.sh puts a copy there.
    legacy = "promtail-positions.yaml";
    # It takes 344 MB when idle, and as much more as it is given.
    environment.GOMEMLIMIT = "384MiB";
  };
}
