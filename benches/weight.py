#!/usr/bin/env python3
"""Weighs a small program that uploads one image, with each client: its crates, its build time and its size.

`benches/weight.py` prints a table and the budgets. `benches/weight.py --budgets` prints the budgets alone. Both fail if
a budget is exceeded. The programs are in `benches/weight`. Cargo downloads their crates and builds each of them in
TMPDIR from scratch. A program whose site can be chosen uploads an image to a server on loopback before it is weighed.
"""
import os, resource, subprocess, sys, tempfile, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
CARGO_HOME = Path(os.environ.get("CARGO_HOME") or Path.home() / ".cargo").absolute()
IMAGE = ROOT / "lark-ureq/examples/sample.png"
# The environment of a program that is run.
ENVIRONMENT = {"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"}

MANIFEST = """
[package]
name = "uploader"
edition = "2024"

[[bin]]
name = "uploader"
path = "{uploader}"
{writer}
[dependencies]
{dependencies}

[profile.release]
strip = true

[profile.small]
inherits = "release"
opt-level = "z"
lto = true
codegen-units = 1
panic = "abort"

[workspace]
"""

UREQ = 'ureq = {version = "3", default-features = false}'
UREQ_TLS = UREQ.replace("}", ', features = ["rustls"]}')
HYPER = 'hyper = {version = "1", features = ["client", "http1"]}'
HYPER_RAW = HYPER + '\nhttp = "1"\nhttp-body-util = "0.1"'
HYPER_POOL = """
hyper-util = {version = "0.1", features = ["client-legacy", "http1", "http2", "tokio"]}
[dependencies.hyper-rustls]
version = "0.27"
default-features = false
features = ["http1", "http2", "ring", "tls12", "webpki-roots"]"""
TOKIO = '\ntokio = {version = "1", features = ["rt"]}'


def ours(crate, features=""):
    return f'{crate} = {{path = "{ROOT / crate}"{features}}}'


class Candidate(NamedTuple):
    name: str
    program: str
    dependencies: str
    runs: bool = True  # whether its site can be chosen, so that it can be run
    writer: str = ""  # a second program, which writes a cell; benches/memory.py builds it


OURS = ["lark-proto", "lark-ureq", "lark-hyper"]
BARE = ", default-features = false"
SMALL = Candidate("`lark-ureq`, plain http", "lark_ureq", ours("lark-ureq", BARE))
SMALL_TLS = Candidate("`lark-ureq`", "lark_ureq", ours("lark-ureq"))
RAW = Candidate("`ureq` by hand, plain http", "raw_ureq", UREQ)
RAW_TLS = Candidate("`ureq` by hand", "raw_ureq", UREQ_TLS)
CORE = Candidate("`lark-proto`", "lark_ureq", ours("lark-proto"))  # only its dependencies are counted
TABLE = [
    SMALL, RAW,
    Candidate("`lark-hyper` without features, plain http over a socket of std", "lark_hyper_socket",
              ours("lark-hyper", BARE) + "\n" + HYPER),
    Candidate("`hyper` by hand, the same socket", "raw_hyper_socket", HYPER_RAW),
    SMALL_TLS, RAW_TLS,
    Candidate("`lark-hyper`", "lark_hyper", ours("lark-hyper") + TOKIO),
    Candidate("`hyper` by hand, with hyper-util, hyper-rustls and tokio", "raw_hyper_pool",
              HYPER_RAW + TOKIO + HYPER_POOL),
    Candidate("`feishu-sdk` 0.1.2", "feishu_sdk", 'feishu-sdk = "=0.1.2"' + TOKIO),
    Candidate("`lark-channel` 0.6.0", "lark_channel", 'lark-channel = "=0.6.0"' + TOKIO, False),
    Candidate("`openlark` 0.21.0 with `communication`", "openlark",
              'openlark = {version = "=0.21.0", features = ["communication"]}' + TOKIO),
]


class Lark(BaseHTTPRequestHandler):
    """The part of the service that a program needs to upload an image."""

    image = IMAGE.read_bytes()

    def do_POST(self):
        reply = self.reply(self.rfile.read(int(self.headers["content-length"])))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def reply(self, body):
        if "access_token" in self.path:
            tokens = b'"tenant_access_token":"t-1","app_access_token":"a-1","expire":7200'
            return b'{"code":0,"msg":"ok",%s}' % tokens
        if self.headers["authorization"] == "Bearer t-1" and self.has_image(body):
            return b'{"code":0,"msg":"ok","data":{"image_key":"img_1"}}'
        return b'{"code":99,"msg":"no image"}'

    def has_image(self, body):
        return self.image in body

    log_message = lambda *_: None


