"""Spreadsheets, pages of wikis, sheets, cells, and the places that users name."""

import base64
import binascii
import re
import urllib.parse

from .refused import Refused, excerpt, trimmed

ID = re.compile(r"[A-Za-z0-9_-]+")
LAST_COLUMN, LAST_ROW = 13_000, 5_000_000

# The letters in a token, the paths of links, and the name of each kind of document.
KINDS = [
    (("sht",), ("sheets", "sheet", "spreadsheets"), "sheet"),
    (("wik",), ("wiki",), "wiki"),
    (("doc", "dox"), ("docx", "docs", "doc"), "a document"),
    (("bas",), ("base", "bitable"), "a base"),
    (("fld", "nod"), ("drive/folder", "folder"), "a folder"),
    (("box",), ("file",), "a file"),
    (("bmn",), ("mindnotes", "mindnote"), "a mind note"),
    (("sld", "ppt"), ("slides",), "a presentation"),
]


def is_id(text, limit):
    return len(text) <= limit and ID.fullmatch(text) is not None


def checked_id(text, limit, kind):
    if not is_id(text, limit):
        raise Refused(kind, text)
    return text


def sheet_id(text):
    return checked_id(text, 64, "bad_sheet_id")


def any_spreadsheet(text):
    return checked_id(text, 128, "bad_spreadsheet_token")


