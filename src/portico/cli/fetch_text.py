"""The bytes of a body as text for a terminal: is it text at all, in which charset, decoded piece by piece.

In: Content-Type and the first bytes. Out: text, or the decision that these bytes are none. Servers say too little or
something wrong, so the order is that of browsers: a byte order mark, what the server says, what the page says, and
where nobody says anything UTF-8 if it is that, else GB18030 (WHATWG Encoding, with GB18030 for its subsets).
"""

import codecs
import re
from typing import Final

from portico.http.fields import parse_parameters
from portico.http.media_types import kind
from portico.wire.charset import find_codec

_MARKS: Final = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_META: Final = re.compile(rb"<meta[^>]{0,200}?charset\s{0,5}=\s{0,5}[\"']?([A-Za-z0-9_:.\-]{1,40})", re.IGNORECASE)
_XML: Final = re.compile(rb"<\?xml[^>]{0,100}?encoding=[\"']([A-Za-z0-9_:.\-]{1,40})")
_DECLARED_WITHIN: Final = 1024
# Who declares one of the first often sends characters that only the second has.
# UTF-16 and UTF-32 come without their mark here, of which the head says whether it is there (Encoding Standard 4.2).
_WIDER: Final = {
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "iso8859-1": "cp1252",
    "ascii": "utf-8",
    "utf-16": "utf-16-le",
    "utf-32": "utf-32-le",
}
# Of a text none of these bytes is part; BEL, BS and ESC are, in what a program wrote for a terminal.
_NOT_TEXT: Final = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")


def is_text(content_type: str, head: bytes) -> bool:
    """Say whether a body can be shown. head: its first bytes, some kilobytes of them.

    What the server says counts only against showing it: a picture called text/plain is still a picture.
    """
    if any(head.startswith(mark) for mark, _ in _MARKS):
        return True
    if kind(content_type) in ("image", "video", "audio", "font", "archive") and not _is_xml(content_type):
        return False
    charset = _known(parse_parameters(content_type)[1].get("charset", ""))
    return charset.startswith("utf-16") or _NOT_TEXT.search(head) is None


def _is_xml(content_type: str) -> bool:
    return content_type.partition(";")[0].strip().lower().endswith("+xml")


def charset_of(content_type: str, head: bytes) -> str:
    """Return the name of the codec for a body. head: its first bytes, some kilobytes of them."""
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    declared = [parse_parameters(content_type)[1].get("charset", "")]
    for pattern in (_META, _XML):
        if match := pattern.search(head[:_DECLARED_WITHIN]):
            declared.append(match[1].decode("ascii"))
    return next(filter(None, map(_known, declared)), "") or _guess(head)


def _known(name: str) -> str:
    """Return the codec for a charset's name, "" for none."""
    codec = find_codec(name)
    return _WIDER.get(codec, codec)


def _guess(head: bytes) -> str:
    for name in ("utf-8", "gb18030"):
        try:
            # The head may end within a character.
            codecs.getincrementaldecoder(name)().decode(head)
        except UnicodeDecodeError:
            continue
        return name
    return "utf-8"


def text_decoder(charset: str) -> codecs.IncrementalDecoder:
    """Make what decodes a body in pieces; bytes that are no characters become U+FFFD."""
    return codecs.getincrementaldecoder(charset)("replace")
