"""How figures are drawn: one style, SVG that a strict page accepts, PDF for papers.

Only matplotlib's object-oriented side is used: no pyplot, no figure manager, no window. Ink is the
text colour of the place where a figure stands (`currentColor`), the ground is transparent, and
series have middle tones with a contrast of 3 or more on the page's light and dark paper.
"""

from __future__ import annotations

import io
import logging
import math
import re
import unicodedata
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.controls import plain
from harness.errors import DataError
from harness.types import Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 4.5  # inches; 432 CSS pixels, so that a phone shows it nearly at full size
_LEGEND_ROW = 52  # characters that one row of a legend holds
INK = "#000000"  # replaced by currentColor in SVG
SERIES = (
    "#1a8a82", "#c9741c", "#7d6cc9", "#c24f63", "#3a80c4", "#7f8a2e", "#a0608f", "#7c756a",
)  # fmt: skip
MOST_SERIES = len(SERIES)
RIGHT, WRONG = SERIES[0], SERIES[3]
_PROGRAM = "#a86434"
VERDICTS = {
    Verdict.CORRECT: SERIES[0],
    Verdict.WRONG_ANSWER: "#938c80",
    Verdict.NO_ANSWER: SERIES[4],
    Verdict.TRUNCATED: "#b8862b",
    Verdict.COMPILE_ERROR: _PROGRAM,
    Verdict.RUNTIME_ERROR: SERIES[6],
    Verdict.TIME_LIMIT: SERIES[5],
    Verdict.MEMORY_LIMIT: SERIES[1],
    Verdict.OUTPUT_LIMIT: SERIES[7],
    Verdict.UNDECIDED: SERIES[2],
    Verdict.ERROR: "#d0453f",
}
_STYLE: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": INK,
    "axes.grid": True,
    "axes.labelsize": 9,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "grid.alpha": 0.14,
    "grid.color": INK,
    "grid.linewidth": 0.6,
    "legend.borderaxespad": 0.0,
    "legend.columnspacing": 1.4,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "harness",
    "text.parse_math": False,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "xtick.major.width": 0.6,
}
_FONTS = "ui-sans-serif, system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
_FOLLOW_THEME = ":root { color-scheme: light dark; background: Canvas; color: CanvasText; }"
_SVG = "http://www.w3.org/2000/svg"
_HREF = "{http://www.w3.org/1999/xlink}href"
_LOCAL = re.compile(r"url\(#([^)]+)\)")
_DECIMALS = re.compile(r"-?\d+\.\d{3,}")
_NOT_ATTRIBUTES = {"font-family", "white-space"}


@dataclass(frozen=True, slots=True)
class Plot:
    """A finished figure.

    `name` is its file name without an ending, `alt` says in words what is to be seen, `note` is
    the caption. One that is not `on_page` is drawn there in another way.
    """

    name: str
    title: str
    alt: str
    note: str
    figure: Figure
    on_page: bool = True

    @property
    def svg(self) -> str:
        """An <svg> element for an HTML page.

        It holds no style element or attribute, no script, and no id that another figure uses.
        """
        return _serialised(_svg_tree(self))

    def svg_file(self) -> bytes:
        """The same as a file of its own, which follows the reader's light or dark theme."""
        root = _svg_tree(self)
        style, title = ET.Element("style"), ET.Element("title")
        style.text, title.text = _FOLLOW_THEME, self.title
        root[:0] = [title, style]
        root.set("xmlns", _SVG)
        return b'<?xml version="1.0" encoding="utf-8"?>\n' + _serialised(root).encode() + b"\n"

    def pdf_file(self) -> bytes:
        """A PDF page of the figure's size with embedded fonts; the same data, the same bytes."""
        from matplotlib.backends.backend_pdf import FigureCanvasPdf

        file = io.BytesIO()
        with house_style():
            FigureCanvasPdf(self.figure).print_pdf(
                file, metadata={"CreationDate": None, "Title": self.title}
            )
        return file.getvalue()


@contextmanager
def house_style() -> Iterator[None]:
    """The settings of every figure, for as long as one is built or written."""
    import matplotlib

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)
    with warnings.catch_warnings(), matplotlib.rc_context(_STYLE):
        # A name in a script that the measuring font lacks; browsers have fonts of their own.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def panel(height: float = 2.6, width: float = WIDTH) -> tuple[Figure, Axes]:
    """A figure of one panel, in inches; call it inside `house_style`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    return figure, figure.add_subplot()


def legend(axes: Axes, columns: int = 2) -> None:
    """The legend above the panel, where it hides no data: one row if it fits, read row by row."""
    handles, labels = axes.get_legend_handles_labels()
    if not labels:
        return
    if sum(len(text) + 6 for text in labels) <= _LEGEND_ROW:
        columns = len(labels)
    elif columns * (max(map(len, labels)) + 6) > _LEGEND_ROW + 6:
        columns = 1
    # matplotlib fills column by column
    rows = -(-len(labels) // columns)
    order = [i * columns + j for j in range(columns) for i in range(rows)]
    order = [i for i in order if i < len(labels)]
    axes.figure.legend(
        [handles[i] for i in order], [labels[i] for i in order],
        loc="outside upper left", ncols=columns,
    )  # fmt: skip


def percent_axis(axes: Axes, which: str = "y") -> None:
    """Ticks in whole percent of values from 0 to 1."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value * 100:.3g}%"))


