"""Code that comes as a zip: in the request, or from the S3 that the user names; unpacked within limits."""

from __future__ import annotations

import base64
import hashlib
import io
import secrets
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from relive_platform.api.aws.errors import AwsError
from relive_platform.api.aws.functions.catalog import Platform
from relive_platform.api.aws.service import Call
from relive_platform.registry.packages.content import PackageError, PackageLimits, remove_tree, unpack_zip

__all__ = ["Package", "download", "unpacked"]

_S3: Final = ("S3Bucket", "S3Key")
_ANY_RATIO: Final = 1_000_000  # Lambda has no limit of it: what counts is what is unpacked


@dataclass(frozen=True, slots=True)
class Package:
    """The bytes of a zip."""

    data: bytes

    @property
    def sha256(self) -> str:
        """As Lambda writes it."""
        return base64.b64encode(hashlib.sha256(self.data).digest()).decode()

    @property
    def hexadecimal(self) -> str:
        """The name that it is kept under."""
        return hashlib.sha256(self.data).hexdigest()


async def download(platform: Platform, call: Call, source: Mapping[str, Any], what: str) -> Package:
    """The zip that `source` (Code, Content, or a request itself) holds or points to. Raises AwsError."""
    data = source.get("ZipFile")
    if data is None and all(source.get(name) for name in _S3):
        version = str(source.get("S3ObjectVersion") or "")
        data = await platform.fetch(source["S3Bucket"], source["S3Key"], version, call.region)
    if data is None and source.get("ImageUri"):
        raise AwsError(
            "InvalidParameterValueException",
            "Relive runs no container images; give the code as a zip, in ZipFile or in S3",
        )
    if data is None:
        raise AwsError("InvalidParameterValueException", f"Please provide a source for {what}.")
    if len(data) > platform.zip_bytes:
        message = f"Request must be smaller than {platform.zip_bytes} bytes for the zip; it has {len(data)}"
        raise AwsError("RequestTooLargeException", message, 413)
    return Package(data)


def unpacked(platform: Platform, package: Package) -> Path:
    """A new folder with what the zip holds; whoever asks removes it. It blocks. Raises AwsError."""
    place = platform.home / "tmp" / secrets.token_hex(8)
    archive = place.with_suffix(".zip")
    archive.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not zipfile.is_zipfile(io.BytesIO(package.data)):
            raise _not_a_zip()
        archive.write_bytes(package.data)
        limits = PackageLimits(
            total_bytes=platform.unpacked_bytes, entry_bytes=platform.unpacked_bytes, ratio=_ANY_RATIO
        )
        unpack_zip(archive, place, limits)
        if not any(place.iterdir()):
            remove_tree(place)
            raise AwsError("InvalidParameterValueException", "Uploaded file must be a non-empty zip")
    except PackageError as error:
        remove_tree(place)
        message = error.message.replace(str(archive), "the zip")
        raise AwsError(
            "InvalidParameterValueException",
            f"Could not unzip uploaded file. Please check your file, then try to upload again. ({message})",
        ) from error
    finally:
        archive.unlink(missing_ok=True)
    return place


def _not_a_zip() -> AwsError:
    return AwsError(
        "InvalidParameterValueException",
        "Could not unzip uploaded file. Please check your file, then try to upload again.",
    )
