# The one list of tasks. `./justw TASK` runs them where just is not installed.

set positional-arguments := true

top := justfile_directory()
python := env("SOLOSCOPE_PYTHON", "python3")

# Modules of the demo that need nothing but Python's standard library.
run := "PYTHONPATH=" + quote(top / "demo/src") + " " + quote(python) + " -m soloscope_demo"

# List the tasks
default:
    @{{ quote(just_executable()) }} --justfile {{ quote(justfile()) }} --list --unsorted

# Start the whole stack with the sample app, until Ctrl-C (--once: prove it and stop)
demo *ARGS:
    @venv=$({{ run }}.venvs dev) && exec "$venv/bin/soloscope-demo" run "$@"

# Lint and test everything that this machine can run
test *ARGS:
    @venv=$({{ run }}.venvs dev) && exec "$venv/bin/soloscope-demo" check "$@"

# Get the real programs (all, or those named) and print where each is
programs *ARGS:
    @{{ run }}.programs "$@"

# Measure the exporter against redis_exporter, and write docs/benchmarks.md
bench *ARGS:
    @venv=$({{ run }}.venvs dev) && cd {{ quote(top / "exporter") }} && exec "$venv/bin/python" -m bench "$@"
