#!/usr/bin/env python3
"""Measures the peak memory of small programs that send an image of 10 MB, with each client.

`benches/memory.py` prints a table. The programs in `benches/weight` upload an image, and those in `benches/memory` write
it into a cell. The server reads the highest resident memory of the program's process when it has received the whole
request, and checks the image. Cargo, npm and pip download the clients. A client that cannot be installed is skipped.
"""
import json, random, statistics, subprocess, sys, tempfile, threading
from pathlib import Path

from weight import ENVIRONMENT, ROOT, TOKIO, UREQ_TLS, Candidate, Crate, Lark, ours, serve

LARGE, SMALL = 10_000_000, 1024
RUNS = 3
SERDE = '\nserde = {version = "1", features = ["derive"]}\nserde_json = "1"'
REQWEST = 'reqwest = {version = "0.13", default-features = false, features = ["json", "multipart"]}'
MACROS = '\ntokio = {version = "1", features = ["macros", "rt"]}'
RUST = [
    Candidate("`lark-ureq`", "lark_ureq", ours("lark-ureq"), writer="lark_ureq"),
    Candidate("`lark-hyper`", "lark_hyper", ours("lark-hyper") + TOKIO, writer="lark_hyper"),
    Candidate("`ureq` by hand, with `serde_json`", "raw_ureq", UREQ_TLS + SERDE, writer="raw_ureq"),
    Candidate("`reqwest` by hand, plain http, with `serde_json`", "../memory/reqwest_upload", REQWEST + MACROS + SERDE,
              writer="reqwest"),
    Candidate("`feishu-sdk` 0.1.2", "feishu_sdk", 'feishu-sdk = "=0.1.2"' + TOKIO + SERDE, writer="feishu_sdk"),
    Candidate("`openlark` 0.21.0 with `communication`", "openlark",
              'openlark = {version = "=0.21.0", features = ["communication"]}' + TOKIO),
]


class Watched(Lark):
    """A service that knows cell writes too, and the process that sends to it."""

    process = None
    started = threading.Lock()  # held until `process` is the new process, which may send at once
    peak = 0

    def has_image(self, body):
        with self.started:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        Watched.peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
        if self.path.endswith("/values_image"):
            return bytes(json.loads(body)["image"]) == self.image
        return self.image in body

    def reply(self, body):
        reply = super().reply(body)
        return reply.replace(b"image_key", b"spreadsheetToken") if self.path.endswith("/values_image") else reply


def peak(command, site, image, folder):
    """The highest resident memory of a program that sends `image`, in bytes."""
    Watched.image, Watched.peak = image, 0
    file = folder / "image.gif"
    file.write_bytes(image)
    with Watched.started:
        Watched.process = subprocess.Popen([*command, site, file], cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE)
    output, _ = Watched.process.communicate()
    assert output == b"img_1\n" and Watched.peak, f"{command}: {output}"
    return Watched.peak


def row(name, commands, site, folder):
    """Prints the peaks of a client: for each command, with a small and a large image."""
    cells = []
    for command in commands:
        for size in SMALL, LARGE:
            image = b"GIF89a" + random.Random(size).randbytes(size - 6)
            cells += [statistics.median(peak(command, site, image, folder) for _ in range(RUNS)) if command else None]
    texts = ["-" if cell is None else f"{cell / 1e6:.1f} MB" for cell in cells]
    print(f"| {name} | {' | '.join(texts)} |", flush=True)


def vendor(folder):
    """The vendor's clients: the name and the command of each that can be installed here."""
    install = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "@larksuiteoapi/node-sdk"]
    try:
        subprocess.run(install, cwd=folder, check=True)
        version = json.loads((folder / "node_modules/@larksuiteoapi/node-sdk/package.json").read_text())["version"]
        yield f"the vendor's client for Node {version}", ["node", ROOT / "benches/memory/client.mjs"]
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"SKIPPED: the vendor's client for Node: {error}", file=sys.stderr)
    try:
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        python = folder / "venv/bin/python"
        subprocess.run([python, "-m", "pip", "--quiet", "install", "lark-oapi"], check=True)
        version = "import importlib.metadata as all; print(all.version('lark-oapi'))"
        version = subprocess.check_output([python, "-c", version], text=True).strip()
        yield f"the vendor's client for Python {version}", [python, ROOT / "benches/memory/client.py"]
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"SKIPPED: the vendor's client for Python: {error}", file=sys.stderr)


def main():
    site = serve(Watched)
    print("| peak memory of the program on | upload of 1 KiB | upload of 10 MB | cell write of 1 KiB | cell write of 10 MB |")
    print("|---|---:|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory(prefix="memory-") as directory:
        folder = Path(directory)
        # The clients share the crates that they have in common.
        programs = Crate.target = ROOT / "target/memory"
        for at, candidate in enumerate(RUST):
            Crate(folder / f"crate-{at}", candidate).cargo("build", "--frozen", "--release")
            writer = [programs / "release/writer"] if candidate.writer else None
            row(candidate.name, [[programs / "release/uploader"], writer], site, folder)
        for name, command in vendor(folder):
            row(name, [[*command, "upload"], [*command, "write"]], site, folder)


if __name__ == "__main__":
    main()