def thousands(axes: Axes, which: str = "x") -> None:
    """Ticks as 32,768."""
    from matplotlib.ticker import FuncFormatter

    axis = axes.yaxis if which == "y" else axes.xaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def doublings(low: float, high: float) -> list[int]:
    """Ticks of a logarithmic axis: at most eight powers of 2 that span the values."""
    first, last = math.floor(math.log2(max(low, 1))), math.ceil(math.log2(max(high, 2)))
    step = max(1, -(-(last - first) // 7))
    return [2**i for i in range(first, last + 1, step)]


def label(text: str, longest: int = 34) -> str:
    """A name as it can stand in a figure: printable, its middle left out where it is long."""
    clean = "".join(c for c in text if unicodedata.category(c)[0] != "C")
    if len(clean) <= longest:
        return clean
    half = (longest - 1) // 2
    return f"{clean[: longest - 1 - half]}…{clean[-half:]}"


def write_plots(plots: list[Plot], folder: Path) -> list[Path]:
    """Write every figure as NAME.svg and NAME.pdf; the files written.

    Raises:
        DataError: the folder cannot be made or written.
    """
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for plot in plots:
            for ending, data in (("svg", plot.svg_file()), ("pdf", plot.pdf_file())):
                path = folder / f"{plot.name}.{ending}"
                path.write_bytes(data)
                written.append(path)
    except OSError as error:
        raise DataError(f"{folder}: cannot be written ({error.strerror})") from error
    return written


def _svg_tree(plot: Plot) -> ET.Element:
    from matplotlib.backends.backend_svg import FigureCanvasSVG

    text = io.StringIO()
    with house_style():
        FigureCanvasSVG(plot.figure).print_svg(text, metadata={"Date": None})
    root = ET.fromstring(text.getvalue())  # noqa: S314 - matplotlib's own output
    for element in list(root.iter()):
        element.tag = element.tag.rpartition("}")[2]
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag in ("metadata", "style"):
                parent.remove(child)
    _flatten(root)
    _plain_attributes(root)
    _own_ids(root, plot.name)
    root.attrib.pop("version", None)
    root.attrib.update({
        "role": "img", "aria-label": plain(plot.alt), "fill": "currentColor", "font-family": _FONTS,
        "stroke-linejoin": "round", "stroke-linecap": "butt",
    })  # fmt: skip
    return root


def _flatten(parent: ET.Element) -> None:
    """Take out groups that group nothing and the blank text between elements."""
    children: list[ET.Element] = []
    for child in parent:
        _flatten(child)
        plain = child.tag in ("g", "defs") and not set(child.attrib) - {"id"}
        children += list(child) if plain and (child.tag == "g" or not len(child)) else [child]
        child.tail = None
    parent[:] = children
    if len(parent):
        parent.text = None


def _plain_attributes(root: ET.Element) -> None:
    """Style attributes, which a strict page refuses, as attributes of their own; ink as theirs."""
    for element in root.iter():
        for part in element.attrib.pop("style", "").split(";"):
            name, _, value = (text.strip() for text in part.partition(":"))
            if value and name not in _NOT_ATTRIBUTES:
                element.set(name, value)
        for name in ("stroke", "fill"):
            if element.get(name) == INK:
                element.set(name, "currentColor")
        if "transform" in element.attrib and element.get("transform", "").startswith("rotate(-0 "):
            del element.attrib["transform"]
        if _HREF in element.attrib:
            element.set("href", element.attrib.pop(_HREF))
        for name in {"d", "x", "y", "transform", "width", "height"} & element.attrib.keys():
            text = " ".join(element.get(name, "").split())
            element.set(name, _DECIMALS.sub(lambda found: f"{float(found[0]):.2f}", text))


def _own_ids(root: ET.Element, name: str) -> None:
    """Keep the ids that something refers to, under names that no other figure has."""
    used: dict[str, str] = {}
    for element in root.iter():
        for attribute, value in element.attrib.items():
            found = [value[1:]] if attribute == "href" else _LOCAL.findall(value)
            for id in found:
                used.setdefault(id, f"{name}-{len(used)}")
    for element in root.iter():
        for attribute, value in list(element.attrib.items()):
            if attribute == "id":
                if value in used:
                    element.set("id", used[value])
                else:
                    del element.attrib["id"]
            elif attribute == "href":
                element.set("href", f"#{used[value[1:]]}")
            elif value.startswith("url(#"):
                element.set(attribute, f"url(#{used[value[5:-1]]})")


def _serialised(root: ET.Element) -> str:
    return ET.tostring(root, encoding="unicode")
