"""The texts of messages, apps and tokens: which are accepted, and what an error quotes of the others."""

import re

from . import sites
from .documents import is_id
from .fields import parsed, record, typed
from .images import bytes_of
from .refused import WHITE, Refused


def is_visible(text, limit):
    """Whether a text has 1 to `limit` visible ASCII characters."""
    return re.fullmatch(r"[!-~]+", text) is not None and len(text) <= limit


def visible(limit, kind):
    """A value of visible ASCII characters, which an error quotes."""
    return lambda inputs: checked(is_visible(inputs["text"], limit), kind, inputs["text"])


def secret(limit, kind):
    """A secret of visible ASCII characters. An error shows its length only."""

    def make(inputs):
        text = inputs["text"]
        if not is_visible(text, limit):
            raise Refused(kind, f"{len(text.encode())} bytes")
        return text

    return make


def checked(is_valid, kind, text):
    if not is_valid:
        raise Refused(kind, text)
    return text


def token(inputs):
    data = inputs["text"].encode()
    if not 1 <= len(data) <= 4096:
        raise Refused("bad_token", f"{len(data)} bytes")
    wrong = next((at for at, byte in enumerate(data) if not 33 <= byte <= 126), None)
    if wrong is not None:
        raise Refused("bad_token", f"an invalid character at byte {wrong}")
    return inputs["text"]


def image_key(inputs):
    text = inputs["text"]
    return checked(is_visible(text, 256) and sites.dots_in(text) is None, "bad_image_key", text)


def message_id(inputs):
    text = inputs["text"]
    return checked(is_id(text, 128) and text.startswith("om_") and len(text) > 3, "bad_message_id", text)


def message_uuid(inputs):
    text = inputs["text"]
    has_controls = re.search(r"[\0-\x1f\x7f-\x9f]", text)
    return checked(1 <= len(text) <= 50 and text == text.strip(WHITE) and not has_controls, "bad_message_uuid", text)


PREFIXES = {"oc_": "chat_id", "ou_": "open_id", "on_": "union_id"}
EMAIL = re.compile(r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+\.)*[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+@([A-Za-z0-9-]+\.)*[A-Za-z0-9-]+")


def id_type(text):
    if text.startswith("user_id:"):
        return "user_id" if is_visible(text.removeprefix("user_id:"), 64) else None
    if "@" in text:
        return "email" if len(text) <= 254 and EMAIL.fullmatch(text) else None
    return PREFIXES.get(text[:3]) if is_id(text, 128) and len(text) > 3 else None


def receiver(text, wanted=None):
    """A receiver. With a wanted type, white space is not removed and a user id has no prefix."""
    text = f"user_id:{text}" if wanted == "user_id" else text if wanted else text.strip(WHITE)
    found = id_type(text)
    if found is None or wanted not in (None, found):
        raise Refused("bad_receiver", text)
    return {"id": text.removeprefix("user_id:"), "id_type": found}


def user_agent(inputs):
    text = inputs["text"]
    return checked(re.fullmatch(r"[ -~]+", text), "bad_user_agent", text) and text


def boundary(text):
    is_valid = re.fullmatch(r"[A-Za-z0-9'()+_,./:=? -]{0,69}[A-Za-z0-9'()+_,./:=?-]", text)
    return checked(is_valid, "bad_boundary", text)


def app_ticket_event(inputs):
    data = bytes_of(inputs["event"])
    size = f"{len(data)} bytes"
    try:
        event = record(parsed(data), "encrypt", "token", "event")
    except ValueError:
        event = None
    if event is None:
        raise Refused("bad_ticket_event", size)
    given = event.get("token")
    names = ("type", "app_id", "app_ticket")
    inner = record(event.get("event"), *names) or {}
    kind, app_id, app_ticket = (typed(inner.get(name), str) for name in names)
    is_damaged = event.get("event") is not None and None in (kind, app_id, app_ticket)
    if is_damaged or given is not None and typed(given, str) is None:
        raise Refused("bad_ticket_event", size)
    if event.get("encrypt") is not None:
        raise Refused("encrypted_event", size)
    if not given or given != inputs["verification_token"]:
        raise Refused("wrong_verification_token")
    if kind != "app_ticket":
        raise Refused("bad_ticket_event", size)
    if not is_visible(app_id, 128):
        raise Refused("bad_ticket_event", size)
    return {"app_id": app_id, "app_ticket": secret(1024, "bad_app_ticket")({"text": app_ticket})}
