"""How charts look, on light and on dark ground: plotly templates, and the dashes and marks that go with the colours.

The colours are Okabe and Ito's ("Color Universal Design", 2008), which the colour-blind can tell apart; those on dark
ground are the same hues, made lighter. A series has its dash and mark, too: no colour is ever the only sign.
"""

from typing import Any

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
MARKS = ("circle", "square", "diamond", "triangle-up", "triangle-down", "star", "cross", "pentagon")
PATTERNS = ("", "/", ".", "x", "-", "\\", "|", "+")
GREY = "#808890"  # of what a series is compared with; seen on both grounds
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

LIGHT = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#B77900", "#3E9BD1", "#3A3F45")
DARK = ("#56B4E9", "#FF8A4C", "#2FC79A", "#E3A0C6", "#F0B429", "#9CCBEB", "#D6DADE")


def template(
    ink: str, faint: str, grid: str, ground: str, colours: tuple[str, ...], heat: tuple[str, str, str, str]
) -> dict[str, Any]:
    """A plotly template for one ground; `heat`: from nothing to much, and what is right, on a heat map."""
    axis = {
        "gridcolor": grid,
        "linecolor": faint,
        "zerolinecolor": grid,
        "tickcolor": faint,
        "ticks": "outside",
        "ticklen": 4,
        "showline": True,
        "automargin": True,
        "title": {"standoff": 8},
    }
    pattern = {"fillmode": "overlay", "fgopacity": 0.4, "solidity": 0.2}
    scale = [[0.0, heat[0]], [0.35, heat[1]], [1.0, heat[2]]]
    return {
        "layout": {
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "font": {"family": FONT, "size": 13, "color": ink},
            "colorway": list(colours),
            "xaxis": axis | {"showgrid": False},
            "yaxis": axis,
            "hoverlabel": {"bgcolor": ground, "bordercolor": faint, "font": {"family": FONT, "color": ink}},
            "legend": {"bgcolor": "rgba(0,0,0,0)"},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": faint, "activecolor": ink},
        },
        "data": {
            "heatmap": [
                {"colorscale": scale},
                {"colorscale": [[0.0, heat[3]], [1.0, heat[3]]]},
            ],  # first and second map
            "bar": [
                {
                    "marker": {
                        "line": {"color": ground, "width": 1},
                        "pattern": pattern,
                    }
                }
            ],
        },
    }


THEMES = {
    "light": template("#1F2428", "#6B747D", "#E4E7EA", "#FFFFFF", LIGHT, ("#FBE6D6", "#F0A56B", "#9C3F00", "#E3E6E8")),
    "dark": template("#E7EAED", "#98A2AC", "#2E353C", "#1B2025", DARK, ("#43291A", "#A4511A", "#FFB184", "#333B43")),
}
