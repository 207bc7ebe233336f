# The kinds of stages that the pipeline uses. Pure, builtins only.
let
  selector = import ./selector.nix;
in
rec {
  # Stages for the lines that a filter matches: when "|~ `a`" [ … ]
  when = whenLabels ''job=~".+"'';
  whenLabels = labels: filter: stages: {
    match = {
      selector = selector ("{${labels}}" + (if filter == "" then "" else " ${filter}"));
      inherit stages;
    };
  };

  find = expression: { regex = { inherit expression; }; };
  compute = source: template: { template = { inherit source template; }; };
  remove = expression: {
    replace = {
      inherit expression;
      replace = "";
    };
  };
  # Replaces the line by the template's output.
  rewrite = template: [
    (compute "x_line" template)
    { output.source = "x_line"; }
  ];

  anyOf = list: "(?:${builtins.concatStringsSep "|" list})";

  # A line that begins an object with a name counts as JSON.
  isJson = ''|~ `^\s*\{\s*"`'';
  isPlain = ''!~ `^\s*\{\s*"`'';
}
