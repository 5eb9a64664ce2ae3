#!/usr/bin/env python3
"""Draws `benches/plots/*.svg` from the tables in `benches/results`. Needs matplotlib: `pip install matplotlib`."""
import re

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from measure import PLOTS, cells, digest, results

GREY, FAINT = "#7d8590", "#7d859040"  # readable on white and on GitHub's dark background
# The colours of Okabe and Ito, which differ for colour-blind readers, in shades that show on both backgrounds.
BLUE, GREEN, ORANGE, RED, PINK = "#2380d0", "#009e73", "#c98a00", "#d55e00", "#c46fa0"
UNITS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1, "KiB": 1024, "kB": 1e3, "MB": 1e6, "": 1}
plt.rcParams.update({
    "svg.hashsalt": "lark", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 11, "text.color": GREY,
    "axes.edgecolor": GREY, "axes.labelcolor": GREY, "axes.titlecolor": GREY, "xtick.color": GREY, "ytick.color": GREY,
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": FAINT,
    "axes.titlelocation": "left", "axes.titlesize": 12, "figure.figsize": (8, 4.6), "lines.linewidth": 2,
    "legend.frameon": False,
})


def value(cell):
    """The first number of a cell, in seconds, bytes or pieces. None if it has none."""
    found = re.match(r"([\d,.]+) ?(ns|µs|ms|s|KiB|kB|MB|)\b", cell)
    return found and float(found[1].replace(",", "")) * UNITS[found[2]]


def table(name):
    """The columns' names and the rows of the table with this name."""
    head, _, *rows = results()[name]
    rows = {name.replace("`", ""): [value(cell) for cell in row] for name, *row in map(cells, rows)}
    return cells(head)[1:], rows


def save(name):
    PLOTS.mkdir(exist_ok=True)
    plt.savefig(PLOTS / f"{name}.svg", transparent=True, bbox_inches="tight",
                metadata={"Date": None, "Description": f"results {digest()}"})
    plt.close()


def lines(axes, series):
    """Lines with their names at their right ends, one below the other where the ends are close."""
    ends = []
    for x, y, name, colour, style in series:
        axes.plot(x, y, style, color=colour, marker="o", markersize=4)
        ends.append((x[-1], y[-1], name, colour))
    axes.figure.draw_without_rendering()
    top = {}
    for x, y, name, colour in sorted(ends, key=lambda end: -end[1]):
        end = axes.transData.transform((x, y))[1] * 72 / axes.figure.dpi
        height = min(end, top.get(x, end + 13) - 13)
        top[x] = height
        axes.annotate(name, (x, y), (8, height - end), textcoords="offset points", color=colour, va="center")


def encoders():
    sizes, ours = table("numbers")
    _, portable = table("numbers without AVX2")
    sizes = [value(size) for size in sizes]
    _, axes = plt.subplots()
    speed = lambda row: [size / time / 1e6 for size, time in zip(sizes, row)]
    axes.set(xscale="log", yscale="log", xlabel="bytes of the image", ylabel="megabytes of the image per second",
             title="Encoding an image as a JSON array of numbers")
    axes.set_xticks(sizes[:-1], ["1 KiB", "64 KiB", "1 MB", "10 MB"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.0f}"))
    axes.margins(y=0.1)
    lines(axes, [
        (sizes, speed(ours["memcpy of the output"]), "limit: memcpy of the JSON", GREY, ":"),
        (sizes, speed(ours["lark-proto streamed"]), "lark-proto, by chunks", BLUE, "-"),
        (sizes, speed(ours["lark-proto read by 64 KiB"]), "lark-proto, read by 64 KiB", PINK, "-"),
        (sizes, speed(portable["lark-proto streamed"]), "lark-proto without AVX2", GREEN, "-"),
        (sizes, speed(ours["sonic-rs to a kept Vec"]), "sonic-rs", ORANGE, "-"),
        (sizes, speed(ours["serde_json to a kept Vec"]), "serde_json", RED, "-"),
    ])
    save("encoders")


def parked():
    _, axes = plt.subplots()
    series = []
    for name, styles in {
        "parked threads, time a call": {"lark-ureq, threads": (RED, "-"), "threads that unpark each other": (GREY, ":")},
        "parked futures, time a call": {"lark-hyper, futures": (BLUE, "-")},
        "session, time a call, by calls that wait": {"in one lane": (GREEN, "--"), "in 50 lanes": (ORANGE, "--"),
                                                     "behind a first token": (PINK, "--"), "at a gate": (GREY, "--")},
    }.items():
        counts, rows = table(name)
        for row, style in styles.items():
            label = f"session alone, {row}" if "session" in name else row
            series.append(([float(count) for count in counts], [time * 1e6 for time in rows[row]], label, *style))
    axes.set(xscale="log", yscale="log", xlabel="calls parked", ylabel="microseconds per call",
             title="Calls that wait for the same thing: time per call")
    axes.set_xticks([1e3, 1e4, 1e5], ["1,000", "10,000", "100,000"])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    lines(axes, series)
    save("parked")


def bars(axes, names, values, labels, title, xlabel):
    """A bar for each name, with its value behind it."""
    colours = [BLUE if name.startswith("lark-") and "channel" not in name else GREY for name in names]
    axes.barh(names, values, color=colours, height=0.7)
    for at, (number, label) in enumerate(zip(values, labels)):
        axes.annotate(label, (number, at), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set(title=title, xlabel=xlabel)
    axes.invert_yaxis()
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)


def memory():
    _, rows = table("peak memory of the program on")
    figure, both = plt.subplots(1, 2, figsize=(11, 3.8), sharey=True)
    for axes, at, what in zip(both, (0, 2), ("Upload of 10 MB", "Cell write of 10 MB, which are 36 MB of JSON")):
        names, small, large = zip(*((name, row[at] or 0, row[at + 1] or 0) for name, row in rows.items()))
        labels = [f"{b / 1e6:,.0f} MB ({a / 1e6:,.0f} with 1 KiB)" if b else "no such call" for a, b in zip(small, large)]
        bars(axes, names, [b / 1e6 for b in large], labels, what, "highest resident memory in MB")
        axes.margins(x=0.6)
        axes.yaxis.set_inverted(True)
    save("memory")


def weight():
    _, rows = table("the program on")
    figure, both = plt.subplots(1, 2, figsize=(11, 4.2), sharey=True)
    names = [name.replace(", with hyper-util, hyper-rustls and tokio", ", with its pool and tokio")
             .replace(" without features, plain http over a socket of std", ", plain http, socket of std")
             .replace(", the same socket", ", plain http, socket of std") for name in rows]
    sizes = [row[3] / 1e6 for row in rows.values()]
    crates = [row[0] for row in rows.values()]
    bars(both[0], names, sizes, [f"{size:.2f}" for size in sizes], "A program that uploads an image: its size", "MB, tuned for size")
    bars(both[1], names, crates, [f"{count:.0f}" for count in crates], "Crates that are compiled for it", "crates")
    both[0].yaxis.set_inverted(True)
    save("weight")


if __name__ == "__main__":
    for draw in encoders, parked, memory, weight:
        draw()