def percent_decoded(text):
    """The decoded text; `None` for a wrong escape and for bytes that are not UTF-8."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        return None
    try:
        return urllib.parse.unquote_to_bytes(text).decode("utf-8")
    except UnicodeDecodeError:
        return None


def kind_of_token(token):
    first, spread = token[:5], token[4::5][:5]
    if token.startswith(("fake_office_", "local_office_")) or spread == "OFL0X":
        return "an Office file"
    for letters, _, kind in KINDS:
        if any(word[:3] in letters and word[3:] in ("cn", "us", "lg", "k4") for word in (spread, first)):
            return kind
    return None


def not_a_spreadsheet(token, kind):
    return Refused("not_a_spreadsheet", f"`{excerpt(token.encode(), 30)}` is {kind}")


class Address:
    """The parts of a link or a token: origin, kind (`sheet` or `wiki`), token, sheet, range."""

    def __init__(self, text):
        text = trimmed(text)
        if text.startswith("<") and text.endswith(">"):
            text = trimmed(text[1:-1])
        try:
            self.read(text)
        except Refused as refused:
            # A part of the link may be a part of its password.
            scheme, _, rest = text.partition("://")
            rest = text if re.search("[:/?#]", scheme) else rest or text
            has_password = ":" in rest.rpartition("@")[0]
            raise Refused(refused.kind, text) if has_password else refused

    def read(self, text):
        rest, _, fragment = text.partition("#")
        address, _, query = rest.partition("?")
        self.origin, self.kind, self.token = split(address) if "/" in address else ("", "sheet", address)
        self.sheet, found = None, None
        token, _, embedded = self.token.partition("_")
        if re.fullmatch(r"[A-Za-z0-9]{20,}", token) and embedded:
            self.token = token
        else:
            embedded = ""
        if self.kind == "wiki":
            checked_id(self.token, 128, "bad_wiki_token")
        else:
            any_spreadsheet(self.token)
            self.kind = kind_of_token(self.token) or "sheet"
            if self.kind not in ("sheet", "wiki"):
                raise not_a_spreadsheet(self.token, self.kind)
        if embedded:
            self.set_sheet(embedded)
        for pair in query.split("&") + fragment.split("&"):
            name, equals, value = pair.removeprefix("amp;").partition("=")
            if name.lower() in ("sheet", "sheetid", "sheet_id") and value:
                self.set_sheet_escaped(value)
            elif name == "range" and equals:
                found = read_range(value)
        anchors = [part for part in fragment.split("&") if part and "=" not in part]
        if self.sheet is None and anchors:
            self.set_sheet_escaped(anchors[0])
        found = found or ""
        name, mark, cell = re.match(r"([^!！]*)([!！]?)(.*)", found, re.DOTALL).groups()
        if mark:
            self.set_sheet(name.removesuffix("\\"))
            found = cell
        self.range = found

    def set_sheet_escaped(self, escaped):
        decoded = percent_decoded(escaped)
        if decoded is None:
            raise Refused("bad_sheet_id", escaped)
        self.set_sheet(decoded)

    def set_sheet(self, text):
        sheet = sheet_id(text)
        if self.sheet not in (None, sheet):
            raise Refused("several_sheets", f"`{self.sheet}` and `{sheet}`")
        self.sheet = sheet

    def spreadsheet(self):
        if self.kind == "wiki":
            raise Refused("wiki_node", self.token)
        return self.token


def split(address):
    shown = address.rpartition("@")[2]
    scheme, colon, rest = address.partition("://")
    scheme, rest = (scheme.lower(), rest) if colon else ("https", address)
    host, slash, path = rest.partition("/")
    if not slash:
        raise Refused("bad_spreadsheet_link", shown)
    origin = ""
    if not address.startswith("/"):
        if scheme not in ("https", "http") or not re.fullmatch(r"[A-Za-z0-9.:_\[\]-]*[A-Za-z0-9][A-Za-z0-9.:_\[\]-]*", host):
            raise Refused("bad_spreadsheet_link", shown)
        origin = f"{scheme}://{host.lower()}"
    path = path.removesuffix("/").removeprefix("space/")
    for _, paths, kind in KINDS:
        for start in paths:
            if path.startswith(f"{start}/"):
                if kind not in ("sheet", "wiki"):
                    raise not_a_spreadsheet(path, kind)
                token = path.removeprefix(f"{start}/")
                if "/" not in token:
                    return origin, kind, token
    raise Refused("bad_spreadsheet_link", shown)


def read_range(escaped):
    """The range, which is plain text or base64."""
    plain = percent_decoded(escaped)
    if plain is None:
        return None
    try:
        a1(plain)
        return plain
    except Refused:
        pass
    try:
        bare = plain.rstrip("=")
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        is_exact = base64.b64encode(data).decode().rstrip("=") == bare
        decoded = data.decode("utf-8")
        return decoded if is_exact and ":" in decoded else plain
    except (binascii.Error, ValueError):
        return plain


def spreadsheet_token(text):
    address = Address(text)
    token = address.spreadsheet()
    if address.sheet is not None:
        raise Refused("unexpected_sheet", token)
    return token


def spreadsheet_link(text):
    address = Address(text)
    token = address.spreadsheet()
    link, cell = f"{address.origin}/sheets/{token}", None
    if address.sheet is not None:
        link += f"?sheet={address.sheet}"
        try:
            cell = Cell.in_sheet(address.sheet, address.range).a1
            in_base64 = base64.b64encode(f"{cell}:{cell}".encode()).decode()
            link += f"&range={in_base64.replace('=', '%3D')}"
        except Refused:
            pass
    return {"link": link, "spreadsheet": token, "sheet": address.sheet, "cell": cell}


def wiki_token(text):
    try:
        address = Address(text)
        if address.kind == "wiki":
            return address.token
    except Refused:
        pass
    return checked_id(text, 128, "bad_wiki_token")


def wiki_node_spreadsheet(node):
    if node["obj_type"] != "sheet":
        raise Refused("wiki_page_of_another_kind", node["obj_type"])
    return any_spreadsheet(node["obj_token"])


def a1(text):
    """The column and the row of `H7`, `$H$7` or `H7:H7`."""
    start, colon, end = re.match(r"([^:：]*)([:：]?)(.*)", text, re.DOTALL).groups()
    start, end = (ascii_upper(corner) for corner in ((start, end) if colon else (text, text)))
    is_line = re.fullmatch(r"\$?([A-Z]+|[0-9]+)", end)
    if colon and start and end and (is_line or start.replace("$", "") != end.replace("$", "")):
        raise Refused("several_cells", text)
    for corner in (end, start):
        match = re.fullmatch(r"\$?([A-Z]+)\$?([0-9]+)", corner)
        if match is None:
            raise Refused("bad_cell", text)
        letters, digits = match.groups()
        if not digits.strip("0"):
            raise Refused("row_zero", text)
        if digits.startswith("0"):
            raise Refused("bad_cell", text)
        column = 0
        for letter in letters[:8]:
            column = column * 26 + ord(letter) - ord("A") + 1
        if len(digits) > 10 or column >= 1 << 32 or int(digits) >= 1 << 32:
            raise Refused("outside_sheet", text)
    return column, int(digits)


def ascii_upper(text):
    return "".join(char.upper() if char.isascii() else char for char in text)


class Cell:
    def __init__(self, sheet, column, row):
        if column == 0:
            raise Refused("column_zero", str(row))
        letters, rest = "", column
        while rest:
            rest, digit = divmod(rest - 1, 26)
            letters = chr(ord("A") + digit) + letters
        self.a1 = f"{letters}{row}"
        if row == 0:
            raise Refused("row_zero", self.a1)
        if column > LAST_COLUMN or row > LAST_ROW:
            raise Refused("outside_sheet", self.a1)
        self.sheet, self.column, self.row = sheet, column, row
        self.range = f"{sheet}!{self.a1}:{self.a1}"

    @classmethod
    def in_sheet(cls, sheet, text):
        return cls(sheet, *a1(text))

    @classmethod
    def of(cls, text):
        text = trimmed(text)
        sheet, mark, cell = re.match(r"([^!！]*)([!！]?)(.*)", text, re.DOTALL).groups()
        if not mark or sheet in ("", "\\"):
            raise Refused("missing_sheet_id", text)
        return cls.in_sheet(sheet_id(sheet.removesuffix("\\")), cell)

    def shown(self):
        return {"range": self.range, "sheet": self.sheet, "column": self.column, "row": self.row}


def place(inputs):
    """A place: what it needs next, or the spreadsheet and the cell. The node and the sheets are as a reply's result."""
    address = Address(inputs["document"])
    text = trimmed(inputs["cell"])
    title, mark, cell = re.match(r"(?:(.*)([!！]))?([^!！]*)$", text, re.DOTALL).groups()
    quoted = None
    if mark:
        title = title.removesuffix("\\")
        is_quoted = len(title) > 1 and title.startswith("'") and title.endswith("'")
        quoted = title[1:-1].replace("''", "'") if is_quoted else None
        if not title or quoted == "":
            raise Refused("missing_sheet_id", text)
    if not cell:
        if mark or not address.range:
            raise Refused("no_cell_named", inputs["cell"] if mark else inputs["document"])
        cell = address.range
    column, row = a1(cell)
    Cell("0", column, row)

    spreadsheet = address.token
    if address.kind == "wiki":
        if "node" not in inputs:
            target = f"/open-apis/wiki/v2/spaces/get_node?token={address.token}"
            return {"needs": "get_wiki_node", "target": target}
        spreadsheet = wiki_node_spreadsheet(inputs["node"])
    if "sheets" not in inputs:
        if not mark and address.sheet is not None and not inputs.get("beyond_grid"):
            return located(spreadsheet, Cell(address.sheet, column, row), None)
        target = f"/open-apis/sheets/v3/spreadsheets/{spreadsheet}/sheets/query"
        return {"needs": "query_sheets", "target": target}
    sheet = find_sheet(inputs["sheets"], address.sheet, title if mark else None, quoted)
    if sheet["kind"] == "base":
        raise Refused("no_cells", sheet["title"])
    found = Cell(sheet["id"], column, row)
    grid = sheet["grid"]
    if grid and not inputs.get("beyond_grid") and (row > grid["rows"] or column > grid["columns"]):
        size = f"(rows: {grid['rows']}, columns: {grid['columns']})"
        raise Refused("outside_grid", f"`{found.a1}` {size}")
    return located(spreadsheet, found, grid)


