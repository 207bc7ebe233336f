"""The exporter's benchmark: `just bench`, or `python -m bench` in this folder's parent.

It runs `soloscope serve` and redis_exporter against the same keys in one run and in
shuffled order, and writes `docs/benchmarks.md` with the medians, the ratios and what
became of each goal. It never fails because of a time.

    data.py        what is put into Redis, and the configuration that reads it
    processes.py   the programs under test, their CPU and memory
    client.py      the HTTP clients: one scrape, and eight at once
    scrapes.py     shuffled rounds of scrapes
    stalls.py      another client of Redis, which looks for delays
    run.py         all measurements, one after the other
    results.py     what they give, as plain data
    goals.py       the goals, and whether they are met
    plot.py        a plot as SVG
    page.py        results as Markdown
"""
