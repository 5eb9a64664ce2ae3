"""JSON of the service. Each field is read alone, so that one of another type does not hide the others."""

import json
import math
import re

I64, U32 = range(-(1 << 63), 1 << 63), range(1 << 32)
SURROGATE = re.compile("[\ud800-\udfff]")
# The surrogates that stand for bytes that are not UTF-8.
RAW = re.compile("[\udc80-\udcff]")


class Number:
    """A number, as the JSON spells it."""

    def __init__(self, text):
        self.text = text


class Object(dict):
    """A JSON object that knows which of its names occur twice."""

    def __init__(self, pairs):
        super().__init__(pairs)
        self.pairs = pairs
        seen = set()
        self.twice = {name for name, _ in pairs if name in seen or seen.add(name)}


def no_constant(name):
    raise ValueError(f"{name} is not JSON")


def parsed(data):
    """The value of a JSON text, in which texts may hold any bytes. `ValueError` for anything else."""
    hooks = {"object_pairs_hook": Object, "parse_int": Number, "parse_float": Number, "parse_constant": no_constant}
    try:
        return json.loads(data.decode("utf-8", "surrogateescape"), **hooks)
    except RecursionError:
        raise ValueError("too deep") from None


def typed(value, kind):
    """The value if it is of this kind, which is a type or, for an integer, a range. Else `None`."""
    if isinstance(kind, range):
        is_integer = isinstance(value, Number) and re.fullmatch(r"-?[0-9]{1,20}", value.text) and value.text != "-0"
        return int(value.text) if is_integer and int(value.text) in kind else None
    if kind is float:
        number = float(value.text) if isinstance(value, Number) else math.inf
        return number if math.isfinite(number) else None
    is_kind = isinstance(value, kind) and not (kind is str and SURROGATE.search(value))
    return value if is_kind else None


def record(value, *names):
    """The object, if it is one, its names are UTF-8, and these fields are too and do not occur twice. Else `None`."""
    if not isinstance(value, Object) or value.twice & set(names) or any(map(SURROGATE.search, value)):
        return None
    return None if any(map(RAW.search, strings([value.get(name) for name in names]))) else value


def strings(value):
    """All texts in a value, and all names."""
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            rest += [*item, *item.values()]
        elif isinstance(item, list):
            rest += item
