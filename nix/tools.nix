# What formats and lints this repository, from nixpkgs alone: a small script per
# task, so that users' locks hold no formatter's input.
{ pkgs }:
let
  inherit (pkgs) lib;

  formatters = [
    pkgs.nixfmt
    pkgs.deadnix
    pkgs.statix
    pkgs.ruff
  ];

  # Without arguments: every tracked file. nixfmt is last, because the others
  # rewrite expressions without caring about the layout.
  run =
    name: steps:
    pkgs.writeShellApplication {
      inherit name;
      runtimeInputs = formatters ++ [
        pkgs.findutils
        pkgs.gitMinimal
      ];
      text = ''
        if [ $# -eq 0 ]; then
          cd "$(git rev-parse --show-toplevel)"
          mapfile -t files < <(git ls-files -- '*.nix' '*.py')
        else
          mapfile -t files < <(find "$@" -type f \( -name '*.nix' -o -name '*.py' \))
        fi
        nix=() python=()
        for file in "''${files[@]}"; do
          case $file in
            *.nix) nix+=("$file") ;;
            *.py) python+=("$file") ;;
          esac
        done
        ${steps}
      '';
    };
in
{
  format = run "soloscope-format" ''
    if [ ''${#nix[@]} -gt 0 ]; then
      deadnix --edit "''${nix[@]}"
      for file in "''${nix[@]}"; do statix fix "$file"; done
      nixfmt "''${nix[@]}"
    fi
    if [ ''${#python[@]} -gt 0 ]; then
      ruff check --fix "''${python[@]}"
      ruff format "''${python[@]}"
    fi
  '';

  lint = run "soloscope-lint" ''
    if [ ''${#nix[@]} -gt 0 ]; then
      nixfmt --check "''${nix[@]}"
      deadnix --fail "''${nix[@]}"
      for file in "''${nix[@]}"; do statix check "$file"; done
    fi
    if [ ''${#python[@]} -gt 0 ]; then
      ruff check "''${python[@]}"
      ruff format --check "''${python[@]}"
    fi
  '';

  packages =
    formatters
    ++ [
      pkgs.go
      pkgs.just
      pkgs.shellcheck
      # ./justw makes its own environments; this one is for editors.
      (pkgs.python3.withPackages (python: [
        python.hiredis
        python.hypothesis
        python.mirakuru
        python.mypy
        python.prometheus-client
        python.pytest
        python.pytest-xdist
        python.python-json-logger
        python.redis
        python.requests
        python.rich
        python.types-requests
      ]))
    ]
    ++ lib.optionals pkgs.stdenv.hostPlatform.isLinux [
      pkgs.grafana-loki
      pkgs.prometheus
      pkgs.prometheus.cli
      pkgs.redis
    ];
}
