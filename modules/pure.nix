# The few functions of nixpkgs' lib that the settings need, in builtins only.
# Each behaves like the function of the same name in nixpkgs.
rec {
  recursiveUpdate =
    a: b:
    if builtins.isAttrs a && builtins.isAttrs b then
      a
      // builtins.mapAttrs (name: value: if a ? ${name} then recursiveUpdate a.${name} value else value) b
    else
      b;

  filterAttrs =
    keep: set:
    removeAttrs set (builtins.filter (name: !(keep name set.${name})) (builtins.attrNames set));

  # Without nulls, at every depth: null in an option means "not set".
  dropNulls =
    value:
    if builtins.isAttrs value then
      builtins.mapAttrs (_: dropNulls) (filterAttrs (_: v: v != null) value)
    else if builtins.isList value then
      map dropNulls value
    else
      value;

  optionals = condition: list: if condition then list else [ ];
  optionalAttrs = condition: set: if condition then set else { };
  inherit (builtins) concatMap;
  mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);

  # An INI file, sections in order of name, as Grafana reads it.
  toINI =
    sections:
    let
      text = value: if builtins.isBool value then (if value then "true" else "false") else toString value;
      section =
        name: body:
        "[${name}]\n" + builtins.concatStringsSep "" (mapAttrsToList (k: v: "${k} = ${text v}\n") body);
    in
    builtins.concatStringsSep "\n" (mapAttrsToList section sections);
}
