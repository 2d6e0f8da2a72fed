"""Decimal128, the decimal numbers of MongoDB, as text and back: IEEE 754-2008, with a binary coefficient."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

__all__ = ["decimal_bytes", "decimal_text"]

_BIAS: Final = 6_176
_LARGEST: Final = 10**34 - 1
_EXPONENTS: Final = 0x3FFF
_SIGN: Final = 1 << 127
_SPECIAL: Final = {0x78: "Infinity", 0x7C: "NaN", 0x7E: "sNaN"}
_RAW: Final = "0x"
"""Before the bytes of a number that could be written in another way, in the place of its text."""


def decimal_text(data: bytes) -> str:
    """16 bytes, as Python's decimal writes the number."""
    found = _text(int.from_bytes(data, "little"))
    return found if decimal_bytes(found) == data else _RAW + data.hex()


def _text(bits: int) -> str:
    sign = 1 if bits & _SIGN else 0
    head = bits >> 120 & 0x7E
    if head in _SPECIAL or head & 0x7C == 0x78:
        return ("-" if sign else "") + _SPECIAL[head if head in _SPECIAL else 0x78]
    if head & 0x60 == 0x60:  # such a coefficient is over the largest: it counts as 0
        exponent, coefficient = bits >> 111 & _EXPONENTS, 0
    else:
        exponent, coefficient = bits >> 113 & _EXPONENTS, bits & (1 << 113) - 1
    if coefficient > _LARGEST:
        coefficient = 0
    return str(Decimal((sign, tuple(map(int, str(coefficient))), exponent - _BIAS)))


def decimal_bytes(text: str) -> bytes:
    """The same back. Raises ValueError for what `decimal_text` never gives."""
    if text.startswith(_RAW):
        return bytes.fromhex(text[2:])
    try:
        sign, digits, exponent = Decimal(text).as_tuple()
    except ArithmeticError:
        raise ValueError(f"not a number: {text[:50]}") from None
    bits = _SIGN if sign else 0
    if isinstance(exponent, str):
        names = {"F": 0x78, "n": 0x7C, "N": 0x7E}
        return (bits | names[exponent] << 120).to_bytes(16, "little")
    coefficient = int("".join(map(str, digits)) or "0")
    if coefficient > _LARGEST or not 0 <= exponent + _BIAS <= _EXPONENTS:
        raise ValueError(f"not a Decimal128: {text[:50]}")
    return (bits | exponent + _BIAS << 113 | coefficient).to_bytes(16, "little")
