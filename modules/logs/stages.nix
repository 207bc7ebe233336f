# A few short forms for stages of Promtail. Pure, builtins only.
let
  selector = import ./selector.nix;
in
rec {
  # STAGES for the lines that FILTER (of LogQL, with backticks) lets through.
  when = filter: stages: {
    match = {
      selector = selector ''{job=~".+"} ${filter}'';
      inherit stages;
    };
  };
  # An extracted value, by a template.
  compute = source: template: { template = { inherit source template; }; };
  # The groups of a regular expression, as extracted values.
  extract = expression: { regex = { inherit expression; }; };
  # What the group captures goes.
  remove = expression: {
    replace = {
      inherit expression;
      replace = "";
    };
  };
  # The line is replaced by what the template gives; it stays when that is nothing.
  rewrite = template: [
    (compute "x_line" template)
    { output.source = "x_line"; }
  ];

  anyOf = list: "(?:${builtins.concatStringsSep "|" list})";

  # What begins an object with a name is taken for JSON.
  isJson = ''|~ `^\s*\{\s*"`'';
  isPlain = ''!~ `^\s*\{\s*"`'';
}
