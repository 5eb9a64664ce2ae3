#!/usr/bin/env python3
"""Lists the public items of the libraries, and checks that their signatures name no crate that may break its types in a
minor release: one whose version is 0.x.

    .ci/public_api.py           checks
    .ci/public_api.py --list    also prints one line for each public item
"""

import json
import os
import subprocess
import sys

LIBRARIES = ["lark-proto", "lark-ureq", "lark-hyper"]


def run(*command):
    # JSON documentation is unstable; this variable allows it with a stable compiler.
    env = dict(os.environ, RUSTC_BOOTSTRAP="1")
    return subprocess.run(command, env=env, check=True, stdout=subprocess.PIPE, text=True).stdout


def documentation(crate, target):
    run("cargo", "rustdoc", "--quiet", "--package", crate, "--lib", "--all-features", "--target-dir", target,
        "--", "-Z", "unstable-options", "--output-format", "json")
    with open(os.path.join(target, "doc", crate.replace("-", "_") + ".json"), encoding="utf-8") as file:
        return json.load(file)


def references(value):
    """The ids of the types and traits in a signature."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        # A path to a type or trait; other objects with an id have no path.
        if "id" in value and "path" in value:
            yield str(value["id"])
        for item in value.values():
            yield from references(item)


def items(docs, item_id, path):
    """The public items below a module, by the path under which a user names them."""
    item = docs["index"].get(str(item_id))
    if item is None:
        return
    kind, inner = next(iter(item["inner"].items()))
    if kind == "use":
        yield path, inner["name"], "use", {}, inner["source"]
        if inner["id"] is not None and not inner["is_glob"]:
            target = docs["index"].get(str(inner["id"]))
            if target is not None and next(iter(target["inner"])) != "module":
                yield from items(docs, inner["id"], path)
        return
    # An impl that the compiler or another crate gives to every type is not the library's.
    if kind == "impl" and (inner["is_synthetic"] or inner["blanket_impl"] is not None):
        return
    name = item["name"] or ""
    here = f"{path}::{name}" if path else name
    yield path, name, kind, inner, None
    children = []
    if kind == "module":
        children = inner["items"]
    elif kind in ("struct", "enum", "trait", "union", "variant"):
        children = inner.get("impls", []) + inner.get("items", []) + inner.get("variants", [])
        fields = inner.get("kind")
        # A struct or a variant without fields is a string here. A private field of a tuple is null.
        for form, content in fields.items() if isinstance(fields, dict) else ():
            children += [field for field in content if field is not None] if form == "tuple" else content["fields"]
    elif kind == "impl":
        children = inner["items"]
        here = path
    for child in children:
        yield from items(docs, child, here)


def main():
    metadata = json.loads(run("cargo", "metadata", "--format-version", "1"))
    unstable = {package["name"].replace("-", "_") for package in metadata["packages"]
                if package["version"].startswith("0.") and package["name"] not in LIBRARIES}
    target = os.path.join(metadata["target_directory"], "api")
    found = []
    for crate in LIBRARIES:
        docs = documentation(crate, target)
        listed = list(items(docs, docs["root"], ""))
        assert len(listed) > 20, f"{crate}: the form of the documentation has changed"
        lines = set()
        for path, name, kind, inner, source in listed:
            # The signature alone: the children are items of their own.
            shape = {key: value for key, value in inner.items() if key not in ("items", "impls", "variants")}
            for reference in references(shape):
                crate_id = docs["paths"].get(reference, {}).get("crate_id", 0)
                foreign = docs["external_crates"].get(str(crate_id), {}).get("name")
                if foreign in unstable:
                    found.append(f"{path}::{name} names {foreign}")
            if source and source.split("::")[0] in unstable:
                found.append(f"{path}::{name} is of {source}")
            if kind not in ("impl", "use"):
                lines.add(f"{path}::{name} ({kind})")
        if "--list" in sys.argv:
            print("\n".join(sorted(lines)))
        print(f"{crate}: {len(lines)} public items", file=sys.stderr)
    for line in sorted(set(found)):
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
