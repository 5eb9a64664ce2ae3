"""Sites, proxies and paths, and requests that were stored as bytes."""

import base64
import ipaddress
import re

from .documents import percent_decoded
from .images import shown_bytes
from .refused import Refused, is_control

NAMED = {"lark": "https://open.larksuite.com", "feishu": "https://open.feishu.cn"}
VENDOR = re.compile(r"(.*\.)?(feishu\.cn|larksuite\.com|larkoffice\.com)")
INVALID_PATH = "/open-apis/-invalid-path-"
MAX_PATH = 15_000
WORD = r"[A-Za-z0-9!#$%&'*+.^_`|~-]+"


def host_and_port(authority):
    """The host in its normal form, and the port or `None`; `None` for anything else."""
    match = re.fullmatch(r"(\[[^\]]*\]|[^:@\[\]]*)(?::([0-9]+))?", authority)
    if match is None:
        return None
    host, port = match.groups()
    if port is not None and not 0 < int(port) < 65536:
        return None
    if host.startswith("["):
        try:
            return f"[{ipaddress.IPv6Address(host[1:-1])}]", port
        except ValueError:
            return None
    last = host.rpartition(".")[2]
    if re.fullmatch(r"[0-9]*|0[xX].*", last):
        try:
            return str(ipaddress.IPv4Address(host)), port
        except ValueError:
            return None
    labels = host.split(".")
    is_label = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
    return (host.lower(), port) if len(host) <= 253 and all(map(is_label.fullmatch, labels)) else None


class Site:
    def __init__(self, url):
        match = re.fullmatch(r'([A-Za-z]+)://([^/?#]+)(/[!-"$->@-~]*)?', url)
        parts = host_and_port(match[2]) if match and match[2].isascii() else None
        path = (match[3] or "" if match else "").rstrip("/")
        scheme = match[1].lower() if match else ""
        if parts is None or scheme not in ("http", "https"):
            raise Refused("bad_site", url)
        if path.endswith("/open-apis"):
            raise Refused("site_with_apis", url)
        is_plain = all(
            re.fullmatch(r"[A-Za-z0-9._~!$&'()*+,;=:@-]+", segment) and segment not in (".", "..")
            for segment in path.split("/")[1:]
        )
        if len(match[3] or "") - len(path) > 1 or len(path) > 1000 or not is_plain:
            raise Refused("bad_site", url)
        self.scheme, self.host, self.base_path = scheme, parts[0], path
        default = 443 if scheme == "https" else 80
        self.port = int(parts[1] or default)
        self.authority = self.host if self.port == default else f"{self.host}:{self.port}"
        self.origin = f"{scheme}://{self.authority}"
        self.url = self.origin + path

    def is_loopback(self):
        try:
            return ipaddress.ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return self.host == "localhost"

    def shown(self):
        return {"url": self.url, "host": self.host, "port": self.port, "base_path": self.base_path}


def custom_site(url):
    site = Site(url)
    if site.scheme != "https" and not site.is_loopback():
        raise Refused("insecure_site", site.url)
    return site


def site(text):
    found = custom_site(NAMED.get(text, text))
    if not VENDOR.fullmatch(found.host) and not found.is_loopback():
        raise Refused("foreign_site", found.url)
    return found


def without_credentials(url):
    """The part of a refused proxy that the error quotes: `***` for the credentials, and no port that is none, because
    without a host it is the password."""
    before, colon, rest = url.partition("://")
    scheme, rest = (before + colon, rest) if colon and not re.search("[:@]", before) else ("", url)
    _, at, authority = rest.rpartition("@")
    shown = scheme + ("***@" if at else "")
    address = re.match(r"\[[0-9A-Fa-f:.]+\]", authority)
    host = address[0] if address else ""
    name, colon, port = authority[len(host):].partition(":")
    if colon and not (re.fullmatch(r"\+?[0-9]+/*", port) and int(port.rstrip("/")) < 65536):
        return f"{shown}{host}{name}:…"
    return shown + authority


def proxy(url):
    scheme, colon, rest = url.partition("://")
    scheme, rest = (scheme.lower(), rest) if colon else ("http", url)
    refused = Refused("bad_proxy", without_credentials(url))
    if scheme not in ("http", "socks5", "socks5h"):
        raise refused
    user_info, at, authority = rest.removesuffix("/").rpartition("@")
    parts = host_and_port(authority)
    if parts is None:
        raise refused
    authorization = None
    if at:
        decoded = [percent_decoded(text) for text in user_info.partition(":")[::2]]
        if None in decoded or any(map(is_control, "".join(decoded))):
            raise refused
        # SOCKS5 takes a user and a password of 1 to 255 bytes. In HTTP the user ends at the first colon.
        is_long = not all(1 <= len(text.encode()) <= 255 for text in decoded)
        if ":" in decoded[0] if scheme == "http" else is_long:
            raise refused
        authorization = "Basic " + base64.b64encode(":".join(decoded).encode()).decode()
    kind, default = ("http", 80) if scheme == "http" else ("socks5", 1080)
    return {"kind": kind, "host": parts[0], "port": int(parts[1] or default), "authorization": authorization}


