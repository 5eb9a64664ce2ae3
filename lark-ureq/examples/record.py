#!/usr/bin/env python3
"""Records a program on a terminal of 100 columns as an animated SVG, which repeats without end.

    record.py OUT.svg SHOWN COMMAND..    SHOWN is the command line in the picture

The recording of fill_sheet, against a fake service:

    cargo build --release -p lark-ureq --examples
    cargo test --release -p lark-ureq --test it recorded -- --ignored
"""

import codecs
import fcntl
import os
import pty
import re
import struct
import sys
import termios
import time
from xml.sax.saxutils import escape

COLUMNS, ROWS = 100, 16
# Sizes in pixels: a character, and the margin around the text.
WIDTH, HEIGHT, MARGIN = 8, 18, 12
# The time for which the first and the last picture stand still, in seconds.
BEFORE, AFTER = 1, 6

CONTROL = re.compile(r"\x1b\[\??([0-9;]*)([A-Za-z])")


class Screen:
    """As much of a terminal as a progress bar needs."""

    def __init__(self):
        self.lines, self.row, self.column = [""], 0, 0

    def feed(self, text):
        at = 0
        while at < len(text):
            control = CONTROL.match(text, at)
            if control:
                self.control(control[1], control[2])
                at = control.end()
                continue
            self.put(text[at])
            at += 1

    def control(self, number, kind):
        if kind == "A":
            self.row = max(0, self.row - int(number or 1))
        elif kind == "K":
            self.lines[self.row] = "" if number == "2" else self.lines[self.row][: self.column]
        elif kind not in "hlm":  # the cursor's look and colours do not matter
            sys.exit(f"this control sequence is not known: {number}{kind}")

    def put(self, character):
        if character == "\r":
            self.column = 0
            return
        if character == "\n" or self.column == COLUMNS:
            self.row += 1
            self.column = 0
            if self.row == len(self.lines):
                self.lines.append("")
        if character != "\n":
            line = self.lines[self.row].ljust(self.column)
            self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
            self.column += 1

    def shown(self):
        return tuple(line.rstrip() for line in self.lines[-ROWS:])


def record(shown, command):
    """The pictures of the terminal, each with its time."""
    child, terminal = pty.fork()
    if child == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.execvp(command[0], command)
    screen, start = Screen(), time.monotonic()
    # A read may end within a character.
    decoder = codecs.getincrementaldecoder("utf-8")()
    screen.feed(f"$ {shown}\r\n")
    frames = [(0, screen.shown())]
    while True:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # the program has ended
            break
        if not read:
            break
        screen.feed(decoder.decode(read))
        frames.append((BEFORE + time.monotonic() - start, screen.shown()))
    os.waitpid(child, 0)
    return frames


def thin(frames):
    """Ten pictures a second at most, and the last one."""
    kept = []
    for at, picture in frames:
        if len(kept) > 1 and at - kept[-1][0] < 0.1:
            kept[-1] = (kept[-1][0], picture)
        elif not kept or kept[-1][1] != picture:
            kept.append((at, picture))
    return kept


def svg(frames):
    """The pictures one below the other, which move up behind a window."""
    width, height = COLUMNS * WIDTH + 2 * MARGIN, ROWS * HEIGHT + 2 * MARGIN
    total = frames[-1][0] + AFTER
    steps, pictures = [], []
    for number, (at, picture) in enumerate(frames):
        steps.append(f"{100 * at / total:.2f}%{{transform:translateY(-{number * height}px)}}")
        for row, line in enumerate(picture):
            if line:
                y = number * height + MARGIN + (row + 0.75) * HEIGHT
                pictures.append(f'<text x="{MARGIN}" y="{y:g}">{escape(line)}</text>')
    return f"""<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" \
viewBox="0 0 {width} {height}">
<style>
text{{font:{HEIGHT * 0.72:g}px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#d8dee9;white-space:pre}}
g{{animation:run {total:.2f}s infinite step-end}}
@keyframes run{{{"".join(steps)}}}
</style>
<rect width="{width}" height="{height}" rx="6" fill="#20242c"/>
<g>
{chr(10).join(pictures)}
</g>
</svg>
"""


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    out, shown, command = sys.argv[1], sys.argv[2], sys.argv[3:]
    with open(out, "w", encoding="utf-8") as file:
        file.write(svg(thin(record(shown, command))))


main()
