# Log files, as Promtail scrape jobs. Pure, builtins only.
#
#   { sources, host, pipeline } -> [ { job, retention, scrape } ]
{
  sources,
  host,
  pipeline,
}:
let
  inherit (import ../pure.nix) mapAttrsToList optionalAttrs;
  inherit (import ./formats.nix) formats;
  guard = import ./guard.nix;

  source =
    name: source:
    let
      job = if source.job != null then source.job else name;
      where = "services.soloscope.logs.sources.${name}";
      format =
        formats.${source.format}
          or (throw "${where}.format: `${source.format}` is none of ${builtins.concatStringsSep ", " (builtins.attrNames formats)}");
    in
    {
      inherit job;
      inherit (source) retention;
      scrape = {
        job_name = "file-${name}";
        static_configs = map (path: {
          labels = {
            inherit host job;
            service_name = job;
            unit = if source.unit != null then source.unit else "${job}.service";
            level = "info";
            __path__ = path;
          }
          // optionalAttrs (source.app != null) { inherit (source) app; }
          // guard.labels "${where}.labels" source.labels;
        }) source.paths;
        pipeline_stages = pipeline.file format source.redact;
      };
    };
in
mapAttrsToList source sources
