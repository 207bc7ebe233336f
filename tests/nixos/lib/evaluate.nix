# A host with soloscope's module and another, evaluated and never booted.
{ pkgs, lib }:
{
  # { soloscope = the module to import; module = what the host adds } -> config
  host =
    soloscope: module:
    (pkgs.nixos [
      soloscope
      {
        fileSystems."/" = {
          device = "/dev/vda1";
          fsType = "ext4";
        };
        boot.loader.grub.device = "/dev/vda";
        system.stateVersion = lib.trivial.release;
        documentation.enable = false; # it would take most of the time
      }
      module
    ]).config;

  failed = config: map (a: a.message) (lib.filter (a: !a.assertion) config.assertions);

  # Evaluates everything, and refers to nothing that would have to be built.
  toplevel = config: builtins.unsafeDiscardStringContext config.system.build.toplevel.drvPath;
}
