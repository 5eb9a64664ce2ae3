#!/usr/bin/env python3
"""Checks that each endpoint of lark-proto is named in every place where it belongs: the tables of the documentation, the
golden files, the fake, the fuzz targets, the tests with a faulty network and the changelog. CONTRIBUTING.md describes
these places.

    .ci/endpoints.py    prints each endpoint that is missing in a place, with the place
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
ENDPOINTS = ROOT / "lark-proto/src/endpoints"
ROUTES = ROOT / "lark-proto/src/fake/route.rs"

IMPL = re.compile(r"^impl Endpoint for (\w+) \{$", re.MULTILINE)
# The route in `fn route`, or the constant that it returns.
ROUTE = re.compile(r'(?:fn route\(&self\) -> &str \{\s*|const ROUTE: &\'static str = )"(/open-apis/[^"]+)"')
METHOD = re.compile(r"fn method\(&self\) -> Method \{\s*Method::(\w+)")
# A line of the fake's table: the name, the method and the path.
FAKE_ROUTE = re.compile(r'^ +(\w+) = (\w+) "(/open-apis/[^"]+)",$', re.MULTILINE)


def read(*names):
    return "\n".join((ROOT / name).read_text(encoding="utf-8") for name in names)


def places():
    """The text of each place, with the form in which it names an endpoint."""
    word = r"\b{}\b"
    changelog = read("CHANGELOG.md")
    bytes_section = "\n".join(re.findall(r"^### Bytes$.*?(?=^##)", changelog, re.MULTILINE | re.DOTALL))
    targets = sorted((ROOT / "fuzz/src").rglob("*.rs"))
    requests = [path for path in targets if path.name != "reply.rs"]
    yield "the table of lark-proto/src/endpoints/mod.rs", read("lark-proto/src/endpoints/mod.rs"), r"//! \| \[`{}`\] \|"
    yield "lark-proto/tests/it/golden.rs", read("lark-proto/tests/it/golden.rs"), word
    yield "fuzz/src/reply.rs", read("fuzz/src/reply.rs"), "<{}>"
    yield "fuzz/src/requests.rs or the target of its body", read(*requests), word + "(?=::[a-z])"
    subjects = "lark-hyper/tests/it/faulty_network/subjects.rs"
    yield subjects, read(subjects), r"^    {} as \w+, "
    yield 'CHANGELOG.md under "Bytes"', bytes_section, "`{}`"
    vectors = "lark-proto/tests/vectors/README.md"
    yield f"the table of inputs in {vectors}", read(vectors), r"^\|.*`{snake}`"


def main():
    known = list(places())
    routes = {(method, path): name for name, method, path in FAKE_ROUTE.findall(ROUTES.read_text(encoding="utf-8"))}
    fuzzed = read("fuzz/src/fake.rs")
    count = 0
    missing = []
    for path in sorted(ENDPOINTS.glob("*.rs")):
        source = path.read_text(encoding="utf-8")
        for name in IMPL.findall(source):
            count += 1
            snake = re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
            missing += [f"{name}: {place}" for place, text, form in known
                        if not re.search(form.format(name, snake=snake), text, re.MULTILINE)]
            [route] = ROUTE.findall(source)
            [method] = METHOD.findall(source)
            in_fake = routes.get((method, route))
            if in_fake is None:
                missing.append(f"{name}: {ROUTES.relative_to(ROOT)} has no `{method} {route}`")
            elif not re.search(rf"^    Route::{in_fake},$", fuzzed, re.MULTILINE):
                missing.append(f"{name}: `ROUTES` of fuzz/src/fake.rs has no `{in_fake}`")
    print(*missing, f"{count} endpoints, missing in {len(missing)} places", sep="\n")
    # A search that finds no endpoint would pass, whatever is missing.
    sys.exit(1 if missing or count < 10 else 0)


main()
