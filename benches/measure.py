#!/usr/bin/env python3
"""Runs benchmarks, keeps their tables in `benches/results`, and copies these tables into `benches/README.md`.

`benches/measure.py NAME..` runs what is named: RUNS has the names. Without a name it only copies the tables again. Each
result is a file with the date, the machine, the command and its tables. `benches/measure.py --check` runs nothing. It
fails if the tables of `benches/README.md` are not those of the results, if a plot is missing or was drawn from other
results, or if a figure of `README.md` or `README.zh-CN.md` does not follow from them.
"""
import hashlib, json, os, re, subprocess, sys, time
from datetime import datetime, timezone
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "benches/README.md"
RESULTS = ROOT / "benches/results"
PLOTS = ROOT / "benches/plots"
BENCH = "cargo bench --quiet -p lark-benches"
ALL = f"{BENCH} --features competitors --bench"
PORTABLE = f"RUSTFLAGS='--cfg lark_portable' {BENCH} --target-dir target/portable"

# Tables that are in several results are joined in this order.
RUNS = {
    "encode": f"{ALL} encode",
    "decode": f"{ALL} decode",
    "session": f"{ALL} session",
    "thresholds": f"{ALL} thresholds",
    "portable": f"{PORTABLE} --bench encode --bench thresholds -- numbers",
    "end_to_end": f"{ALL} end_to_end",
    "parked": f"{ALL} parked",
    "weight": "benches/weight.py",
    "memory": "benches/memory.py",
}


def parse(text):
    """The tables of a Markdown text: each is a list of lines."""
    blocks = re.findall(r"^\|.*\n(?:\|.*\n?)*", text, re.MULTILINE)
    return [block.splitlines() for block in blocks]


def cells(line):
    """The cells of a line of a table."""
    return [cell.strip() for cell in line.strip("|").split("|")]


def title(lines):
    """The name of a table: that of its first column."""
    return cells(lines[0])[0]


def results():
    """The tables of all results, by their names."""
    tables = {}
    for name in RUNS:
        path = RESULTS / f"{name}.md"
        for lines in parse(path.read_text()) if path.exists() else []:
            tables.setdefault(title(lines), lines[:2]).extend(lines[2:])
    return tables


def digest():
    """Names the state of the tables, for the plots."""
    return hashlib.sha256(json.dumps(results()).encode()).hexdigest()[:16]


def in_readme():
    """The README, with the tables of the results in place of those that it has."""
    tables = results()

    def replace(block):
        lines = block[0].splitlines()
        return "\n".join(tables.get(title(lines), lines)) + "\n"

    return re.sub(r"^\|.*\n(?:\|.*\n)*", replace, README.read_text(), flags=re.MULTILINE)


def seconds(text):
    """The seconds of a time such as `5.64 ms`."""
    number, unit = text.split()
    return float(number) * {"s": 1, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}[unit]


def rounded(seconds):
    """A time with three digits."""
    scale, unit = next(((s, u) for s, u in [(1, "s"), (1e3, "ms"), (1e6, "µs")] if seconds * s >= 1), (1e9, "ns"))
    return f"{float(f'{seconds * scale:.3g}'):g} {unit}"


def criterion(start):
    """The tables of the benchmarks that criterion has measured since `start`: one for each group. A cell has the
    median, divided by the number of calls if the benchmark counts calls."""
    found = (ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "criterion").glob("**/new/benchmark.json")
    found = sorted((path.stat().st_mtime_ns, path) for path in found if path.stat().st_mtime > start)
    groups = {}
    for _, path in found:
        bench = json.loads(path.read_text())
        seconds = json.loads(path.with_name("estimates.json").read_text())["median"]["point_estimate"] / 1e9
        calls = (bench["throughput"] or {}).get("Elements", 1)
        row = groups.setdefault(bench["group_id"], {}).setdefault(bench["function_id"], {})
        row[bench["value_str"]] = rounded(seconds / calls)
    for group, rows in groups.items():
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        yield "\n".join([f"| {group} | {' | '.join(columns)} |", "|---|" + "---:|" * len(columns)]
                        + [f"| {name} | {' | '.join(row.get(column, '-') for column in columns)} |"
                           for name, row in rows.items()])


