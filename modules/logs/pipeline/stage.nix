# The few forms of stages that the pipeline is made of. Pure, builtins only.
let
  selector = import ./selector.nix;
in
rec {
  # Stages for the lines that a filter finds: when "|~ `a`" [ … ]
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
  # The line becomes what the template gives.
  rewrite = template: [
    (compute "x_line" template)
    { output.source = "x_line"; }
  ];

  anyOf = list: "(?:${builtins.concatStringsSep "|" list})";

  # What begins an object with a name is taken for JSON.
  isJson = ''|~ `^\s*\{\s*"`'';
  isPlain = ''!~ `^\s*\{\s*"`'';
}
