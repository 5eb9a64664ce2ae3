"""The refusal of an input, and the texts that an error may quote."""

import re
import unicodedata

# Invisible or blank characters whose category does not say so.
HIDDEN = "\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc"
JOINERS = "\u200c\u200d"
# `t-`, `u-`, `a-`, `ur-` or `eyJ`, with 16 or more further characters of a token.
TOKEN = re.compile(r"(?<![A-Za-z0-9])(?:(?:ur|[tua])-|eyJ)[A-Za-z0-9_.-]{16,}")
# The text after the name of a secret, in JSON.
NAMED = re.compile(r'("(?:[a-z_]*(?:access_token|refresh_token|verification_token|secret|app_ticket)|token|ticket)": *")[^"]+')


class Refused(Exception):
    """An input was refused. `part` is the wrong part, which the text of the error quotes."""

    def __init__(self, kind, part=None):
        super().__init__(kind)
        self.kind = kind
        self.part = part

    def shown(self):
        """The part as a text quotes it: without a password, without a token, in 60 bytes."""
        return None if self.part is None else excerpt(masked(without_user_info(self.part)).encode(), 60)

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
    return "\ufe00" <= char <= "\ufe0f" or "\u180b" <= char <= "\u180d" or "\U000e0100" <= char <= "\U000e01ef"


def trimmed(text):
    start, end = 0, len(text)
    while start < end and (text[start].isspace() or misleads(text[start])):
        start += 1
    while start < end and (text[end - 1].isspace() or misleads(text[end - 1])):
        end -= 1
    return text[start:end]


def excerpt(data, limit):
    """At most `limit` bytes, cut between characters, with spaces for control and invisible characters."""
    cut = data[:limit]
    while len(cut) < len(data) and data[len(cut)] & 0xC0 == 0x80 and limit - len(cut) < 3:
        cut = cut[:-1]
    text = cut.decode("utf-8", errors="replace")
    text = "".join(" " if is_control(char) or misleads(char) else char for char in text)
    return text + ("…" if len(cut) < len(data) else "")


def masked(text):
    """The text with `***` in place of what looks like a secret."""
    return TOKEN.sub("***", NAMED.sub(r"\1***", text))


def without_user_info(text):
    """The text with `***` for the user and the password of a URL."""
    before, at, after = text.rpartition("@")
    if ":" not in before:
        return text
    scheme, colon, _ = before.partition("://")
    scheme = scheme + colon if colon and ":" not in scheme else ""
    return f"{scheme}***{at}{after}"
