#!/usr/bin/env python3
"""Checks that no code block of the Markdown files or the documentation comments is wider than docs.rs shows without
scrolling. Lines that rustdoc hides do not count. Checks too that no line of text of the Markdown files and no comment is
wider than 120 columns, except in tables and in the definitions of links.

    .ci/code_width.py    prints each line that is too wide, as file:line: columns
"""

import glob
import os
import re
import sys

CODE_WIDTH = 76
TEXT_WIDTH = 120
TEXTS = ["*.md", "lark-*/**/*.md", "benches/*.md", "fuzz/*.md"]
CODE = ["lark-*/**/*.rs", "benches/**/*.rs", "fuzz/fuzz_targets/*.rs", "fuzz/src/**/*.rs"]
SCRIPTS = ["benches/*.py", ".ci/**/*", ".github/**/*.yml"]

# A comment of Rust, the shell, Python or YAML, but no attribute of Rust.
COMMENT = re.compile(r"\s*(?://[/!]?|#(?!!?\[)) ?(.*)")
FENCE = re.compile(r"\s*(```+|~~~+)\s*(.*)")
# The languages of a block that rustdoc takes for Rust.
RUST = re.compile(r"((rust|no_run|ignore|should_panic|compile_fail|edition\d+)[\w,-]*)?$")
# `# ` and a lone `#` hide a line of Rust; `##` is shown as `#`.
HIDDEN = re.compile(r"\s*#( |$)")
# A row of a table, or the definition of a link.
UNBROKEN = re.compile(r"\||\[[^]]+\]: ")


def too_wide(path):
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    is_markdown = path.endswith(".md")
    shows_blocks = is_markdown or "/src/" in path
    fence = None
    is_rust = False  # in a Markdown file outside `src` every line is shown
    for number, line in enumerate(lines, 1):
        width = len(line)
        if not is_markdown:
            comment = COMMENT.match(line)
            if comment is None:
                fence = None
                continue
            line = comment[1]
        mark = FENCE.match(line)
        if fence is None:
            if mark:
                fence = mark[1]
                is_rust = "/src/" in path and RUST.match(mark[2]) is not None
            elif width > TEXT_WIDTH and not UNBROKEN.match(line):
                yield f"{path}:{number}: {width} columns of text, {TEXT_WIDTH} at most"
            continue
        if mark and mark[1].startswith(fence) and not mark[2]:
            fence = None
            continue
        if is_rust and HIDDEN.match(line):
            continue
        if shows_blocks and len(line) > CODE_WIDTH:
            yield f"{path}:{number}: {len(line)} columns in a code block, {CODE_WIDTH} at most"


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    found = 0
    paths = sorted({path for pattern in TEXTS + CODE + SCRIPTS
                    for path in glob.glob(pattern, recursive=True) if os.path.isfile(path)})
    for path in paths:
        for message in too_wide(path):
            print(message)
            found += 1
    print(f"{len(paths)} files, {found} lines too wide")
    sys.exit(1 if found else 0)


main()
