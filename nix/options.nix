# docs/options.md, the reference of the options, as one text.
#
#   { lib } -> optionsNix -> text
#
# optionsNix comes from nixpkgs' nixosOptionsDoc. Its own Markdown writer is a
# program, but this text is compared while the check `options` evaluates.
{ lib }:
options:
let
  inherit (lib) concatMapStrings concatStringsSep;

  # `{option}`, `{file}` and the other roles of nixpkgs' manual mean nothing elsewhere.
  plain =
    text:
    concatMapStrings (part: if lib.isString part then part else "`") (
      builtins.split "[{][a-z]+[}]`" text
    );
  textOf = value: if lib.isAttrs value then value.text else value;

  value =
    what: option:
    let
      text = lib.trim (textOf option.${lib.toLower what});
    in
    lib.optionalString (option ? ${lib.toLower what}) (
      if lib.hasInfix "\n" text then
        "\n*${what}:*\n\n```nix\n${text}\n```\n"
      else
        "\n*${what}:* `${text}`\n"
    );

  entry = name: option: ''

    ### `${name}`

    ${plain (lib.trim (textOf option.description))}

    *Type:* ${option.type}
    ${value "Default" option}${value "Example" option}'';

  # services.soloscope.<component>.…; a top-level option belongs to none.
  nameOf = option: lib.elemAt option.loc 2;
  deep = lib.filter (option: lib.length option.loc > 3) (lib.attrValues options);
  isRoom = lib.genAttrs (map nameOf deep) (_: true);
  roomOf = option: if isRoom ? ${nameOf option} then ".${nameOf option}" else "";
  rooms = lib.groupBy (name: roomOf options.${name}) (lib.attrNames options);
  title = room: "services.soloscope${room}";
  anchor = room: lib.replaceStrings [ "." ] [ "" ] (title room);
in
''
  # Options

  Every option of the NixOS module, as the modules declare it. `./justw options` writes this
  page; the check `options` fails when it is old.

  ${concatMapStrings (room: "- [`${title room}`](#${anchor room})\n") (lib.attrNames rooms)}''
+ concatStringsSep "" (
  lib.mapAttrsToList (
    room: names: "\n## `${title room}`\n" + concatMapStrings (name: entry name options.${name}) names
  ) rooms
)
