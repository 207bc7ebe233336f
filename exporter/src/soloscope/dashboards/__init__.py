"""Grafana's dashboards, made from what the configuration declares.

grafana    Grafana's dashboard model, as far as it is used; knows nothing of soloscope
explore    links into Explore
queries    every query of the counts, of Prometheus and of Loki
pieces     panels that several dashboards have: a value, a graph, a table, log lines
shared     variables, annotations and links, the same on every dashboard
own        dashboards of a user: files, and those edited in the browser
registry   which dashboards there are, and the text of their files
business   a month of what an app counts
tasks      jobs, queues and workers
overview/  the overview of an app, and of a host with several

Another dashboard is a module here with a function

    dashboards(config: Config, source: Source) -> Iterator[Dashboard]

and its name in `registry.MODULES`. It gives nothing when no app declares its data.
"""
