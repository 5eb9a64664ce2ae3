"""The replies: what a status, headers and a body mean for an endpoint."""

import datetime
import math
import re
from fractions import Fraction

from . import codes, images
from .documents import is_id, percent_decoded, sheet_id
from .fields import I64, RAW, U32, Number, Object, parsed, record, strings, typed
from .images import shown_bytes
from .refused import WHITE, Refused, cleared, excerpt
from .texts import image_key, message_id, token

DAY_NS = 24 * 60 * 60 * 10**9
TEXT = 1024
MEBIBYTE = 1 << 20
SPACE = b" \t\r\n\f"
KNOWN = ("code", "msg", "data", "error", "log_id", "logid")
SECONDS = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), ([0-9]{2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
)
MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()


class Unreadable(Exception):
    """The reply is not what the endpoint documents."""


class Failed(Exception):
    """The service answered with this code."""


def read(endpoint, status, headers, body):
    reply = Reply(status, headers, body)
    try:
        return {"result": READERS[endpoint](reply)}
    except Failed as failed:
        return {"error": reply.api_error(failed.args[0])}
    except Unreadable:
        return {"error": reply.unreadable()}


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        self.headers, self.encodings = {}, []
        for header in headers:
            name, _, value = header.partition(": ")
            self.headers.setdefault(name.lower(), value)
            self.encodings += [value.lower()] if name.lower() == "content-encoding" else []
        self.envelope = envelope_in(body)

    def success(self):
        """The envelope of a reply with code 0, whatever the status."""
        code = None if self.envelope is None else typed(self.envelope.get("code"), I64)
        if code is None:
            raise Unreadable
        if code != 0:
            raise Failed(code)
        return self.envelope

    def data(self, *names):
        """The object `data`, of which these fields are read."""
        return must(record(self.success().get("data"), *names))

    def top_level(self, *names):
        """The envelope of a token request. A token without a code is a success too, with a status of 2xx."""
        is_success = 200 <= self.status < 300
        if not is_success or self.envelope is None or self.envelope.get("code") is not None:
            self.success()
        return must(record(self.envelope, *names))

    def log_id(self):
        envelope = self.envelope or {}
        error = record(envelope.get("error")) or {}
        candidates = [error.get("log_id"), error.get("logid"), envelope.get("log_id"), envelope.get("logid")]
        candidates = [self.header("x-tt-logid"), *candidates, self.header("x-request-id")]
        found = next((text for text in candidates if typed(text, str)), None)
        return None if found is None else cleared(found.encode(), 128)

    def header(self, name):
        """The value of a header, if it is ASCII."""
        text = self.headers.get(name)
        return text.strip(" \t") if text is not None and text.isascii() else None

    def retry_after_ms(self):
        """The smaller of two times that the service may name. A time of zero names none."""
        named = [seconds_ns(self.header(name)) for name in ("x-ogw-ratelimit-reset", "retry-after")]
        if named[1] is None:
            end, start = (date(self.header(name)) for name in ("retry-after", "date"))
            if end is not None and start is not None:
                named[1] = nanoseconds(max(0, end - start))
        wait = min((wait for wait in named if wait), default=None)
        return None if wait is None else wait // 10**6

    def api_error(self, code):
        kind, status = codes.class_of(code), self.status
        error = self.envelope.get("error")
        fields = record(error) or {}
        message = typed(self.envelope.get("msg"), str) or ""
        permissions = [
            {"scope": scope, "kind": text_in(item, "type"), "url": text_in(item, "url")}
            for item in objects(fields.get("permission_violations"))
            for scope in [text_in(item, "scope") or text_in(item, "subject")]
            if scope
        ]
        violations = [
            {"field": text_in(item, "field"), "description": text_in(item, "description") or ""}
            for item in objects(fields.get("field_violations"))
            if text_in(item, "field")
        ]
        link = None
        if code in (99991672, 99991679):
            shown = cleared(message.encode(), 32 * 1024)
            named = grant_link(shown)
            urls = (it["url"] for it in permissions if it["url"])
            link = named or next((it for it in urls if it.startswith("https://") and not it.endswith("…")), None)
            if not permissions:
                permissions = [{"scope": it, "kind": None, "url": None} for it in scopes_in(shown, named)[:32]]
        is_unknown = kind == "unknown"
        by_status = codes.advice_by_status(status)
        is_open = kind == "service_failure" or code in (90235, 1310235) or is_unknown and (status == 408 or 500 <= status < 600)
        is_limit = kind == "rate_limit" or kind in ("service_failure", "unknown") and status == 429
        return {
            "kind": "api", "code": code, "class": kind, "message": cleared(message.encode(), TEXT),
            "detail": text_in(fields, "message") or text_in(self.envelope, "error"),
            "permission_violations": permissions, "field_violations": violations, "grant_link": link,
            "troubleshooter": text_in(fields, "troubleshooter"),
            "is_permission": kind == "permission" or bool(permissions), "is_rate_limit": is_limit,
            "advice": by_status if is_unknown else codes.advice_of_class(kind),
            "retry_after_ms": self.retry_after_ms(), "outcome": "unknown" if is_open else "refused",
            "log_id": self.log_id(),
        }

    def unreadable(self):
        content_type = self.headers.get("content-type")
        is_refused = 400 <= self.status < 500 and self.status != 408
        return {
            "kind": "unreadable", "excerpt": cleared(self.body, 256),
            "content_type": None if content_type is None else cleared(content_type.encode(), 60),
            "advice": codes.advice_by_status(self.status), "retry_after_ms": self.retry_after_ms(),
            "outcome": "refused" if is_refused else "unknown", "log_id": self.log_id(),
        }


def envelope_in(body):
    """The envelope: one JSON object, none of whose known fields occurs twice or is not UTF-8. `None` without one."""
    try:
        return record(parsed(body.lstrip(SPACE)), *KNOWN)
    except ValueError:
        return None


def must(value):
    if value is None:
        raise Unreadable
    return value


def valid(rule, text):
    """The text, if it is one and the rule of its value accepts it."""
    try:
        return None if typed(text, str) is None else rule({"text": text})
    except Refused:
        return None


def text_in(item, name):
    """A field of an error that is a text and not empty."""
    text = typed(item.get(name), str)
    return cleared(text.encode(), TEXT) if text else None


def plain(item, name):
    """A text of a success, which may be empty; `None` for another type."""
    text = typed(item.get(name), str)
    return None if text is None else excerpt(text.encode(), TEXT)


def objects(value):
    """The objects among the first items of a list."""
    return [item for item in map(record, (typed(value, list) or [])[:32]) if item is not None]


def nanoseconds(seconds):
    """The nearest number of nanoseconds, a day at most."""
    return min(round(Fraction(seconds) * 10**9), DAY_NS)


def unsigned(text):
    """The number of 64 bits that the digits spell."""
    match = re.fullmatch(r"0*([0-9]{1,20})", text)
    return int(match[1]) if match and int(match[1]) < 1 << 64 else None


def seconds_ns(text):
    """The time in a header that has digits or a number of JSON."""
    seconds = unsigned(text or "")
    if seconds is None and SECONDS.fullmatch(text or ""):
        seconds = float(text)
    return nanoseconds(seconds) if seconds is not None and 0 <= seconds < math.inf else None


def date(text):
    """The seconds from the beginning of the calendar to a date in a header."""
    match = DATE.fullmatch(text or "")
    if match is None or match[2] not in MONTHS:
        return None
    day, year, hour, minute, second = map(int, match.group(1, 3, 4, 5, 6))
    try:
        days = datetime.date(year, MONTHS.index(match[2]) + 1, day).toordinal()
    except ValueError:
        return None
    exists = hour < 24 and minute < 60 and second <= 60
    return ((days * 24 + hour) * 60 + minute) * 60 + second if exists else None


def grant_link(message):
    """The link in a message to the page where a scope is added."""
    for link in re.findall(r"https://[!#-&*-;=?-Z\\^_a-z|~]*", message):
        page = link.partition("?")[0]
        if "/app/" in page and page.endswith("/auth") or page.endswith("/scope-apply"):
            link = link.rstrip(".,;")
            return link if len(link) <= 2048 else cleared(page.encode(), 2048)
    return None


def scopes_in(message, link):
    """The scopes that a message names, in its link or in brackets."""
    query = (link or "").partition("?")[2]
    named = next((pair.partition("=")[2] for pair in query.split("&") if pair.startswith(("q=", "scopes="))), None)
    listed = re.search(r"\[([^\]]*)\]", message)
    text = named if named is not None else listed[1] if listed else ""
    return [scope for scope in map(str.strip, text.split(",")) if re.fullmatch(r"[A-Za-z0-9:._-]{1,128}", scope)]


def written(reply):
    data = reply.data("spreadsheetToken", "updateRange", "updatedRange", "revision")
    found = plain(data, "updateRange")
    return {
        "spreadsheet_token": must(plain(data, "spreadsheetToken")),
        "range": plain(data, "updatedRange") if found is None else found,
        "revision": typed(data.get("revision"), I64),
    }


def uploaded(reply):
    return {"image_key": must(valid(image_key, reply.data("image_key").get("image_key")))}


def sheets(reply):
    return {"sheets": tabs(reply.data("sheets").get("sheets"))}


def tabs(value):
    """The sheets in a list of the service, by their index."""
    fields = ("sheet_id", "title", "index", "hidden", "resource_type", "grid_properties")
    items = [must(record(item, *fields)) for item in must(typed(value, list))]
    return [tab(item) for item in sorted(at_most(10_000, items), key=index_of)]


def index_of(item):
    index = typed(item.get("index"), U32)
    return U32[-1] if index is None else index


def tab(item):
    grid = record(item.get("grid_properties"), "row_count", "column_count") or {}
    size = {"rows": typed(grid.get("row_count"), U32), "columns": typed(grid.get("column_count"), U32)}
    kind = plain(item, "resource_type")
    return {
        "id": must(valid(lambda inputs: sheet_id(inputs["text"]), item.get("sheet_id"))),
        "title": plain(item, "title") or "", "is_hidden": typed(item.get("hidden"), bool) or False,
        "kind": {None: "sheet", "sheet": "sheet", "bitable": "base"}.get(kind, "other"),
        "grid": None if None in size.values() else size,
    }


def at_most(count, items):
    return must(items if len(items) <= count else None)


def cells(reply):
    values = must(record(reply.data("valueRange").get("valueRange"), "values")).get("values")
    shown = []
    for rows_below, row in enumerate([] if values is None else must(typed(values, list))):
        row = [] if row is None else at_most(13_000, must(typed(row, list)))
        for columns_right, cell in enumerate(row):
            content = cell_content(cell)
            if content is not None:
                shown.append({"rows_below": rows_below, "columns_right": columns_right, **content})
    return {"cells": at_most(250_000, shown)}


def cell_content(cell):
    """The content of a cell; `None` if it is empty."""
    if isinstance(cell, (dict, list)):
        items = cell if isinstance(cell, list) else [cell]
        segments = [record(item, "type", "text", "fileToken") or {} for item in items]
        if len(segments) > 10_000:
            return {"kind": "other"}
        found = [it for it in segments if plain(it, "type") == "embed-image"]
        if found:
            tokens = (typed(it.get("fileToken"), str) for it in found)
            return {"kind": "image", "file_token": next((it for it in tokens if it and is_id(it, 128)), None)}
        kinds = {plain(it, "type") for it in segments}
        texts = [plain(it, "text") for it in segments]
        if not kinds <= {None, "text", "url", "mention", "formula"} or None in texts:
            return {"kind": "other"}
        text = "".join(texts)
    elif isinstance(cell, str):
        text = typed(cell, str)
        if text is None:
            return {"kind": "other"}
    elif isinstance(cell, Number):
        text = cell.text
    else:
        text = {None: "", True: "true", False: "false"}[cell]
    return {"kind": "text", "text": excerpt(text.encode(), TEXT)} if text else None


def added(reply):
    data = reply.success().get("data")
    return {"count": None if data is None else typed(must(record(data, "addCount")).get("addCount"), U32)}


def nothing(reply):
    reply.success()
    return {}


def wiki_node(reply):
    return node(reply.data("node").get("node"))


def node(value):
    """A page of a wiki, of which an error may quote the token and the type."""
    fields = must(record(value, "obj_token", "obj_type", "title", "space_id"))
    return {
        **{name: cleared(must(plain(fields, name)).encode(), TEXT) for name in ("obj_token", "obj_type")},
        **{name: plain(fields, name) for name in ("title", "space_id")},
    }


def sent(reply):
    ids, texts = ("message_id", "parent_id", "root_id"), ("chat_id", "thread_id")
    data = reply.data(*ids, *texts, "create_time")
    read = {name: valid(message_id, data.get(name)) for name in ids}
    must(read["message_id"])
    return {
        **read, **{name: plain(data, name) or None for name in texts},
        "create_time_ms": unsigned(plain(data, "create_time") or ""),
    }


def grant(name):
    def read_grant(reply):
        envelope = reply.top_level(name, "expire")
        seconds = typed(envelope.get("expire"), float) or 0
        return {
            "token": must(valid(token, envelope.get(name))),
            "expires_in_ms": nanoseconds(min(7200, max(0, seconds))) // 10**6,
        }

    return read_grant


def any_data(reply):
    return {"data": plain_json(reply.success().get("data"), 127)}


def plain_json(value, depth):
    """The value in the types of Python."""
    if isinstance(value, (dict, list)) and depth == 0:
        raise Unreadable
    if isinstance(value, dict):
        return {must(typed(name, str)): plain_json(item, depth - 1) for name, item in value.items()}
    if isinstance(value, list):
        return [plain_json(item, depth - 1) for item in value]
    if isinstance(value, Number):
        integer = typed(value, range(I64[0], 1 << 64))
        return must(typed(value, float)) if integer is None else integer
    return must(typed(value, str)) if isinstance(value, str) else value


def download(reply):
    """A file: any body with a status of 2xx that is neither an envelope, nor compressed, nor a web page."""
    headers, body = reply.headers, reply.body
    if has_code(body):
        reply.success()
        raise Unreadable  # code 0 without a file
    content_type, disposition = headers.get("content-type", ""), headers.get("content-disposition")
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip(SPACE).lower()
    looks_like_page = content_type.lower().startswith("text/html") or text.startswith((b"<html", b"<!doctype html"))
    is_page = looks_like_page and disposition is None
    is_compressed = any(encoding != "identity" for encoding in reply.encodings)
    is_image = images.sniff(body) is not None
    if not 200 <= reply.status < 300 or not body or not is_image and (is_compressed or is_page):
        raise Unreadable
    return {
        "bytes": shown_bytes(body), "content_type": excerpt(content_type.strip(" \t").encode(), 128) or None,
        "file_name": file_name(disposition or ""),
    }


def has_code(body):
    """Whether the body is a JSON object with an integer `code`, possibly a damaged one."""
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip(SPACE)
    try:
        value = parsed(text)
    except ValueError:
        return False
    if not isinstance(value, Object) or len(text) > MEBIBYTE and any(map(RAW.search, strings(value))):
        return False
    return any(name == "code" and typed(field, I64) is not None for name, field in value.pairs)


def parameters(header):
    """The parameters of a header, by their names in lower case."""
    rest = header
    while "=" in rest:
        before, _, rest = rest.partition("=")
        rest = rest.lstrip(WHITE)
        quoted = re.match(r'"((?:[^"\\]|\\.)*)"?', rest, re.DOTALL)
        if quoted:
            value, rest = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.DOTALL), rest[quoted.end():]
        else:
            value, _, rest = rest.partition(";")
        yield before.rpartition(";")[2].strip(WHITE).lower(), value if quoted else value.strip(WHITE)


def file_name(disposition):
    """The name in a `Content-Disposition`. The extended one counts."""
    plain_name = extended_name = None
    for name, value in parameters(disposition):
        charset, _, rest = value.partition("'")
        if name == "filename":
            plain_name = plain_name or images.storable_name(value)
        elif name == "filename*" and charset.lower() == "utf-8" and "'" in rest:
            extended_name = extended_name or images.storable_name(percent_decoded(rest.partition("'")[2]) or "")
    return extended_name or plain_name


READERS = {
    "write_sheet_image": written,
    "query_sheets": sheets,
    "read_cells": cells,
    "add_dimension": added,
    "update_dimension": nothing,
    "download_media": download,
    "get_wiki_node": wiki_node,
    "put_image": uploaded,
    "create_image": uploaded,
    "get_image": download,
    "send_image": sent,
    "reply_image": sent,
    "get_tenant_token": grant("tenant_access_token"),
    "get_app_token": grant("app_access_token"),
    "get_store_tenant_token": grant("tenant_access_token"),
    "resend_app_ticket": nothing,
    "raw": any_data,
}
