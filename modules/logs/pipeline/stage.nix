# The kinds of stages that the pipeline uses. Pure, builtins only.
let
  selector = import ./selector.nix;
  split = text: builtins.genList (index: builtins.substring index 1 text) (builtins.stringLength text);
  letters = split "abcdefghijklmnopqrstuvwxyz";
  capitals = split "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
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

  # Stages for the lines that one of the filters matches. Selectors have no "or", and a
  # regular expression of alternatives costs 25 to 60 µs a line. A text costs 0.02,
  # and an expression that begins with a text 0.1. So the lines that none matches get a
  # label, which the pipeline drops at its end.
  whenAny = name: filters: stages: [
    (when (builtins.concatStringsSep " " filters) [ { static_labels.x_without = name; } ])
    (whenLabels ''job=~".+", x_without!="${name}"'' "" stages)
  ];
  # Filters for it.
  texts = map (text: "!= ${builtins.toJSON text}");
  patterns = map (pattern: "!~ `${pattern}`");
  # A word as programs write it. (?i:…) has no text that can be searched for.
  inCases =
    word:
    let
      rest = builtins.substring 1 (-1) word;
      first = builtins.substring 0 1 word;
    in
    [
      word
      (upper first + rest)
      (upper word)
    ];
  upper = builtins.replaceStrings letters capitals;

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
