"""Images: their formats, their limits, and the names of their files."""

import base64

from .refused import JOINERS, WHITE, Refused, boundary, is_control, is_selector, misleads

MIB = 1024 * 1024
UPLOAD_MAX, CELL_MAX = 10 * MIB, 20 * MIB
EXTENSIONS = {
    "png": "png", "jpeg": "jpg", "gif": "gif", "bmp": "bmp", "tiff": "tiff", "bpg": "bpg", "webp": "webp",
    "heic": "heic", "ico": "ico",
}
MEDIA_TYPES = {format: f"image/{format}" for format in EXTENSIONS} | {"ico": "image/x-icon"}
# The extensions that are kept, and further ones that are replaced by the usual one of their format.
KEPT = {extension: format for format, extension in EXTENSIONS.items()} | {"jpeg": "jpeg", "jfif": "jpeg", "exif": "jpeg"}
REPLACED = {"tif", "heif", "jpe", "dib"}
HEVC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
AVIF = {b"avif", b"avis"}
FORMATS = {
    "message": {"jpeg", "png", "webp", "gif", "bmp", "ico", "tiff", "heic"},
    "cell": {"png", "jpeg", "gif", "bmp", "tiff", "bpg", "webp", "heic"},
}
FORMATS["avatar"] = FORMATS["message"]


def bytes_of(value):
    return value["text"].encode() if "text" in value else base64.b64decode(value["base64"], validate=True)


def shown_bytes(data):
    try:
        return {"text": data.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(data).decode()}


class Image:
    def __init__(self, fields):
        self.content = bytes_of(fields)
        self.content += bytes(max(0, fields.get("padded_to_bytes", 0) - len(self.content)))
        self.max_bytes = fields.get("max_bytes")
        if not self.content:
            raise Refused("empty_image")
        self.format = sniff(self.content)
        extension = fields.get("extension")
        if extension is None and self.format is None:
            raise unknown_format(self.content)
        if extension is not None and not (extension.isascii() and extension.isalnum() and len(extension) <= 16):
            raise Refused("bad_extension", extension)
        self.extension = EXTENSIONS[self.format] if self.format else extension.lower()
        self.media_type = MEDIA_TYPES.get(self.format, "application/octet-stream")

    def at_most(self, limit):
        if len(self.content) > limit:
            raise Refused("image_too_large", f"{mebibytes(limit)} at most, this has {mebibytes(len(self.content))}")
        return self

    def shown(self):
        return {"format": self.format, "extension": self.extension, "byte_count": len(self.content)}


