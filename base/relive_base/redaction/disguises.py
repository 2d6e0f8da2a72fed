"""Other ways to write the same: escapes of JSON, addresses, forms and HTML, look-alikes of separators."""

from __future__ import annotations

import binascii
import re
from typing import Final

from relive_base.patterns import LazyPattern

__all__ = ["base64_bytes", "may_be_disguised", "undisguise", "without_plus"]

_rule = LazyPattern
_ESCAPES = _rule(r"\\{1,4}(?:u00|x)(?P<code>[2-7][0-9a-fA-F])")
_PERCENT = _rule(r"%(?:25)*[0-9A-Fa-f]{2}(?:%(?:25)*[0-9A-Fa-f]{2})*")  # its literal beginning makes it fast
_PERCENT_ONE = _rule(r"%(?:25)*(?P<code>[0-9A-Fa-f]{2})")
_ENTITIES: Final = {
    "&quot;": '"', "&#34;": '"', "&#39;": "'", "&#x27;": "'", "&apos;": "'", "&amp;": "&", "&#61;": "=",
    "&#x3d;": "=", "&equals;": "=", "&#58;": ":", "&#x3a;": ":", "&colon;": ":", "&lt;": "<", "&gt;": ">",
}  # fmt: skip
# Blanks, hyphens, colons, equals signs and quotes of other scripts, and full-width letters.
_ALIKE: Final[dict[int, str | None]] = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},
    **dict.fromkeys((0xA0, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000), " "),
    **dict.fromkeys((*range(0x2010, 0x2016), 0x2212, 0xFE58, 0xFE63), "-"),
    **dict.fromkeys((0x02D0, 0x0589, 0x2236, 0xA789, 0xFE55), ":"),
    **dict.fromkeys((0x2550, 0xA78A, 0xFE66), "="),
    **dict.fromkeys((0x201C, 0x201D, 0x201E, 0x2033), '"'),
    **dict.fromkeys((0x2018, 0x2019, 0x201A, 0x2032), "'"),
    **dict.fromkeys((0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF), None),
}
_ALIKE_ONE = _rule(f"[{''.join(map(chr, _ALIKE))}]")


_BASE64_LEAST: Final = 24  # of fewer characters nothing with a name comes out
_BASE64_MOST: Final = 1_048_576
_BASE64_BEGINNING: Final = 8  # a hash fails there, in a tenth of the time


def base64_bytes(text: str) -> bytes | None:
    """What a text that is base64 as a whole stands for, if that is text in its turn; else None."""
    if not _BASE64_LEAST <= len(text) <= _BASE64_MOST or len(text) % 4 or " " in text:
        return None
    try:
        if not binascii.a2b_base64(text[:_BASE64_BEGINNING]).isascii():
            return None
        raw = binascii.a2b_base64(text, strict_mode=True)
        raw.decode()
    except ValueError:
        return None
    return raw


def may_be_disguised(text: str) -> bool:
    """Whether `undisguise` or `without_plus` may change the text."""
    return "%" in text or "&" in text or "\\" in text or ("+" in text and "=" in text) or not text.isascii()


def without_plus(text: str) -> str:
    """`text` with blanks if a form or a query string has plus signs; the same object if there are
    none."""
    return text.replace("+", " ") if "+" in text and ("=" in text or "%" in text) else text


def undisguise(text: str) -> str:
    """`text` with escapes of JSON, URLs and HTML resolved, and look-alikes of separators replaced; the same
    object if there is nothing of the kind."""
    plain = text
    if "%" in plain:
        plain = _PERCENT.sub(_decoded_bytes, plain)
    if "\\" in plain and ("\\u00" in plain or "\\x" in plain):
        plain = _ESCAPES.sub(_decoded, plain)
    if "&" in plain and ";" in plain:
        for entity, char in _ENTITIES.items():
            plain = plain.replace(entity, char)
    if not plain.isascii() and _ALIKE_ONE.search(plain) is not None:
        plain = plain.translate(_ALIKE)
    return text if plain == text else plain


def _decoded(match: re.Match[str]) -> str:
    return chr(int(match["code"], 16))


def _decoded_bytes(match: re.Match[str]) -> str:
    """What a row of percent escapes stands for; it stays if that is no text."""
    raw = bytes(int(one["code"], 16) for one in _PERCENT_ONE.finditer(match.group()))
    try:
        plain = raw.decode("utf-8")
    except UnicodeDecodeError:
        plain = raw.decode("latin-1")
    is_text = all(char.isprintable() or char in "\t\r\n" for char in plain)
    return plain if is_text else match.group()