class Crate:
    """A candidate as a crate of its own. It uses the versions in the lock file of this workspace."""

    target = "target"

    def __init__(self, directory, candidate):
        directory.mkdir()
        self.directory, self.candidate = directory, candidate
        writer = f'[[bin]]\nname = "writer"\npath = "{ROOT}/benches/memory/{candidate.writer}.rs"\n'
        manifest = MANIFEST.format(uploader=ROOT / f"benches/weight/{candidate.program}.rs",
                                   writer=candidate.writer and writer, dependencies=candidate.dependencies)
        (directory / "Cargo.toml").write_text(manifest)
        (directory / "Cargo.lock").write_bytes((ROOT / "Cargo.lock").read_bytes())
        self.cargo("fetch")

    def cargo(self, *arguments):
        # These variables would change the build, or reuse an earlier one.
        mine = ("CARGO_BUILD", "CARGO_PROFILE", "CARGO_TARGET", "RUSTC_", "RUSTFLAGS")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(mine)}
        environment["CARGO_TARGET_DIR"] = str(self.target)
        # The messages of panics contain the paths of the sources. The sizes must not depend on where these lie.
        environment["CARGO_ENCODED_RUSTFLAGS"] = "\x1f".join(
            f"--remap-path-prefix={path}={name}" for path, name in [(ROOT, "/lark"), (CARGO_HOME, "/cargo")])
        return subprocess.run(["cargo", "--quiet", *arguments], cwd=self.directory, env=environment, check=True,
                              stdout=subprocess.PIPE, text=True).stdout

    def crates(self):
        """The name and version of each crate that is compiled for the program, with macros and build scripts."""
        tree = self.cargo("tree", "-e", "normal,build", "--prefix", "none", "--format", "{p}")
        return {" ".join(line.split()[:2]) for line in tree.splitlines()[1:]}

    def third_party(self):
        return {crate for crate in self.crates() if crate.split()[0] not in OURS}

    def build(self, profile, site):
        """The size of the program, and the elapsed and processor seconds of its build."""
        start, used = time.monotonic(), processors()
        self.cargo("build", "--frozen", "-j2", "--profile", profile)
        seconds = time.monotonic() - start, processors() - used
        program = self.directory / "target" / profile / "uploader"
        if self.candidate.runs:
            key = subprocess.run([program, site, IMAGE], env=ENVIRONMENT, check=True,
                                 stdout=subprocess.PIPE, text=True).stdout
            assert key == "img_1\n", f"{self.candidate.name}: {key}"
        return program.stat().st_size, *seconds


def processors():
    return sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def table(directory, site):
    """Prints the table, and returns the tuned sizes by name."""
    print("| the program on | crates | clean release build: processors (clock) | size | tuned for size |")
    print("|---|---:|---:|---:|---:|", flush=True)
    tuned = {}
    for candidate in TABLE:
        with tempfile.TemporaryDirectory(dir=directory) as place:
            crate = Crate(Path(place) / "uploader", candidate)
            size, clock, used = crate.build("release", site)
            tuned[candidate.name], *_ = crate.build("small", site)
            print(f"| {candidate.name} | {len(crate.crates())} | {used:.0f} s ({clock:.0f} s) "
                  f"| {size / 1e3:,.0f} kB | {tuned[candidate.name] / 1e3:,.0f} kB |", flush=True)
    print()
    return tuned


def budgets(directory, site, tuned):
    """Each budget: its name, the value and the limit."""
    def crate(candidate):
        return Crate(Path(tempfile.mkdtemp(dir=directory)) / "uploader", candidate)

    core = crate(CORE).third_party()
    yield "third-party crates of lark-proto", len(core), 16
    for name, lark, raw in [("plain http", SMALL, RAW), ("TLS", SMALL_TLS, RAW_TLS)]:
        more = crate(lark).third_party() - crate(raw).third_party() - core
        yield f"crates of lark-ureq, {name}, that are neither ureq's nor lark-proto's", len(more), 2
    size = tuned.get(SMALL.name) or crate(SMALL).build("small", site)[0]
    yield "bytes of the program on lark-ureq, plain http, tuned for size", size, 850_000


def serve(handler):
    """Starts a server on loopback, and returns its site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def main():
    site, held = serve(Lark), True
    with tempfile.TemporaryDirectory(prefix="weight-") as directory:
        tuned = {} if sys.argv[1:] == ["--budgets"] else table(directory, site)
        print("| budget | at most | value | holds |\n|---|---:|---:|---|", flush=True)
        for what, value, most in budgets(directory, site, tuned):
            held = held and value <= most
            print(f"| {what} | {most:,} | {value:,} | {'yes' if value <= most else '**no**'} |", flush=True)
    return 0 if held else 1


if __name__ == "__main__":
    sys.exit(main() if sys.argv[1:] in ([], ["--budgets"]) else __doc__)