def run(name):
    command, start = RUNS[name], time.time()
    output = subprocess.run(command, shell=True, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    tables = ["\n".join(table) for table in parse(output)]
    if "cargo bench" in command:
        tables[:0] = criterion(start)
    if name == "portable":
        tables = [re.sub(r"^\| numbers", "| numbers without AVX2", table) for table in tables]
    processor = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "")
    rustc = " ".join(subprocess.check_output(["rustc", "--version"], text=True).split()[:2])
    now = datetime.now(timezone.utc)
    about = f"{now:%Y-%m-%d}, {os.cpu_count()} processors ({processor}), {rustc}:\n\n    {command}\n\n"
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text(about + "\n\n".join(tables) + "\n")


def figures():
    """The figures of the main README that follow from the results: what they tell, and the numbers of their line."""
    tables = {name: {row[0]: row[1:] for row in map(cells, lines[2:])} for name, lines in results().items()}
    speed, copy = (tables["comparison"][f"numbers by chunks: {what}"][1].split()[0]
                   for what in ("speed relative to `serde_json`", "time relative to `memcpy`"))
    kept = [seconds(tables["numbers"][f"{name} to a kept Vec"][3]) for name in ("serde_json", "lark-proto")]
    yield "the encoder of numbers", [f"{float(speed):.0f}", copy, f"{kept[0] / kept[1]:.0f}"]
    writes = tables["cell write of 10 MB"]
    yield "cell writes", [f"{float(writes[name][0].split()[0]):.1f}"
                          for name in ("lark-ureq", "ureq with timeouts", "lark-hyper", "hyper with a timeout")]
    peaks = {name: row[-1].split()[0] for name, row in tables["peak memory of the program on"].items()}
    yield "peak memory", [next((peak for other, peak in peaks.items() if name in other), "")
                          for name in ("`lark-ureq`", "`lark-hyper`", "`ureq` by hand", "feishu-sdk", "Node", "Python")]
    sizes = {name.split()[0].strip("`,"): (int(row[0]), float(row[3].split()[0].replace(",", "")) / 1e3)
             for name, row in tables["the program on"].items() if "plain http" not in name and "by hand" not in name}
    ours = [sizes.pop("lark-ureq"), sizes.pop("lark-hyper")]
    crates, kilobytes = zip(*sizes.values())
    yield "weight", [text for count, size in ours for text in (str(count), f"{size:.2f}")] + [
        *(str(which(crates)) for which in (min, max)), *(f"{which(kilobytes):.2f}" for which in (min, max))]


def check():
    """What is not as the results have it."""
    shown = {title(lines): lines for lines in parse(README.read_text())}
    tables = results()
    faults = [f"benches/README.md: the table {name!r} is not that of benches/results"
              for name, lines in shown.items() if tables.get(name) != lines]
    plots = set(re.findall(r"\(plots/(\w+\.svg)\)", README.read_text())) | {path.name for path in PLOTS.glob("*.svg")}
    faults += [f"benches/plots/{name} is missing, or was drawn from other results" for name in sorted(plots)
               if not (PLOTS / name).exists() or digest() not in (PLOTS / name).read_text()]
    budget = next(cells(line)[2] for line in tables["budget"] if line.startswith("| bytes of"))
    size = next(cells(line)[4] for line in tables["the program on"] if line.startswith("| `lark-ureq`, plain http"))
    if f"{int(budget.replace(',', '')) / 1000:,.0f} kB" != size:
        faults.append(f"the program on lark-ureq has {budget} bytes among the budgets and {size} in the table")
    for path in ROOT / "README.md", ROOT / "README.zh-CN.md":
        lines = [re.findall(r"\d+(?:\.\d+)?", line) for line in path.read_text().splitlines()]
        faults += [f"{path.name}: no line has the figures of {what} in this order: {', '.join(numbers)}"
                   for what, numbers in figures() if not any(are_in_order(numbers, line) for line in lines)]
    return faults


def are_in_order(numbers, line):
    """Whether a line has these numbers in this order, with others between them."""
    rest = iter(line)
    return all(number in rest for number in numbers)


def main(arguments):
    if arguments != ["--check"]:
        for name in arguments:
            run(name)
        README.write_text(in_readme())
        return 0
    faults = check()
    print("\n".join(faults) or f"{len(results())} tables agree")
    return 1 if faults else 0


if __name__ == "__main__":
    known = set(sys.argv[1:]) <= set(RUNS) or sys.argv[1:] == ["--check"]
    sys.exit(main(sys.argv[1:]) if known else __doc__)
