"""Charsets: people's text to bytes and back, where nothing on the wire says which charset it is.

In: bytes in pieces, however cut. Out: text, and the name of the charset to answer in.

    Charset("auto")           one conversation
      decode(data) -> text    a character cut between two pieces waits for its rest
      encode(text) -> bytes   in the charset of the peer's own text
    decode_text, encode_text  the same for a single datagram

"auto" takes bytes that are valid UTF-8 for UTF-8, else valid GB18030 for GB18030, else UTF-8 with U+FFFD for what is
neither. ASCII is the same in both and decides nothing. What is decided stays, until a piece comes that cannot be the
one and can be the other.

A few characters of GBK may be valid UTF-8 of two bytes each: 谢谢 is also лл, 时 is ʱ, and 茅 is é. Before anything is
decided, such bytes are GBK where as UTF-8 nobody would write them: letters of no living alphabet, or Cyrillic without a
vowel. The others are UTF-8, and the next longer text corrects it.

GBK, GB2312 and code page 936 are read and written as GB18030, which contains them. Every charset here keeps ASCII where
it is and has no line feed inside a character, so that lines can be told apart before they are decoded; that excludes
UTF-16, UTF-32, EBCDIC and the charsets that shift by escapes.
"""

import codecs
import re
from functools import lru_cache
from typing import Final, NamedTuple

from portico.errors import UsageError, excerpt

AUTO: Final = "auto"
UTF_8: Final = "utf-8"
GB18030: Final = "gb18030"

# By the names of Python's codecs, which know some 300 aliases for them. Those of one byte a character may contain 0xff.
_WIDE = (UTF_8, GB18030, "big5", "big5hkscs", "cp950", "shift-jis", "cp932", "euc-jp", "euc-kr", "cp949")
_NARROW = (
    "ascii",
    *(f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))),
    *(f"cp{page}" for page in (437, 720, 737, 775, 850, 852, 855, *range(857, 859), 862, 866, 869, 874)),
    *(f"cp{page}" for page in range(1250, 1259)),
    *("koi8-r", "koi8-u", "mac-roman", "mac-cyrillic", "tis-620"),
)
_IN_FORCE = {name: name for name in (AUTO, *_WIDE, *_NARROW)}
_IN_FORCE |= {"gbk": GB18030, "gb2312": GB18030, "utf-8-sig": UTF_8}
# What people write and Python does not know.
_OWN_ALIASES = {"utf8mb4": UTF_8, "utf": UTF_8, "gb": GB18030, "cp54936": GB18030, "x-gbk": GB18030}

# Codecs of Python's that are no charset of anybody's text: parts of host names, which take time that grows with the
# square of their length, program text, and what browsers gave up because it hides markup (Encoding Standard, 4.2).
_NO_CHARSETS = frozenset(("idna", "punycode", "undefined", "unicode-escape", "raw-unicode-escape", "utf-7"))

_OTHER = {UTF_8: GB18030, GB18030: UTF_8}
_MOST_NAME_CHARS = 40
_BYTE_ORDER_MARK = "\ufeff"
_UNREADABLE = "\ufffd"

# Common characters of GB2312 (rows 34 to 55, the first third of each), which are UTF-8 too.
_AMBIGUOUS = re.compile(rb"(?:[\0-\x7f]|[\xc2-\xd7][\xa1-\xbf])*")
# Of what UTF-8 writes in two bytes: neither Latin, Greek, Cyrillic, Hebrew nor a sign of Latin-1.
_FOREIGN = re.compile("[\u0180-\u036f\u0460-\u058f]")
_CYRILLIC = re.compile("[\u0400-\u045f]")
_VOWEL = re.compile("[аеёиоуыэюяєіїў]", re.IGNORECASE)


class Decoded(NamedTuple):
    """A text, and the charset it was in: one that `encode_text` takes."""

    text: str
    charset: str


@lru_cache(64)
def find_charset(name: str) -> str:
    """Return the charset that a person means by a name: `GBK` is gb18030, `utf8` is utf-8.

    name: any of Python's names and aliases for a charset, in any case; "auto" and "" are auto.
    Raises UsageError for what is no charset, or one that cannot be told apart into lines.
    """
    wanted = name.strip().lower()
    if wanted in ("", AUTO):
        return AUTO
    found = _OWN_ALIASES.get(wanted) or _python_name(wanted)
    if found in _IN_FORCE:
        return _IN_FORCE[found]
    if found:
        raise UsageError(f"{excerpt(name)} is not a charset for lines of text; use {UTF_8}, {GB18030} or {AUTO}")
    from difflib import get_close_matches

    near = get_close_matches(wanted, (*_IN_FORCE, *_OWN_ALIASES), 1)
    hint = f"did you mean {near[0]}?" if near else f"use {UTF_8}, {GB18030} or {AUTO}"
    raise UsageError(f"{excerpt(name)} is not the name of a charset; {hint}")


