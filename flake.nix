{
  description = "soloscope: logs, metrics, dashboards and alerts for one NixOS host and its apps";

  inputs = {
    nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";
    # nixpkgs 26.05 no longer has Promtail. Only that package comes from here, and
    # only on hosts whose shipper it is.
    nixpkgs-promtail.url = "github:NixOS/nixpkgs/nixos-25.11";
  };

  outputs =
    {
      self,
      nixpkgs,
      nixpkgs-promtail,
    }:
    let
      inherit (nixpkgs) lib;
      linux = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      # For development only: no module and no check runs on darwin.
      development = linux ++ [ "aarch64-darwin" ];
      eachSystem = systems: f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
      promtailFor = pkgs: nixpkgs-promtail.legacyPackages.${pkgs.stdenv.hostPlatform.system}.promtail;
      tools = pkgs: import ./nix/tools.nix { inherit pkgs; };
    in
    {
      # Takes every package but Promtail from the host's own nixpkgs.
      nixosModules.default =
        {
          config,
          lib,
          pkgs,
          ...
        }:
        {
          imports = [ ./modules ];
          services.soloscope.logs.package = lib.mkIf (config.services.soloscope.logs.shipper == "promtail") (
            lib.mkOverride 1400 (promtailFor pkgs)
          );
        };

      # nix flake init -t
      templates.default = {
        path = ./templates/default;
        description = "A NixOS host with one app that soloscope watches";
      };

      packages = eachSystem linux (pkgs: rec {
        soloscope = pkgs.callPackage ./exporter/package.nix { };
        demo = pkgs.callPackage ./nix/demo.nix {
          inherit soloscope;
          promtail = promtailFor pkgs;
          source = self;
        };
        default = soloscope;
      });

      # nix run .#demo
      apps = lib.mapAttrs (
        _:
        { demo, ... }:
        {
          demo = {
            type = "app";
            program = lib.getExe demo;
            meta = { inherit (demo.meta) description; };
          };
        }
      ) self.packages;

      checks = eachSystem linux (
        pkgs:
        let
          inherit (self.packages.${pkgs.stdenv.hostPlatform.system}) soloscope demo;
        in
        import ./tests/nixos { inherit self pkgs; }
        // {
          inherit soloscope;
          formatting = import ./nix/formatting.nix { inherit self pkgs; };
          # The whole stack as plain processes in the build sandbox, proven.
          demo = pkgs.runCommand "soloscope-demo-once" { nativeBuildInputs = [ demo ]; } ''
            export HOME=$TMPDIR
            soloscope-demo --once
            touch $out
          '';
        }
      );

      devShells = eachSystem development (pkgs: {
        default = pkgs.mkShellNoCC { inherit (tools pkgs) packages; };
      });

      # nix fmt
      formatter = eachSystem development (pkgs: (tools pkgs).format);
    };
}
