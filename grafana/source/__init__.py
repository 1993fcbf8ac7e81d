"""The dashboards of Grafana, as code: `python -m grafana.source` writes `grafana/dashboards`.

A file for each dashboard; `panels` has what they are made of, `queries` the forms of PromQL that several
share. The same code always makes the same bytes, so a test finds a file that the code has left behind.
"""
