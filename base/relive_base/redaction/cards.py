"""Card numbers: digits in an issuer's range, of a length that goes with it, that pass the Luhn check."""

from __future__ import annotations

import re
from typing import Final

from relive_base.patterns import LazyPattern

__all__ = ["hide_cards", "is_card", "may_hold_card", "names_a_number"]

_CARD = LazyPattern(r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-])(?!\.\d)")
# Beginnings that issuers use, with the lengths that they go with: of other numbers, one in ten passes Luhn.
_ISSUED = LazyPattern(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2(?:2[2-9]|[3-6]\d|7[01])\d{13}|272[01]\d{12}|3[47]\d{13}",
    r"|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|6(?:011|4[4-9]\d|5\d\d|2\d\d)\d{12,15}|(?:50|5[6-8]|6[37])\d{10,17}",
)
# A cheap look before the pattern: digits become "0", blanks and hyphens vanish; 13 zeros may be a card.
_DIGITS: Final = bytes(48 if 48 <= code <= 57 else 120 for code in range(256))
_CARD_LENGTH: Final = b"0" * 13
_EAN: Final = 13  # digits of an EAN-13, a GTIN-13 and an ISBN-13


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words of a name that say that what goes under it is a number of another kind.
_OTHER_NUMBERS: Final = _words(
    """ean ean13 gtin gtin13 gtin14 isbn isbn13 issn upc sku barcode barcodes code codes article asin
    imei iccid sscc tracking parcel shipment deadline timestamp ts time at ns us ms nanos
    nanoseconds micros microseconds millis milliseconds seconds epoch clock offset bytes size hash
    checksum seed address addr fingerprint snowflake phone tel telephone mobile fax"""
)
_NAME_BEFORE: Final = LazyPattern(r"""([^\W\d][\w-]{0,60})["'\]\\]{0,4}\s{0,5}[=:#]?\s{0,5}["'\\]{0,4}\Z""")
_REACH: Final = 80
_WORDS: Final = LazyPattern(r"[a-z]+\d*")


def names_a_number(words: list[str]) -> bool:
    """Whether a name, given its words, says that it has a number that is no card's: a bar code, a time."""
    return any(word in _OTHER_NUMBERS for word in words)


def may_hold_card(raw: bytes) -> bool:
    """Whether there are as many digits in a row as a card has, blanks and hyphens aside."""
    return _CARD_LENGTH in raw.translate(_DIGITS, b" -")


def hide_cards(text: str, placeholder: str) -> str:
    """`text` with `placeholder` for each card number; one with the name of another kind of number before it
    stays."""

    def hidden(match: re.Match[str]) -> str:
        digits = match.group().replace(" ", "").replace("-", "")
        if not is_card(digits) or _is_named_otherwise(text, match.start()):
            return match.group()
        return placeholder

    return _CARD.sub(hidden, text)


def is_card(digits: str) -> bool:
    """Whether `digits` are a card's. Thirteen that are a bar code's (EAN-13) are not: cards of that length
    have not been issued for decades, and one in ten bar codes passes the cards' check."""
    return (
        _ISSUED.fullmatch(digits) is not None
        and _luhn(digits)
        and not (len(digits) == _EAN and _is_ean(digits))
    )


def _is_named_otherwise(text: str, start: int) -> bool:
    found = _NAME_BEFORE.search(text[max(0, start - _REACH) : start])
    if found is None:
        return False
    name = found[1]
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    return names_a_number([word.group() for word in _WORDS.finditer(split)])


def _is_ean(digits: str) -> bool:
    weighted = sum(int(char) * (3 if index % 2 else 1) for index, char in enumerate(digits))
    return weighted % 10 == 0


def _luhn(digits: str) -> bool:
    total = 0
    for position, char in enumerate(reversed(digits)):
        number = int(char)
        if position % 2:
            number = number * 2 - 9 if number > 4 else number * 2
        total += number
    return total % 10 == 0
