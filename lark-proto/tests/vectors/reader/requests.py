"""The requests: the bytes that each endpoint makes from its inputs, and the multipart forms."""

import base64
import json
import re

from . import documents, images, sites, texts
from .documents import Cell, is_id
from .fields import parsed, record
from .images import Image, bytes_of, shown_bytes
from .refused import Refused

JSON = "application/json; charset=utf-8"
MIB = 1024 * 1024
SHEETS_V2 = "/open-apis/sheets/v2/spreadsheets/:spreadsheetToken"

# Method, route, tokens, whether the request may be sent again, calls per second and per minute, bytes of a reply.
ENDPOINTS = {
    "write_sheet_image": ("POST", f"{SHEETS_V2}/values_image", "tenant user", "safe", 100, None, MIB),
    "query_sheets": (
        "GET", "/open-apis/sheets/v3/spreadsheets/:spreadsheet_token/sheets/query", "tenant user", "safe", None, 100,
        16 * MIB,
    ),
    "read_cells": ("GET", f"{SHEETS_V2}/values/:range", "tenant user", "safe", 100, None, 12 * MIB),
    "add_dimension": ("POST", f"{SHEETS_V2}/dimension_range", "tenant user", "unsafe", 100, None, MIB),
    "update_dimension": ("PUT", f"{SHEETS_V2}/dimension_range", "tenant user", "safe", 100, None, MIB),
    "download_media": (
        "GET", "/open-apis/drive/v1/medias/:file_token/download", "tenant user", "safe", 5, None, 20 * MIB,
    ),
    "get_wiki_node": ("GET", "/open-apis/wiki/v2/spaces/get_node", "tenant user", "safe", None, 100, MIB),
    "put_image": ("POST", "/open-apis/image/v4/put/", "tenant", "safe", None, None, MIB),
    "create_image": ("POST", "/open-apis/im/v1/images", "tenant user", "safe", 50, 1000, MIB),
    "get_image": ("GET", "/open-apis/im/v1/images/:image_key", "tenant", "safe", 50, 1000, 20 * MIB),
    "send_image": ("POST", "/open-apis/im/v1/messages", "tenant user", "safe_for", 50, 1000, MIB),
    "reply_image": ("POST", "/open-apis/im/v1/messages/:message_id/reply", "tenant user", "safe_for", 50, 1000, MIB),
    "get_tenant_token": ("POST", "/open-apis/auth/v3/tenant_access_token/internal", "", "safe", None, None, MIB),
    "get_app_token": ("POST", "/open-apis/auth/v3/app_access_token", "", "safe", None, None, MIB),
    "get_store_tenant_token": ("POST", "/open-apis/auth/v3/tenant_access_token", "", "safe", None, None, MIB),
    "resend_app_ticket": ("POST", "/open-apis/auth/v3/app_ticket/resend", "", "safe", None, None, MIB),
}
# Writes to one spreadsheet are sent one after another.
SERIAL = {"write_sheet_image", "add_dimension", "update_dimension"}
HOUR_MS = 60 * 60 * 1000


def facts(name):
    method, route, tokens, resend, per_second, per_minute, reply_limit = ENDPOINTS[name]
    return {
        "endpoint": name, "method": method, "route": route, "tokens": tokens.split(), "resend": resend,
        "resend_for_ms": HOUR_MS if resend == "safe_for" else None,
        "serial_by": "spreadsheet" if name in SERIAL else None,
        "calls_per_second": per_second, "calls_per_minute": per_minute, "reply_limit_bytes": reply_limit,
    }


class Parts:
    """A request without its site and its token."""

    def __init__(self, method, target, content_type=None, body=b"", headers=()):
        self.method, self.target, self.content_type, self.body = method, target, content_type, body
        self.headers = list(headers)


class Request:
    def __init__(self, parts, site, token):
        self.method, self.body = parts.method, parts.body
        self.target = site.base_path + parts.target
        self.url = site.origin + self.target
        self.headers = [("Host", site.authority)]
        if token is not None:
            self.headers.append(("Authorization", f"Bearer {token['text']}"))
        if parts.content_type is not None:
            self.headers.append(("Content-Type", parts.content_type))
        if parts.content_type is not None or parts.method not in ("GET", "HEAD", "OPTIONS", "TRACE", "DELETE"):
            self.headers.append(("Content-Length", str(len(parts.body))))
        self.headers += sorted(parts.headers, key=lambda header: header[0].lower())

    def http1(self):
        lines = [f"{self.method} {self.target} HTTP/1.1", *(f"{name}: {value}" for name, value in self.headers)]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    def shown(self):
        return {
            "method": self.method, "url": self.url, "headers": [f"{name}: {value}" for name, value in self.headers],
            "body": shown_bytes(self.body), "http1": shown_bytes(self.http1()),
        }


