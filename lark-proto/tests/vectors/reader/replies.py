"""The replies: what a status, headers and a body mean for an endpoint."""

import datetime
import json
import math
import re

from . import codes, images
from .documents import is_id, percent_decoded
from .refused import excerpt, masked
from .requests import shown_bytes

DAY_MS = 24 * 60 * 60 * 1000
TEXT = 1024
MEBIBYTE = 1 << 20
SPACE = b" \t\r\n\f"


class Unreadable(Exception):
    """The reply is not what the endpoint documents."""


class Failed(Exception):
    """The service answered with this code."""


class Object(dict):
    """A JSON object that knows whether two of its fields have the same name."""

    def __init__(self, pairs):
        super().__init__(pairs)
        names = [name for name, _ in pairs]
        self.twice = {name for name in names if names.count(name) > 1}


def no_constant(name):
    raise ValueError(f"{name} is not JSON")


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
        self.headers = {}
        for header in headers:
            name, _, value = header.partition(": ")
            self.headers.setdefault(name.lower(), value)
        try:
            self.envelope = parsed(body)
        except Unreadable:
            self.envelope = None

    def success(self):
        """The envelope of a reply with code 0, whatever the status."""
        if self.envelope is None:
            raise Unreadable
        code = self.envelope.get("code")
        if type(code) is not int or not -(1 << 63) <= code < 1 << 63:
            raise Unreadable
        if code != 0:
            raise Failed(code)
        return self.envelope

    def data(self):
        data = self.success().get("data")
        if not isinstance(data, dict):
            raise Unreadable
        return data

    def top_level(self):
        """The envelope of a token request. A token without a code is a success too, with a status of 2xx."""
        is_success = 200 <= self.status < 300
        if is_success and self.envelope is not None and self.envelope.get("code") is None:
            return self.envelope
        return self.success()

    def log_id(self):
        error = self.envelope.get("error") if self.envelope else None
        error = error if isinstance(error, dict) else {}
        candidates = [self.headers.get("x-tt-logid"), error.get("log_id"), error.get("logid")]
        if self.envelope:
            candidates += [self.envelope.get("log_id"), self.envelope.get("logid")]
        candidates.append(self.headers.get("x-request-id"))
        found = next((text for text in candidates if isinstance(text, str) and text), None)
        return None if found is None else cleared(found, 128)

    def retry_after_ms(self):
        """The smaller of two times that the service may name. A time of zero names none."""
        named = [seconds_ms(self.headers.get(name)) for name in ("x-ogw-ratelimit-reset", "retry-after")]
        if named[1] is None:
            end, start = (date(self.headers.get(name)) for name in ("retry-after", "date"))
            if end is not None and start is not None:
                named[1] = min(DAY_MS, max(0, int((end - start).total_seconds()) * 1000))
        return min((wait for wait in named if wait), default=None)

    def api_error(self, code):
        kind, status = codes.class_of(code), self.status
        error = self.envelope.get("error")
        fields = error if isinstance(error, dict) else {}
        message = self.envelope.get("msg")
        message = message if isinstance(message, str) else ""
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
            link = grant_link(message) or next((it["url"] for it in permissions if it["url"]), None)
            if not permissions:
                permissions = [{"scope": it, "kind": None, "url": None} for it in scopes_in(message, grant_link(message))]
        is_unknown = kind == "unknown"
        by_status = codes.advice_by_status(status)
        is_open = kind == "service_failure" or is_unknown and (status == 408 or status >= 500)
        is_limit = kind == "rate_limit" or kind in ("service_failure", "unknown") and status == 429
        return {
            "kind": "api", "code": code, "class": kind, "message": cleared(message, TEXT),
            "detail": text_in(fields, "message") or (cleared(error, TEXT) if isinstance(error, str) and error else None),
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
            "kind": "unreadable", "content_type": None if content_type is None else cleared(content_type, 60),
            "excerpt": excerpt(masked(self.body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape"), 256),
            "advice": codes.advice_by_status(self.status), "retry_after_ms": self.retry_after_ms(),
            "outcome": "refused" if is_refused else "unknown", "log_id": self.log_id(),
        }


def parsed(body):
    """The envelope: one JSON object in UTF-8, none of whose known fields occurs twice."""
    if not body.lstrip(SPACE).startswith(b"{"):
        raise Unreadable
    try:
        envelope = json.loads(body.decode(), object_pairs_hook=Object, parse_constant=no_constant)
    except ValueError:
        raise Unreadable from None
    if envelope.twice & {"code", "msg", "data", "error", "log_id", "logid"}:
        raise Unreadable
    return envelope


def cleared(text, limit):
    return excerpt(masked(text).encode(), limit)


def text_in(item, name):
    """A field that is a text and not empty."""
    text = item.get(name)
    return cleared(text, TEXT) if isinstance(text, str) and text else None


def plain(item, name):
    """A text of a success, which may be empty; `None` for another type."""
    text = item.get(name)
    return excerpt(text.encode(), TEXT) if isinstance(text, str) else None


def required(item, name):
    text = plain(item, name) if isinstance(item, dict) else None
    if text is None:
        raise Unreadable
    return text


def objects(value):
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def seconds_ms(text):
    if text is None or not re.fullmatch(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", text):
        return None
    seconds = float(text)
    return DAY_MS if seconds * 1000 > DAY_MS or math.isinf(seconds) else int(seconds * 1000)


def date(text):
    try:
        return datetime.datetime.strptime(text or "", "%a, %d %b %Y %H:%M:%S GMT")
    except ValueError:
        return None


def grant_link(message):
    """The link in a message to the page where a scope is added."""
    for link in re.findall(r"https://[^\s\"'`<>()\[\]{}\x80-\U0010ffff]*", message):
        page = link.partition("?")[0]
        if "/app/" in page and page.endswith("/auth") or page.endswith("/scope-apply"):
            return link.rstrip(".,;")
    return None


def scopes_in(message, link):
    """The scopes that a message names, in its link or in brackets."""
    query = (link or "").partition("?")[2]
    named = next((pair.partition("=")[2] for pair in query.split("&") if pair.startswith(("q=", "scopes="))), None)
    listed = re.search(r"\[([^\]]*)\]", message)
    text = named if named is not None else listed[1] if listed else ""
    return [scope for scope in map(str.strip, text.split(",")) if re.fullmatch(r"[A-Za-z0-9:._-]{1,128}", scope)]


def written(reply):
    data = reply.data()
    found = plain(data, "updateRange")
    revision = data.get("revision")
    return {
        "spreadsheet_token": required(data, "spreadsheetToken"),
        "range": plain(data, "updatedRange") if found is None else found,
        "revision": revision if type(revision) is int else None,
    }


def image_key(reply):
    key = reply.data().get("image_key")
    if not isinstance(key, str) or not re.fullmatch(r"[!-~]{1,256}", key):
        raise Unreadable
    return {"image_key": key}


def sheets(reply):
    tabs = reply.data().get("sheets")
    if not isinstance(tabs, list):
        raise Unreadable
    shown = []
    for tab in sorted(tabs, key=lambda tab: tab["index"] if type(tab.get("index")) is int else 1 << 32):
        if not isinstance(tab.get("sheet_id"), str) or not is_id(tab["sheet_id"], 64):
            raise Unreadable
        grid = tab.get("grid_properties") or {}
        size = {"rows": grid.get("row_count"), "columns": grid.get("column_count")}
        kind = {"sheet": "sheet", "bitable": "base"}.get(tab.get("resource_type", "sheet"), "other")
        shown.append({
            "id": tab["sheet_id"], "title": plain(tab, "title") or "", "is_hidden": tab.get("hidden") is True,
            "kind": kind, "grid": size if all(type(count) is int for count in size.values()) else None,
        })
    return {"sheets": shown}


def cells(reply):
    value_range = reply.data().get("valueRange")
    rows = value_range.get("values") if isinstance(value_range, dict) else 0
    if rows is not None and not isinstance(rows, list):
        raise Unreadable
    shown = []
    for rows_below, row in enumerate(rows or []):
        if row is not None and not isinstance(row, list):
            raise Unreadable
        for columns_right, cell in enumerate(row or []):
            content = cell_content(cell)
            if content is not None:
                shown.append({"rows_below": rows_below, "columns_right": columns_right, **content})
    return {"cells": shown}


def cell_content(cell):
    """The content of a cell; `None` if it is empty."""
    if isinstance(cell, (dict, list)):
        segments = [it if isinstance(it, dict) else {} for it in (cell if isinstance(cell, list) else [cell])]
        found = [it for it in segments if it.get("type") == "embed-image"]
        if found:
            tokens = (it.get("fileToken") for it in found)
            tokens = [token for token in tokens if isinstance(token, str) and is_id(token, 128)]
            return {"kind": "image", "file_token": tokens[0] if tokens else None}
        kinds = {it.get("type", "text") for it in segments}
        if not kinds <= {"text", "url", "mention", "formula"} or not all(isinstance(it.get("text"), str) for it in segments):
            return {"kind": "other"}
        text = "".join(it["text"] for it in segments)
    else:
        text = "" if cell is None else cell if isinstance(cell, str) else json.dumps(cell)
    return {"kind": "text", "text": excerpt(text.encode(), TEXT)} if text else None


def added(reply):
    count = (reply.success().get("data") or {}).get("addCount")
    return {"count": count if type(count) is int else None}


def nothing(reply):
    reply.success()
    return {}


def wiki_node(reply):
    node = reply.data().get("node")
    return {
        "obj_token": masked(required(node, "obj_token")), "obj_type": masked(required(node, "obj_type")),
        "title": plain(node, "title"), "space_id": plain(node, "space_id"),
    }


def sent(reply):
    data = reply.data()

    def message_id(name):
        text = data.get(name)
        return text if isinstance(text, str) and re.fullmatch(r"om_[A-Za-z0-9_-]{1,125}", text) else None

    if message_id("message_id") is None:
        raise Unreadable
    time = plain(data, "create_time") or ""
    return {
        **{name: message_id(name) for name in ("message_id", "parent_id", "root_id")},
        "chat_id": plain(data, "chat_id") or None, "thread_id": plain(data, "thread_id") or None,
        "create_time_ms": int(time) if re.fullmatch(r"[0-9]+", time) else None,
    }


def grant(name):
    def read_grant(reply):
        envelope = reply.top_level()
        token, seconds = envelope.get(name), envelope.get("expire")
        if not isinstance(token, str) or not re.fullmatch(r"[!-~]{1,4096}", token):
            raise Unreadable
        seconds = seconds if type(seconds) in (int, float) else 0
        return {"token": token, "expires_in_ms": int(min(7200, max(0, seconds)) * 1000)}

    return read_grant


def download(reply):
    """A file: any body with a status of 2xx that is neither an envelope, nor compressed, nor a web page."""
    headers, body = reply.headers, reply.body
    if has_code(body):
        reply.success()
        raise Unreadable  # code 0 without a file
    content_type, disposition = headers.get("content-type", ""), headers.get("content-disposition")
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip(SPACE).lower()
    looks_like_page = content_type.lower().startswith("text/html") or text.startswith((b"<html", b"<!doctype html"))
    is_page = looks_like_page and disposition is None and images.sniff(body) is None
    is_compressed = headers.get("content-encoding", "identity") != "identity" and images.sniff(body) is None
    if not 200 <= reply.status < 300 or not body or is_compressed or is_page:
        raise Unreadable
    return {
        "bytes": shown_bytes(body), "content_type": excerpt(content_type.encode(), 128) or None,
        "file_name": file_name(disposition or ""),
    }


def has_code(body):
    """Whether the body is a JSON object with an integer `code`, possibly a damaged one."""
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip(SPACE)
    if not text.startswith(b"{"):
        return False
    try:
        envelope = json.loads(text.decode(errors="replace" if len(text) <= MEBIBYTE else "strict"))
    except ValueError:
        return False
    code = envelope.get("code")
    return type(code) is int and -(1 << 63) <= code < 1 << 63


def file_name(disposition):
    """The name in a `Content-Disposition`. The extended one counts."""
    found = {}
    for name, quoted, bare in re.findall(r'([\w*]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;"]*))', disposition):
        found.setdefault(name.lower(), re.sub(r"\\(.)", r"\1", quoted) if quoted else bare.strip())
    charset, _, extended = found.get("filename*", "").partition("'")
    if charset.lower() == "utf-8":
        decoded = percent_decoded(extended.partition("'")[2])
        if decoded is not None and images.storable_name(decoded):
            return images.storable_name(decoded)
    return images.storable_name(found.get("filename", ""))


READERS = {
    "write_sheet_image": written,
    "query_sheets": sheets,
    "read_cells": cells,
    "add_dimension": added,
    "update_dimension": nothing,
    "download_media": download,
    "get_wiki_node": wiki_node,
    "put_image": image_key,
    "create_image": image_key,
    "get_image": download,
    "send_image": sent,
    "reply_image": sent,
    "get_tenant_token": grant("tenant_access_token"),
    "get_app_token": grant("app_access_token"),
    "get_store_tenant_token": grant("tenant_access_token"),
    "resend_app_ticket": nothing,
    "raw": lambda reply: {"data": reply.success().get("data")},
}
