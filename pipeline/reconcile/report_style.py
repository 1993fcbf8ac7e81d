"""How the page of a run looks: on light and dark screens, on phones, and on paper."""

from __future__ import annotations

#: Nothing is fetched and nothing runs.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
#: Every text has a contrast of 4.5 or more, every bar 3 or more; the stages are told apart also by those who
#: see few colours.
STYLE = """
:root{color-scheme:light dark;--page:#fff;--text:#1b1b1b;--soft:#555;--line:#ddd;--ok:#06693b;--bad:#b00020;
--note:#7a4b00;--link:#0b57a4;--never_received:#d55e00;--rejected:#00855f;--dead:#7b3294;--lost:#0072b2;
--not_kept:#767676}
@media(prefers-color-scheme:dark){:root{--page:#15171a;--text:#e8e8e8;--soft:#b0b4ba;--line:#3a3e44;--ok:#6fdc9f;
--bad:#ff8f9a;--note:#f0c070;--link:#8ec7ff;--never_received:#ff8f4d;--rejected:#35c79a;--dead:#cf8ee6;
--lost:#5db8f0;--not_kept:#a9a9a9}}
body{font:15px/1.45 system-ui,sans-serif;margin:1.5rem auto;max-width:76rem;padding:0 1rem;color:var(--text);
background:var(--page)}
h1{font-size:1.4rem;margin:0 0 .5rem;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2rem 0 .5rem}
a{color:var(--link)}.verdict{font-size:1.15rem;margin:.3rem 0 1rem}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:0 0 1rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
.scroll{overflow-x:auto}
.scroll:focus-visible,summary:focus-visible,a:focus-visible{outline:2px solid var(--link);outline-offset:2px}
table{border-collapse:collapse;font-size:.9rem;min-width:100%}
th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid var(--line);vertical-align:top}
thead th{color:var(--soft);font-weight:600;white-space:nowrap}
tbody th{font-weight:400;min-width:9em;max-width:18em;overflow-wrap:anywhere}
td{max-width:26em;overflow-wrap:anywhere}td.t{min-width:11em}.d{white-space:nowrap}
.n{text-align:right;font-variant-numeric:tabular-nums;min-width:0;overflow-wrap:normal;white-space:nowrap}
figure{margin:0}svg{display:block;width:100%;height:11rem;border-bottom:1px solid var(--soft)}
.axis{display:flex;justify-content:space-between;margin:.2rem 0;font-size:.8rem;color:var(--soft)}
.key span{display:inline-block;margin-right:1.2rem}
.key i{display:inline-block;width:.8em;height:.8em;margin-right:.35em}
details{margin-top:2rem}summary{font-size:1.1rem;font-weight:700;cursor:pointer}
.ok{color:var(--ok)}.bad{color:var(--bad)}.note{color:var(--note);overflow-wrap:anywhere}
.never_received{fill:var(--never_received);background:var(--never_received)}
.rejected{fill:var(--rejected);background:var(--rejected)}
.dead{fill:var(--dead);background:var(--dead)}
.lost{fill:var(--lost);background:var(--lost)}
.not_kept{fill:var(--not_kept);background:var(--not_kept)}
@media print{.scroll{overflow:visible}body{max-width:none}}
"""