def escaped(text, kept):
    """The text with percent escapes, except for letters, digits, `-`, `_`, `~` and the characters to keep."""
    plain = re.compile(rf"[A-Za-z0-9_~{re.escape(kept)}-]")
    return "".join(
        chr(byte) if byte < 128 and plain.match(chr(byte)) else f"%{byte:02X}" for byte in text.encode()
    )


def dots_in(value):
    """The first part of a value that is a dot segment."""
    return next((part for part in re.split(r"[/\\]", value) if part in (".", "..")), None)


def path(route, filled, query):
    """The path and the query of a request."""
    route = escaped(route if route.startswith("/") else f"/{route}", "./:!$&'()*+,;=@")
    if len(route) > MAX_PATH:
        raise Refused("bad_path", "it is too long")
    segments = route.split("/")[1:]
    if "" in segments[:-1] or "." in segments or ".." in segments:
        raise Refused("bad_path", "its route has an empty segment, `.` or `..`")
    filled = list(filled)
    for at, name in enumerate(segments):
        if not name.startswith(":"):
            continue
        if not filled:
            raise Refused("bad_path", f"`{name}` has no value")
        value = filled.pop(0)
        if not value:
            raise Refused("bad_path", f"`{name}` is empty")
        dots = dots_in(value)
        if dots is not None:
            verb = "is" if dots == value else "has a part"
            raise Refused("bad_path", f"`{name}` {verb} `{dots}`")
        segments[at] = escaped(value, ".")
        if len("/" + "/".join(segments)) > MAX_PATH:
            raise Refused("bad_path", f"`{name}` is too long")
    if filled:
        raise Refused("bad_path", "it has more values than placeholders")
    pairs = "&".join(f"{escaped(name, '.')}={escaped(value, '.')}" for name, value in query)
    if len(pairs) + 1 > MAX_PATH:
        raise Refused("bad_path", "its query is too long")
    return "/" + "/".join(segments) + (f"?{pairs}" if query else "")


def stored_request(data, at):
    """A request that was stored as the bytes of HTTP/1.1, for the site `at`."""
    number, headers, rest = 0, {}, data
    while True:
        number += 1
        line, end, rest = rest.partition(b"\n")
        if not end:
            raise Refused("not_a_request", f"line {number} is the last, and no empty line ends the headers")
        line = line.removesuffix(b"\r").decode("latin-1")
        if number == 1:
            method, target = request_line(line, at)
        elif line:
            read_header(line, number, headers, at)
        else:
            break
    if "host" not in headers:
        raise Refused("not_a_request", "`Host` is missing")
    number, length = headers.get("content-length", (0, None))
    if length is None and rest:
        raise Refused("not_a_request", f"`Content-Length: {len(rest)}` is missing")
    if length not in (None, str(len(rest))):
        raise Refused("not_a_request", f"line {number}: the length of the body is {len(rest)}")
    return {"method": method, "url": at.origin + target, "body": shown_bytes(rest)}


def request_line(line, at):
    """The method and the target."""
    match = re.fullmatch(rf'({WORD}) (/[!-"$-~]*) HTTP/1\.1', line)
    if match is None:
        raise Refused("not_a_request", "line 1 is not `METHOD /path HTTP/1.1`")
    plain = match[2].partition("?")[0]
    if not plain.startswith(f"{at.base_path}/"):
        raise Refused("not_a_request", f"line 1: the path is not below the site's `{at.base_path}`")
    decoded = plain.lower().replace("%2e", ".").replace("%2f", "/").replace("%5c", "\\")
    if dots_in(decoded) is not None:
        raise Refused("not_a_request", "line 1: the path has a segment `.` or `..`")
    return match.groups()


def read_header(line, number, headers, at):
    """Adds the number of the line and the value to the headers."""
    match = re.fullmatch(rf"({WORD}):([\t -~\x80-\xff]*)", line)
    if match is None:
        raise Refused("not_a_request", f"line {number} is not `Name: value`")
    name, value = match[1].lower(), match[2].strip(" \t")
    if name == "transfer-encoding":
        raise Refused("not_a_request", f"line {number}: use `Content-Length`, not `Transfer-Encoding`")
    if name in ("host", "content-length") and name in headers:
        raise Refused("not_a_request", f"line {number} is a second `{match[1]}`")
    if name == "host":
        check_host(value, number, at)
    headers[name] = (number, value)


def check_host(value, number, at):
    """Refuses the host of another site."""
    try:
        named = [Site(f"{scheme}://{value}") for scheme in (at.scheme, "https") if "/" not in value]
    except Refused:
        named = []
    if not named:
        raise Refused("not_a_request", f"line {number} does not name a host")
    if named[0].authority != at.authority:
        raise Refused("foreign_request", named[1].url)
