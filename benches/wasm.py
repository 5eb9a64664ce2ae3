#!/usr/bin/env python3
"""The speed of a cell write's body: the same source as a WebAssembly module in node and as a native library.

    .ci/platforms/wasm 3; cargo build --release -p lark-proto --example wasm
    benches/wasm.py WASM LIBRARY

Both take the same image of 10 MB and encode it by chunks, in turn, so that the load of the machine is the same for both.
"""

import ctypes
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

ROUNDS = 31
wasm, library = sys.argv[1:]
image = b"GIF89a" + random.Random(1).randbytes(10_000_000)
arguments = b"t-1\nshtcnabc\nQ7PlXT!H7\na.gif\n" + image

NODE = """
const { readFileSync, writeSync, readSync } = require('node:fs');
const wasm = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(process.argv[1]))).exports;
const given = readFileSync(process.argv[2]);
while (readSync(0, Buffer.alloc(1)) === 1) {
    const begun = performance.now();
    const at = wasm.buffer(given.length);
    new Uint8Array(wasm.memory.buffer).set(given, at);
    if (wasm.write_sheet_image() !== 1) throw new Error(`refused`);
    let length = 0, chunk;
    do { wasm.chunk(); chunk = wasm.len(); length += chunk; } while (chunk);
    writeSync(1, `${performance.now() - begun} ${length}\\n`);
}
"""

native = ctypes.CDLL(library)
native.buffer.restype = ctypes.c_void_p
native.buffer.argtypes = [ctypes.c_size_t]
native.len.restype = ctypes.c_size_t


def run_native():
    begun = time.perf_counter()
    ctypes.memmove(native.buffer(len(arguments)), arguments, len(arguments))
    assert native.write_sheet_image() == 1
    length, chunk = 0, 1
    while chunk:
        native.chunk()
        chunk = native.len()
        length += chunk
    return (time.perf_counter() - begun) * 1000, length


with tempfile.NamedTemporaryFile(delete=False) as file:
    file.write(arguments)
node = subprocess.Popen(
    ["node", "-e", NODE, wasm, file.name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
)


def run_wasm():
    node.stdin.write(b"x")
    node.stdin.flush()
    millis, length = node.stdout.readline().split()
    return float(millis), int(length)


times = {run_native: [], run_wasm: []}
lengths = set()
for _ in range(ROUNDS):
    for run in random.sample(list(times), 2):
        millis, length = run()
        times[run].append(millis)
        lengths.add(length)
node.stdin.close()
node.wait()
os.unlink(file.name)
assert len(lengths) == 1, lengths
native_time, wasm_time = (statistics.median(found) for found in times.values())
print(f"native {native_time:.1f} ms, WebAssembly {wasm_time:.1f} ms: {wasm_time / native_time:.2f} of its time")