def make(name, inputs, site, token):
    accepted = facts(name)["tokens"] if name in ENDPOINTS else ["tenant", "user"]
    if (token["kind"] not in accepted) if token else bool(accepted):
        raise ValueError(f"{name} does not accept {token}")
    return Request(parts(name, inputs), sites.custom_site(site), token)


def parts(name, inputs):
    if name == "raw":
        return raw(inputs)
    for field, rule in RULES.items():
        if field in inputs:
            rule({"text": inputs[field]})
    method, route = ENDPOINTS[name][:2]
    path_values, query, payload = MAKERS[name](inputs)
    content_type, body = payload or (None, b"")
    return Parts(method, sites.path(route, path_values, query), content_type, body)


def raw(inputs):
    target = sites.path(inputs["route"], inputs["values"], inputs["query"])
    reserved = ("host", "authorization", "content-type", "content-length", "transfer-encoding")
    headers = [tuple(header.split(": ", 1)) for header in inputs["headers"]]
    headers = [(in_title_case(name), value) for name, value in headers if name.lower() not in reserved]
    text = inputs.get("json_text")
    content_type, body = (None, b"") if text is None else (JSON, text.encode())
    return Parts(inputs["method"], target, content_type, body, headers)


def in_title_case(name):
    return "-".join(part[:1].upper() + part[1:] for part in name.lower().split("-"))


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def json_body(value):
    return JSON, compact(value).encode()


def encoded(image, encoding):
    """The JSON of an image in the body of a write."""
    if encoding == "base64":
        return f'"{base64.b64encode(image).decode()}"'
    return "[" + ",".join(map(str, image)) + "]"


def upload(inputs):
    image = Image(inputs["image"]).at_most(images.UPLOAD_MAX)
    found = Form([
        {"name": "image_type", "text": inputs["image_type"]},
        {"name": "image", "file_name": images.default_name(image), "content_type": image.media_type},
    ], [None, image.content])
    if "boundary" in inputs:
        found.use_boundary(inputs["boundary"])
    return [], [], (found.content_type(), found.body())


def write_sheet_image(inputs):
    spreadsheet, cell = documents.spreadsheet_token(inputs["spreadsheet"]), Cell.of(inputs["cell"])
    image = Image(inputs["image"])
    image.at_most(images.CELL_MAX if image.max_bytes is None else image.max_bytes)
    if image.format == "ico":
        raise Refused("format_not_accepted", "ICO")
    name = images.default_name(image)
    if "name" in inputs:
        name = images.file_name(inputs["name"], image)
    if "lossy_name" in inputs:
        name = images.lossy_file_name(inputs["lossy_name"], image)
    in_json = encoded(image.content, inputs.get("encoding", "numbers"))
    body = f'{{"range":{compact(cell.range)},"image":{in_json},"name":{compact(name)}}}'
    return [spreadsheet], [], (JSON, body.encode())


def read_cells(inputs):
    spreadsheet = documents.spreadsheet_token(inputs["spreadsheet"])
    if "cell" in inputs:
        return [spreadsheet, Cell.of(inputs["cell"]).range], [], None
    one, other = Cell.of(inputs["from"]), Cell.of(inputs["to"])
    if one.sheet != other.sheet:
        raise Refused("corners_of_two_sheets", f"`{one.range}` and `{other.range}`")
    first, last = (
        Cell(one.sheet, pick(one.column, other.column), pick(one.row, other.row)).a1 for pick in (min, max)
    )
    return [spreadsheet, f"{one.sheet}!{first}:{last}"], [], None


def dimension_of(inputs):
    spreadsheet, sheet = documents.spreadsheet_token(inputs["spreadsheet"]), documents.sheet_id(inputs["sheet"])
    return spreadsheet, {"sheetId": sheet, "majorDimension": inputs["dimension"].upper()}


def add_dimension(inputs):
    spreadsheet, dimension = dimension_of(inputs)
    if not 1 <= inputs["count"] <= 5000:
        raise Refused("bad_dimension_count", f"{inputs['count']} {inputs['dimension']}")
    return [spreadsheet], [], json_body({"dimension": {**dimension, "length": inputs["count"]}})


def update_dimension(inputs):
    spreadsheet, dimension = dimension_of(inputs)
    first, last = inputs["first"], inputs["last"]
    range_in_words = f"{inputs['dimension']} {first} to {last}"
    largest = documents.LAST_ROW if inputs["dimension"] == "rows" else documents.LAST_COLUMN
    for is_wrong, reason in (
        (first == 0, "they are counted from 1"),
        (last < first, "the end precedes the start"),
        (last > largest, "the end is beyond the largest sheet"),
        (last - first >= 5000, "one request changes at most 5,000"),
    ):
        if is_wrong:
            raise Refused("bad_dimension_range", f"{range_in_words}: {reason}")
    if inputs["pixels"] == 0:
        raise Refused("zero_pixels", range_in_words)
    body = {
        "dimension": {**dimension, "startIndex": first, "endIndex": last},
        "dimensionProperties": {"fixedSize": inputs["pixels"]},
    }
    return [spreadsheet], [], json_body(body)