def _python_name(wanted: str) -> str:
    """Return what Python calls a codec, "" where it has none."""
    # Python takes a name for a module's: what is no name at all must not get there.
    if len(wanted) > _MOST_NAME_CHARS or not wanted.replace("-", "").replace("_", "").replace(" ", "").isalnum():
        return ""
    try:
        return codecs.lookup(wanted).name.replace("_", "-") if wanted.isascii() else ""
    except LookupError:
        return ""


@lru_cache(64)
def find_codec(name: str) -> str:
    """Return what Python calls the charset that a peer names for a whole text, which may be any; "" for none.

    name: as in Content-Type, hostile perhaps. What is returned decodes any bytes with "replace"; but the incremental
    decoders of utf-16 and utf-32 ask for a byte order mark.
    """
    try:
        codec = codecs.lookup(name) if name.isascii() and 0 < len(name) <= _MOST_NAME_CHARS else None
    except (LookupError, ValueError):
        return ""
    if codec is None or not codec._is_text_encoding or codec.name.replace("_", "-") in _NO_CHARSETS:
        return ""
    return codec.name


class Charset:
    """The charset of one conversation.

    name: the charset in force, never "auto": UTF-8 until the peer's text decides.
    """

    def __init__(self, name: str = AUTO) -> None:
        """Begin a conversation. name: see `find_charset`, which also says what is raised."""
        found = find_charset(name)
        self.name = UTF_8 if found == AUTO else found
        self._is_auto = found == AUTO
        self._is_decided = False
        self._has_begun = False
        self._held = b""

    @property
    def is_amid(self) -> bool:
        """Whether the last character is still incomplete, so that more must follow."""
        return bool(self._held)

    @property
    def has_byte_ff(self) -> bool:
        """Whether the byte 0xff may be part of a text; it never is in UTF-8 and GB18030."""
        return self.name in _NARROW

    def decode(self, data: bytes, *, final: bool = False) -> str:
        """Decode the next piece.

        data: any bytes; may be empty. final: a message ends here, so an incomplete character is not waited for.
        Returns the text so far complete, U+FFFD for what cannot be read. A byte order mark is dropped where the
        conversation begins.
        """
        data = self._held + data
        if data.isascii():
            text = data.decode("ascii")
        elif self._is_auto:
            text = self._decide(data, final)
        else:
            text, self._held = _lenient(self.name, data, final)
        if text and not self._has_begun:
            self._has_begun = True
            return text.removeprefix(_BYTE_ORDER_MARK)
        return text

    def encode(self, text: str) -> bytes:
        """Encode an answer; characters that the charset in force lacks become a question mark."""
        return text.encode(self.name, "replace")

    def _decide(self, data: bytes, final: bool) -> str:
        for name in (self.name, _OTHER[self.name]):
            text, held = _strict(name, data)
            if text is None or (not self._is_decided and ((final and held) or _is_doubtful(name, data, text))):
                continue
            if not text.isascii():
                self.name = name
                self._is_decided = True
            # Where the charset is known, a message that was cut inside a character is no proof against it.
            self._held = b"" if final else held
            return text + _UNREADABLE if final and held else text
        text, self._held = _lenient(self.name, data, final)
        return text


def _strict(name: str, data: bytes) -> tuple[str | None, bytes]:
    """Return the text, and the bytes of a last character that is incomplete; None where this is not that charset."""
    decoder = codecs.getincrementaldecoder(name)("strict")
    try:
        return decoder.decode(data), decoder.getstate()[0]
    except UnicodeDecodeError:
        return None, b""


def _is_doubtful(name: str, data: bytes, text: str) -> bool:
    """Say whether bytes that are valid UTF-8 are rather GBK."""
    if name != UTF_8 or not _AMBIGUOUS.fullmatch(data):
        return False
    return bool(_FOREIGN.search(text) or (_CYRILLIC.search(text) and not _VOWEL.search(text)))


def _lenient(name: str, data: bytes, final: bool) -> tuple[str, bytes]:
    decoder = codecs.getincrementaldecoder(name)("replace")
    return decoder.decode(data, final), b"" if final else decoder.getstate()[0]


def decode_text(data: bytes, encoding: str = AUTO) -> Decoded:
    """Decode a text that stands alone, as that of a datagram.

    data: any bytes. encoding: see `find_charset`, which also says what is raised.
    Returns the text, with U+FFFD for what cannot be read, and the charset to answer in.
    """
    charset = Charset(encoding)
    return Decoded(charset.decode(data, final=True), charset.name)


def encode_text(text: str, charset: str) -> bytes:
    """Encode a text; characters that the charset lacks become a question mark, "auto" means UTF-8.

    charset: see `find_charset`, which also says what is raised.
    """
    return Charset(charset).encode(text)