def find_sheet(sheets, sheet, name, quoted):
    """The sheet that is named by an id or a title, or the first visible one."""
    if name is None and sheet is None:
        visible = [it for it in sheets if not it["is_hidden"]]
        if not visible:
            raise Refused("no_visible_sheet")
        return visible[0]
    by_id = [it for it in sheets if it["id"] == (sheet if name is None else name)]
    if by_id and quoted is None:
        return by_id[0]
    if name is None:
        raise Refused("no_such_sheet", sheet)
    title = name if quoted is None else quoted
    by_title = [it for it in sheets if it["title"] == excerpt(title.encode(), 1024)]
    if not by_title:
        raise Refused("no_such_sheet", title)
    if len(by_title) > 1:
        shown = ", ".join(it["id"] for it in by_title[:5])
        more = f" and {len(by_title) - 5} more" if len(by_title) > 5 else ""
        raise Refused("equal_titles", shown + more)
    return by_title[0]


def located(spreadsheet, cell, grid):
    """The result of a place, with the requests that add the missing rows and columns, 5,000 at a time."""
    growth = []
    if grid:
        for dimension, needed, present in (
            ("rows", cell.row, grid["rows"]),
            ("columns", cell.column, grid["columns"]),
        ):
            missing = max(0, needed - present)
            growth += [{"dimension": dimension, "count": min(5000, missing - at)} for at in range(0, missing, 5000)]
    return {"needs": None, "spreadsheet": spreadsheet, "range": cell.range, "growth": growth}