def download_media(inputs):
    if "extra" not in inputs:
        return [inputs["file_token"]], [], None
    extra = inputs["extra"]
    try:
        is_object = record(parsed(extra.encode())) is not None
    except ValueError:
        is_object = False
    if not is_object or len(extra.encode()) > 4096:
        raise Refused("bad_extra", extra)
    return [inputs["file_token"]], [("extra", extra)], None


def message(inputs, before, after):
    content = compact({"image_key": inputs["image_key"]})
    return json_body({**before, "msg_type": "image", "content": content, **after, "uuid": inputs["uuid"]})


def send_image(inputs):
    to = texts.receiver(inputs["receiver"])
    return [], [("receive_id_type", to["id_type"])], message(inputs, {"receive_id": to["id"]}, {})


def reply_image(inputs):
    thread = {"reply_in_thread": True} if inputs.get("in_thread") else {}
    return [inputs["message_id"]], [], message(inputs, {}, thread)


def fields(*names):
    """A request whose body is an object of these inputs."""
    return lambda inputs: ([], [], json_body({name: inputs[name] for name in names}))


# The rules of the inputs that are sent as they are.
RULES = {
    "message_id": texts.message_id,
    "image_key": texts.image_key,
    "uuid": texts.message_uuid,
    "file_token": lambda inputs: texts.checked(is_id(inputs["text"], 128), "bad_file_token", inputs["text"]),
    "app_id": texts.visible(128, "bad_app_id"),
    "app_secret": texts.secret(256, "bad_app_secret"),
    "app_ticket": texts.secret(1024, "bad_app_ticket"),
    "app_access_token": texts.token,
    "tenant_key": texts.visible(128, "bad_tenant_key"),
}

MAKERS = {
    "write_sheet_image": write_sheet_image,
    "query_sheets": lambda inputs: ([documents.spreadsheet_token(inputs["spreadsheet"])], [], None),
    "read_cells": read_cells,
    "add_dimension": add_dimension,
    "update_dimension": update_dimension,
    "download_media": download_media,
    "get_wiki_node": lambda inputs: ([], [("token", documents.wiki_token(inputs["wiki_token"]))], None),
    "put_image": upload,
    "create_image": upload,
    "get_image": lambda inputs: ([inputs["image_key"]], [], None),
    "send_image": send_image,
    "reply_image": reply_image,
    "get_tenant_token": fields("app_id", "app_secret"),
    "get_app_token": fields("app_id", "app_secret", "app_ticket"),
    "get_store_tenant_token": fields("app_access_token", "tenant_key"),
    "resend_app_ticket": fields("app_id", "app_secret"),
}


class Form:
    """A multipart form. Its boundary is the first of a sequence that occurs in no part."""

    def __init__(self, parts, contents):
        self.parts = [(self.head(part), content) for part, content in zip(parts, contents)]
        number = 0
        while self.occurs(f"lark_{number:064x}"):
            number += 1
        self.boundary = f"lark_{number:064x}"

    @staticmethod
    def head(part):
        """The headers of a part, the empty line and, in a text field, the text."""
        def quoted(text):
            return re.sub(r'[\0-\x1f\x7f-\x9f"\\]', "_", text)

        head = f'Content-Disposition: form-data; name="{quoted(part["name"])}"'
        if "text" in part:
            return f"{head}\r\n\r\n{part['text']}".encode()
        word = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"
        content_type = part["content_type"]
        if not re.fullmatch(rf"{word}/{word} *(;[ -~]*)?", content_type):
            content_type = "application/octet-stream"
        file_name = quoted(part["file_name"] or "file")
        return f'{head}; filename="{file_name}"\r\nContent-Type: {content_type}\r\n\r\n'.encode()

    def occurs(self, boundary):
        delimiter = f"--{boundary}".encode()
        return any(delimiter in head or delimiter in (content or b"") for head, content in self.parts)

    def use_boundary(self, boundary):
        texts.boundary(boundary)
        if self.occurs(boundary):
            raise Refused("boundary_in_part", boundary)
        self.boundary = boundary

    def content_type(self):
        is_token = re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", self.boundary)
        shown = self.boundary if is_token else f'"{self.boundary}"'
        return f"multipart/form-data; boundary={shown}"

    def body(self):
        delimiter = f"--{self.boundary}".encode()
        pieces = [b"".join([delimiter, b"\r\n", head, content or b"", b"\r\n"]) for head, content in self.parts]
        # Without a part, the delimiter that closes the form is the first line.
        return b"".join(pieces) + delimiter + b"--\r\n"

    def shown(self):
        return {"boundary": self.boundary, "content_type": self.content_type(), "body": shown_bytes(self.body())}


def form(parts):
    return Form(parts, [bytes_of(part["content"]) if "content" in part else None for part in parts])
