"""The refusal of an input, and the texts that an error may quote."""

import re
import unicodedata

# Invisible or blank characters whose category does not say so.
HIDDEN = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc"
JOINERS = "\u200c\u200d"
# White space. Python counts four control characters too.
WHITE = "".join(char for char in map(chr, range(0x3001)) if char.isspace() and not "\x1c" <= char <= "\x1f")
# The beginnings of a token. After a hyphen, a text that consists of words or that ends as a file name does is none.
TOKEN = re.compile(rb"(?<![A-Za-z0-9])(?:(?i:ur|[tua])-(?P<run>[A-Za-z0-9_.-]*)|eyJ[A-Za-z0-9_.-]{16,})")
ORDINARY = re.compile(rb"[0-9]*|[A-Za-z][a-z]{0,14}|[A-Z]{1,15}")
FILE = re.compile(rb"(?i).*\.(png|jpe?g|gif|bmp|webp|tiff?|heic|ico|bpg|svg|pdf|json|xlsx|csv)")
# The text or the number after the name of a secret in JSON, or all that follows from an array or an object on.
NAMED = re.compile(
    rb'(?is)"(?:[A-Z0-9_-]*(?:(?:access|refresh|verification)[_-]?token|secret|app[_-]?ticket|encrypt[_-]?key'
    rb'|api[_-]?key|password|authorization)|(?:id[_-]?)?token|ticket)" *: *(?:"|(?=[-0-9\[{]))'
    rb'(?P<run>(?<=")[^"]+|(?<!")[\[{].*|(?<!")[-+.0-9e]+)'
)


class Refused(Exception):
    """An input was refused. `part` is the wrong part, which the text of the error quotes."""

    def __init__(self, kind, part=None):
        super().__init__(kind)
        self.kind = kind
        self.part = part

    def shown(self):
        """The part as a text quotes it: without a password, without a token, in 60 bytes."""
        return None if self.part is None else cleared(without_user_info(self.part).encode(), 60)

    def possible_forms(self, text):
        """The forms that `text` may have: each has a mark in place of the quoted part."""
        part = self.shown()
        if part is None:
            return {text}
        starts = (at for at in range(len(text) + 1) if text.startswith(part, at))
        return {f"{text[:at]}\0{text[at + len(part):]}" for at in starts}


def is_control(char):
    return unicodedata.category(char) == "Cc"


def misleads(char):
    """Whether a character is invisible, looks blank, ends a line or changes the direction of the text."""
    category = unicodedata.category(char)
    return char in HIDDEN or category in ("Cf", "Zl", "Zp") and char not in JOINERS


def is_selector(char):
    """Whether a character is a variation selector."""
    is_later = "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef"
    return is_later or char in "\u180b\u180c\u180d\u180f"


def trimmed(text):
    start, end = 0, len(text)
    while start < end and (text[start] in WHITE or misleads(text[start])):
        start += 1
    while start < end and (text[end - 1] in WHITE or misleads(text[end - 1])):
        end -= 1
    return text[start:end]


def boundary(data, limit):
    """The greatest length up to `limit` at which the text can be cut between characters."""
    cut = min(limit, len(data))
    places = (at for at in range(cut, max(-1, cut - 4), -1) if at == len(data) or data[at] & 0xC0 != 0x80)
    return next(places, cut)


def clean(data, is_cut):
    """The text with spaces for control and invisible characters."""
    text = data.decode("utf-8", errors="replace")
    text = "".join(" " if is_control(char) or misleads(char) else char for char in text)
    return text + ("…" if is_cut else "")


def excerpt(data, limit):
    """At most `limit` bytes, cut between characters, with spaces for control and invisible characters."""
    cut = boundary(data, limit)
    return clean(data[:cut], cut < len(data))


def secrets(data):
    """The start and the end of each part that looks like a secret."""
    found = [match.span() for match in TOKEN.finditer(data) if match["run"] is None or is_token(match["run"])]
    return sorted(found + [match.span("run") for match in NAMED.finditer(data)])


def is_token(run):
    is_ordinary = all(map(ORDINARY.fullmatch, re.split(rb"[_.-]", run))) or FILE.fullmatch(run)
    return len(run) >= 16 and not is_ordinary


def cleared(data, limit):
    """An excerpt with `***` in place of each secret. It is cut first, and a secret at the cut is masked whole."""
    if re.fullmatch(rb"[A-Za-z0-9]{0,128}", data):
        return excerpt(data, limit)
    cut, shown, at = boundary(data, limit), b"", 0
    for start, end in secrets(data[:limit + 512]):
        if start < cut and end > at:
            shown += data[at:start] + (b"***" if start > at or not shown else b"")
            at = end
    shown += data[at:cut]
    fits = boundary(shown, limit)
    return clean(shown[:fits], max(at, cut) < len(data) or fits < len(shown))


def without_user_info(text):
    """The text with `***` for the user and the password of a URL."""
    before, at, after = text.rpartition("@")
    if ":" not in before:
        return text
    scheme, colon, _ = before.partition("://")
    scheme = scheme + colon if colon and ":" not in scheme else ""
    return f"{scheme}***{at}{after}"
