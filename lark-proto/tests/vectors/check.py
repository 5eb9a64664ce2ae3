#!/usr/bin/env python3
"""Checks the test vectors with a reader that shares no code with the crate.

The reader in `reader/` makes every request, value and boundary from the inputs of a case, and reads every reply, by the
rules of README.md. It uses the standard library only.

    check.py [FOLDER]    prints the number of checks of each file; ends with 1 at the first difference
    check.py --changed   changes every expected value, one after the other, and ends with 1 if a change is not seen
"""

import base64
import copy
import json
import os
import sys

sys.dont_write_bytecode = True

from reader import codes, replies, requests, values  # noqa: E402  (the line above has to come first)
from reader.refused import Refused  # noqa: E402


def main():
    own = os.path.dirname(os.path.abspath(__file__))
    is_changed = sys.argv[1:] == ["--changed"]
    folder = sys.argv[1] if len(sys.argv) > 1 and not is_changed else own
    codes.load(cases_of(folder, "codes"))
    for name, check in CHECKS.items():
        cases = cases_of(folder, name)
        count = 0
        if is_changed:
            for where, changed in changes(name, cases):
                count += 1
                if not is_seen(check, changed):
                    sys.exit(f"{name}.json: a change of {where} is not seen")
        else:
            for where, expected, found in check(cases):
                count += 1
                if not equal(expected, found):
                    both = (json.dumps(it, ensure_ascii=False, indent=1, sort_keys=True) for it in (expected, found))
                    sys.exit(f"{name}.json: {where}\n-- the file has\n{next(both)}\n-- the reader has\n{next(both)}")
        if count == 0:
            sys.exit(f"{name}.json: nothing was checked")
        print(f"{name}.json: {count} {'changes were seen' if is_changed else 'checks'}")


def cases_of(folder, name):
    with open(os.path.join(folder, f"{name}.json"), encoding="utf-8") as file:
        content = json.load(file)
    if content["format"] != 1:
        sys.exit(f"{name}.json has the format {content['format']}, and this reader knows 1")
    return content["cases"]


def equal(one, other):
    """Whether two values are equal. Unlike `==`, it tells `true` from 1 and 1 from 1.0."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


# The fields of a case that the reader makes itself. The texts of the codes are for people, and no rule yields them.
MADE = {"endpoints": None, "codes": {"class"}}


def changes(name, cases):
    """Each expected value of a file in turn, changed: where it is, and the cases to check together."""
    for at, case in enumerate(cases):
        made = MADE.get(name, {"expected"}) or case.keys()
        for path in leaves({key: value for key, value in case.items() if key in made}):
            changed = copy.deepcopy(case)
            *outer, last = path
            target = changed
            for key in outer:
                target = target[key]
            target[last] = other(target[last])
            together = [changed]
            if name == "endpoints":
                together = [*cases[:at], changed, *cases[at + 1:]]
            if name == "refusals":
                kind = case["expected"]["kind"]
                together += [it for it in cases if it is not case and it["expected"]["kind"] == kind]
            yield f"{path} in case {at}", together


def leaves(value, path=()):
    """The paths of the values that hold no others."""
    if not value or not isinstance(value, (dict, list)):
        yield path
        return
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield from leaves(item, (*path, key))


def other(value):
    """Another value of the same type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str):
        return f"{value}x"
    return 0


def is_seen(check, cases):
    try:
        return any(not equal(expected, found) for _, expected, found in check(cases))
    except (KeyError, ValueError):
        return True  # the reader cannot read the changed value


def check_endpoints(cases):
    yield "the names", [case["endpoint"] for case in cases], list(requests.ENDPOINTS)
    for case in cases:
        yield case["endpoint"], case, requests.facts(case["endpoint"])


def check_requests(cases):
    for case in cases:
        made = requests.make(case["endpoint"], values.expanded(case["inputs"]), case["site"], case["token"])
        body, http1 = (values.bytes_of(case["expected"][name]) for name in ("body", "http1"))
        yield case["name"], case["expected"], made.shown()
        # The bytes themselves, in case both sides write them in the same wrong way.
        yield f"{case['name']}: body", base64.b64encode(body).decode(), base64.b64encode(made.body).decode()
        yield f"{case['name']}: http1", base64.b64encode(http1).decode(), base64.b64encode(made.http1()).decode()


def check_replies(cases):
    for case in cases:
        reply = case["reply"]
        found = replies.read(case["endpoint"], reply["status"], reply["headers"], values.bytes_of(reply["body"]))
        yield case["name"], case["expected"], found


def check_codes(cases):
    yield "ascending", [case["code"] for case in cases], sorted({case["code"] for case in cases})
    for case in cases:
        yield f"the advice on {case['code']}", codes.documented_advice(case["code"]), codes.advice_of_class(case["class"])
        yield f"the shape of {case['code']}", True, codes.has_shape(case)


def check_values(cases):
    for case in cases:
        inputs = values.expanded(case["inputs"])
        try:
            found = values.construct(case["constructor"], inputs)
        except Refused as refused:
            found = {"refused": refused.kind}
        yield f"{case['constructor']} of {case['inputs']}", case["expected"], found


def check_refusals(cases):
    # For each kind, the texts in which the quoted part is replaced in every possible place. One text is left for all
    # cases of a kind, because its texts differ in the quoted part alone.
    forms = {}
    for case in cases:
        where = f"{case['constructor']} of {case['inputs']}"
        kind, text = case["expected"]["kind"], case["expected"]["text"]
        try:
            found = values.construct(case["constructor"], values.expanded(case["inputs"]))
            yield where, {"kind": kind}, found
        except Refused as refused:
            yield where, kind, refused.kind
            possible = refused.possible_forms(text)
            yield f"{where}: `{refused.shown()}` is quoted in `{text}`", True, bool(possible)
            forms[kind] = forms.get(kind, possible) & possible
            yield f"{where}: the text has the form of its kind", True, bool(forms[kind])


def check_encodings(cases):
    for case in cases:
        image = values.bytes_of(case["inputs"])
        yield case["inputs"]["base64"], case["expected"], {
            "numbers": requests.encoded(image, "numbers"),
            "base64": requests.encoded(image, "base64"),
        }


def check_boundaries(cases):
    for case in cases:
        yield case["name"], case["expected"], requests.form(case["inputs"]["parts"]).shown()


CHECKS = {
    "endpoints": check_endpoints,
    "requests": check_requests,
    "replies": check_replies,
    "codes": check_codes,
    "values": check_values,
    "refusals": check_refusals,
    "encodings": check_encodings,
    "boundaries": check_boundaries,
}

if __name__ == "__main__":
    main()
