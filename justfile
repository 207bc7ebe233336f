# The one list of tasks. `./justw TASK` runs them where just is not installed.

set positional-arguments := true

top := justfile_directory()
python := env("SOLOSCOPE_PYTHON", "python3")

# Modules of the demo that need nothing but Python's standard library.
run := "PYTHONPATH=" + quote(top / "demo/src") + " " + quote(python) + " -m soloscope_demo"

# The programs of the cache come after those of PATH.
paths := 'PATH="$venv/bin:$PATH:$(' + run + '.tools.programs --bin)"'

# List the tasks
default:
    @{{ quote(just_executable()) }} --justfile {{ quote(justfile()) }} --list --unsorted

# Start the whole stack with the sample app, until Ctrl-C (--once: prove it and stop)
demo *ARGS:
    @venv=$({{ run }}.tools.venvs dev) && exec "$venv/bin/soloscope-demo" run "$@"

# Lint and test everything that this machine can run (or only the parts named; --list)
test *ARGS:
    @venv=$({{ run }}.tools.venvs dev) && exec "$venv/bin/soloscope-demo" check "$@"

# Lint only
lint:
    @venv=$({{ run }}.tools.venvs dev) && exec "$venv/bin/soloscope-demo" check lint

# Format Python, and Nix where nixfmt is found
fmt:
    @venv=$({{ run }}.tools.venvs dev) && "$venv/bin/ruff" check --fix --quiet {{ quote(top) }}; "$venv/bin/ruff" format {{ quote(top) }}
    @if command -v nixfmt >/dev/null; then git -C {{ quote(top) }} ls-files '*.nix' | (cd {{ quote(top) }} && xargs nixfmt); else echo "not shown: nixfmt (not on PATH)"; fi

# The live tests alone, with pytest's own options (SOLOSCOPE_AT=00:01: at that time of day)
live *ARGS:
    @venv=$({{ run }}.tools.venvs dev) && {{ run }}.tools.programs >/dev/null && {{ paths }} exec python -m pytest {{ quote(top / "tests/live") }} "$@"

# Every benchmark, one after the other (an hour; a bench, not a test)
bench: bench-overview bench-exporter bench-logs bench-alerts

# Time the dashboards' queries on the live stack, a row for each dashboard
bench-overview *ARGS:
    @venv=$({{ run }}.tools.venvs dev) && {{ run }}.tools.programs >/dev/null && {{ paths }} exec python {{ quote(top / "tests/dashboards/bench.py") }} "$@"

# Time the exporter's scrapes, with the bench's own options
bench-exporter *ARGS:
    @venv=$({{ run }}.tools.venvs dev) && {{ run }}.tools.programs >/dev/null && cd {{ quote(top / "exporter") }} && {{ paths }} exec python -m bench "$@"

# Time the log path with each engine on PATH
bench-logs *ARGS:
    @venv=$({{ run }}.tools.venvs dev) && {{ run }}.tools.programs >/dev/null && {{ paths }} exec python {{ quote(top / "tests/logs/bench.py") }} "$@"

# Stage ten incidents on the live stack and count what is told of each (20 minutes)
bench-alerts:
    @venv=$({{ run }}.tools.venvs dev) && {{ run }}.tools.programs >/dev/null && {{ paths }} exec python {{ quote(top / "tests/live/incidents.py") }}

# Write the configuration of each program into DIR
render DIR *ARGS:
    @venv=$({{ run }}.tools.venvs dev) && exec "$venv/bin/soloscope-demo" render "$@"

# Pictures of every dashboard, or with --time ROUNDS how long each takes to paint
# (needs grafana and Chromium, and playwright and pillow in PYTHONPATH)
screenshots *ARGS:
    @venv=$({{ run }}.tools.venvs dev) && {{ paths }} exec python {{ quote(top / "tests/dashboards/screenshots.py") }} "$@"

# Write dashboards/*.json from the demo's declaration, in both forms
dashboards:
    @venv=$({{ run }}.tools.venvs dev) && "$venv/bin/soloscope-demo" dashboards

# The NixOS checks on a real systemd, where ../shared/nspawn-test and its root are
test-nixos *ARGS:
    @venv=$({{ run }}.tools.venvs dev) && exec "$venv/bin/soloscope-demo" check-nixos "$@"

# Write docs/options.md from the modules, with nix or else through nspawn-test
options:
    @if command -v nix >/dev/null; then system=$(nix eval --raw --impure --expr builtins.currentSystem) && \
      page=$(nix eval --raw {{ quote(top) }}"#checks.$system.options.page") && printf '%s\n' "$page" > {{ quote(top / "docs/options.md") }}; \
      else SOLOSCOPE_OPTIONS={{ quote(top / "docs/options.md") }} {{ quote(just_executable()) }} --justfile {{ quote(justfile()) }} test-nixos options; fi

# Write docs/commands.md from the commands
commands:
    @venv=$({{ run }}.tools.venvs dev) && exec "$venv/bin/soloscope-demo" commands

# Write docs/runbooks/README.md, the table of all alerts, from their rules
runbooks:
    @venv=$({{ run }}.tools.venvs dev) && {{ run }}.tools.programs nix-instantiate >/dev/null && {{ paths }} exec python {{ quote(top / "tests/rules/table.py") }}

# Get the real programs (all, or those named) and print where each is
programs *ARGS:
    @{{ run }}.tools.programs "$@"

# Remove the cache: programs, environments and the demo's state
clean-cache:
    @{{ run }}.tools.cache
