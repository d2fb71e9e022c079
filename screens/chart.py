"""A line chart as SVG, drawn here so that no visitor waits for a chart library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from screens.picture import source_from_bytes


def chart(
    history: Sequence[Mapping[str, float]],
    title: str,
    series: Mapping[str, str],
    limits: tuple[float, float] | None,
) -> str:
    """A figure with one curve per series over the epochs, as an SVG image.

    history: two or more rows with "epoch" and the names of the series. series: name of a column -> its words.
    limits: of the vertical axis; None means from 0 to the next whole number above the largest value.
    """
    width, height, left, bottom = 480, 260, 34, 28
    low, high = limits or (0, np.ceil(max(row[name] for row in history for name in series)))
    last = history[-1]["epoch"]

    def place(epoch: float, value: float) -> str:
        x = left + (width - left - 8) * (epoch - 1) / (last - 1)
        y = 8 + (height - bottom - 8) * (high - value) / (high - low)
        return f"{x:.1f},{y:.1f}"

    ticks = ""
    for share in (0, 0.5, 1):
        value = low + share * (high - low)
        x, y = place(1, value).split(",")
        ticks += f'<line x1="{x}" x2="{width - 8}" y1="{y}" y2="{y}"/>'
        ticks += f'<text x="{left - 6}" y="{y}" dy="4" text-anchor="end">{value:g}</text>'
    for epoch in (1, round(last / 2), last):
        x, _ = place(epoch, low).split(",")
        anchor = "end" if epoch == last else "start" if epoch == 1 else "middle"
        ticks += f'<text x="{x}" y="{height - 8}" text-anchor="{anchor}">epoch {epoch}</text>'
    curves = ""
    for number, name in enumerate(series):
        points = " ".join(place(row["epoch"], row[name]) for row in history)
        curves += f'<polyline class="curve{number}" points="{points}"/>'
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"><style>{CHART_STYLE}</style>'
        f"{ticks}{curves}</svg>"
    )
    keys = "".join(f"<span class=key{number}>{words}</span>" for number, words in enumerate(series.values()))
    ends = ", ".join(
        f"{words} {history[0][name]:.2f} after the first epoch and {history[-1][name]:.2f} after the last"
        for name, words in series.items()
    )
    return (
        f"<figure><figcaption>{title}<small>{keys}</small></figcaption>"
        f'<img src="{source_from_bytes(svg.encode(), "svg+xml")}" alt="{title}: {ends}"></figure>'
    )


# An image cannot read app.css, so the colours of the theme are repeated here.
CHART_STYLE = """
line { stroke: #dcd9d2 } text { fill: #62605c; font: 13px "Source Sans", system-ui, sans-serif }
polyline { fill: none; stroke-width: 2.5; stroke-linejoin: round }
.curve0 { stroke: #2f4ac2 } .curve1 { stroke: #b35900 }
@media (prefers-color-scheme: dark) {
  line { stroke: #383a42 } text { fill: #a8a69f } .curve0 { stroke: #8fa2ff } .curve1 { stroke: #ffb366 }
}
"""