def mebibytes(count):
    """A size in an error text, rounded up to tenths."""
    if count < MIB:
        return f"{count} bytes"
    tenths = -(-count * 10 // MIB)
    return f"{tenths // 10}.{tenths % 10} MiB".replace(".0 ", " ")


def sniff(content):
    """The format of a file, by its first bytes."""
    if content[:8] == b"\x89PNG\r\n\x1a\n":
        return "png"
    if content[:3] == b"\xff\xd8\xff":
        return "jpeg"
    if content[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    header = int.from_bytes(content[14:18], "little") if len(content) >= 18 else 0
    if content[:2] == b"BM" and header in (12, 16, 40, 52, 56, 64, 108, 124):
        return "bmp"
    if content[:4] in (b"II*\0", b"MM\0*"):
        return "tiff"
    if content[:4] == b"BPG\xfb":
        return "bpg"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "webp"
    if has_brand(content, HEVC):
        return "heic"
    if len(content) >= 6 and content[:4] == b"\0\0\1\0" and content[4:6] != b"\0\0":
        return "ico"
    return None


def has_brand(content, wanted):
    """Whether a file has a `ftyp` box with one of these brands."""
    if content[4:8] != b"ftyp":
        return False
    brands = content[8:max(8, int.from_bytes(content[:4], "big"))]
    if brands[:4] in (b"mif1", b"msf1"):
        return any(brands[at:at + 4] in wanted for at in range(8, len(brands), 4))
    return brands[:4] in wanted


def unknown_format(content):
    text = content[:1024].removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\f")
    if text.startswith(b"<svg") or text.startswith(b"<?xml") and b"<svg" in text:
        return Refused("format_not_accepted", "SVG")
    if has_brand(content, AVIF):
        return Refused("format_not_accepted", "AVIF")
    escapes = {9: "\\t", 10: "\\n", 13: "\\r", 34: '\\"', 39: "\\'", 92: "\\\\"}
    shown = (escapes.get(byte, chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}") for byte in content[:16])
    return Refused("unknown_image_format", "".join(shown))


def check(image, rules):
    """Refuses an image that an endpoint would not take: its format, its size, its resolution."""
    if image.format is None:
        raise unknown_format(image.content)
    name = "JPEG" if image.format == "jpeg" else image.extension.upper()
    if image.format not in FORMATS[rules]:
        raise Refused("format_not_accepted", name)
    if rules == "cell":
        image.at_most(CELL_MAX if image.max_bytes is None else image.max_bytes)
        return
    image.at_most(UPLOAD_MAX)
    most = 2000 if image.format == "gif" else {"message": 12_000, "avatar": 4096}[rules]
    width, height = resolution(image)
    if width == 0 or height == 0:
        raise Refused("unreadable_resolution", name)
    if width > most or height > most:
        raise Refused("too_many_pixels", f"{most} x {most} at most, this {name} has {width} x {height}")


def resolution(image):
    """The width and the height of a GIF or a PNG; 0 if the header is cut."""
    if image.format == "gif":
        return tuple(int.from_bytes(image.content[at:at + 2], "little") for at in (6, 8))
    if image.format == "png":
        return tuple(int.from_bytes(image.content[at:at + 4], "big") for at in (16, 20))
    raise NotImplementedError(f"the resolution of a {image.format}")


def split(name, image):
    """The stem of a name, and an extension for the image."""
    stem, dot, extension = name.rpartition(".")
    if not dot:
        return name, image.extension
    lower = extension.lower()
    if lower == image.extension or image.format is not None and KEPT.get(lower) == image.format:
        return stem, extension
    if lower in KEPT or lower in REPLACED or not extension:
        return stem, image.extension
    return name, image.extension


def is_blank(stem):
    return all(char in "." + WHITE + JOINERS or is_selector(char) for char in stem)


def file_name(name, image):
    """A name with the extension of the image, or a refusal."""
    for char in name:
        if char in "/\\":
            raise Refused("bad_file_name_character", f"`{char}`")
        if is_control(char) or misleads(char):
            kind = "a control character" if is_control(char) else "an invisible or formatting character"
            raise Refused("bad_file_name_character", f"U+{ord(char):04X} ({kind})")
    stem, extension = split(name.strip(WHITE), image)
    if is_blank(stem):
        raise Refused("empty_file_name", name)
    if stem[0] in JOINERS or is_selector(stem[0]):
        raise Refused("bad_file_name_character", f"U+{ord(stem[0]):04X} at its start")
    if stem[-1] in JOINERS:
        raise Refused("bad_file_name_character", f"U+{ord(stem[-1]):04X} before its extension")
    whole = f"{stem}.{extension}"
    if len(whole.encode()) > 255:
        raise Refused("long_file_name", str(len(whole.encode())))
    return whole


def last_part(text):
    """The last part of a path, without the characters that a name cannot have."""
    parts = [part for part in text.replace("\\", "/").split("/") if part.strip(WHITE)]
    spaced = ("  " if is_control(char) or char in "\u2028\u2029" else char for char in (parts or [""])[-1])
    return "".join(char[0] for char in spaced if not misleads(char[0]))


def is_device(stem):
    name = stem.partition(".")[0].rstrip(WHITE).upper()
    return name in ("CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$") or (
        len(name) == 4 and name[:3] in ("COM", "LPT") and name[3] in "123456789¹²³"
    )


def without_start(text, removed):
    """The text without these characters and variation selectors at its start."""
    while text and (text[0] in removed or is_selector(text[0])):
        text = text[1:]
    return text


def cut(stem, limit):
    """At most `limit` bytes, cut neither before a variation selector nor beside U+200D."""
    end = len(stem.encode()[:boundary(stem.encode(), limit)].decode())
    while 0 < end < len(stem) and ("\u200d" in stem[end - 1:end + 1] or is_selector(stem[end])):
        end -= 1
    return stem[:end]


def lossy_file_name(text, image):
    """A name from any text."""
    stem, extension = split(last_part(text).strip(WHITE), image)
    stem = cut(without_start(stem, WHITE + JOINERS), 255 - 1 - len(extension)).rstrip(JOINERS)
    return default_name(image) if is_blank(stem) or is_device(stem) else f"{stem}.{extension}"


def storable_name(text):
    """A name under which a file can be stored, from a name that a server sends; `None` if nothing is left."""
    name = "".join("_" if char in ':*?"<>|' else char for char in last_part(text))
    edge = "." + WHITE + JOINERS
    name = without_start(name, edge).rstrip(edge)
    if len(name.encode()) > 255:
        stem, dot, extension = name.rpartition(".")
        end = dot + extension if dot and len(extension.encode()) <= 16 else ""
        name = cut(name.removesuffix(end), 255 - len(end.encode())).rstrip(edge)
        return None if not name or is_device(name) else name + end
    return None if not name or is_device(name) else name


def default_name(image):
    return f"image.{image.extension}"
