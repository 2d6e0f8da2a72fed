"""Receipt handles: they name one delivery of one message, and nobody can make one up."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct
from typing import Final

from relive_platform.resources.queue.model import BadReceipt, Held

__all__ = ["Receipts"]

_FORM: Final = struct.Struct(">QQQ")  # queue, message, delivery
_SEAL_BYTES: Final = 16
_CHARS: Final = 4 * -(-(_FORM.size + _SEAL_BYTES) // 3)


class Receipts:
    """Made with a key that the queues' file keeps: they stay valid over restarts."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def make(self, queue_id: int, seq: int, token: int) -> str:
        """The receipt handle of one delivery."""
        plain = _FORM.pack(queue_id, seq, token)
        return base64.urlsafe_b64encode(plain + self._seal(plain)).decode()

    def read(self, receipt: str, queue_id: int) -> Held:
        """What it names. Raises BadReceipt: it is none of this queue's."""
        try:
            if len(receipt) != _CHARS:
                raise ValueError
            data = base64.b64decode(receipt.encode("ascii"), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise BadReceipt from None
        plain, seal = data[: _FORM.size], data[_FORM.size :]
        found_queue, seq, token = _FORM.unpack(plain)
        if not hmac.compare_digest(seal, self._seal(plain)) or found_queue != queue_id:
            raise BadReceipt
        return Held(seq, token)

    def _seal(self, plain: bytes) -> bytes:
        return hashlib.blake2b(plain, key=self._key, digest_size=_SEAL_BYTES).digest()
