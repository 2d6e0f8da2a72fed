"""Where scenes go: a folder, a bucket of S3, or the inbox of another Relive."""

from __future__ import annotations

import http.client
import os
import ssl
import urllib.parse
from typing import Any, Final

from relive_capture.explore.scene import write_archive

from relive_outside.helper.packing import Packed
from relive_outside.record.handed import Handed

__all__ = ["INBOX", "Undelivered", "deliver"]

INBOX: Final = "/_relive/scenes/"
_TIMEOUT_S: Final = 10.0
_ANSWER_BYTES: Final = 2_000
_CREATED: Final = (200, 201, 202, 204)
_CONTENT_TYPE: Final = "application/vnd.relive.scene"


class Undelivered(Exception):
    """A scene could not be brought to where it should go."""


def deliver(packed: Packed, handed: Handed) -> None:
    """Raises Undelivered."""
    to = handed.to
    if to.startswith("s3://"):
        _to_bucket(packed, to)
    elif to.startswith(("http://", "https://")):
        _to_server(packed, to, handed.token)
    elif "://" in to:
        raise Undelivered(f"{to[:100]} is no place for scenes: name a folder, s3://, http:// or https://")
    else:
        _to_folder(packed, handed)


def _to_folder(packed: Packed, handed: Handed) -> None:
    from pathlib import Path

    folder = Path(os.path.abspath(os.path.expanduser(handed.to)))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sizes = [entry.stat().st_size for entry in os.scandir(folder) if entry.name.endswith(".scene")]
        if len(sizes) >= handed.folder_scenes or sum(sizes) + len(packed.data) > handed.folder_bytes:
            raise Undelivered(
                f"{folder} has {len(sizes)} scenes of {sum(sizes):,} bytes, which is its limit:"
                f" bring them in (relive scene import {folder}), or remove some"
            )
        write_archive(folder / packed.name, packed.data)
    except OSError as error:
        raise Undelivered(f"{folder}: {error.strerror or error}") from error


def _to_bucket(packed: Packed, to: str) -> None:
    bucket, _, prefix = to.removeprefix("s3://").partition("/")
    if not bucket:
        raise Undelivered("s3:// names no bucket")
    key = f"{prefix.rstrip('/')}/{packed.name}".lstrip("/")
    try:
        import boto3
    except ImportError as error:
        raise Undelivered("scenes go to S3 by boto3, which is not installed where the code runs") from error
    try:
        client: Any = boto3.client("s3")
        client.put_object(Bucket=bucket, Key=key, Body=packed.data, ContentType=_CONTENT_TYPE)
    except Exception as error:  # botocore's errors are made as it goes
        raise Undelivered(f"s3://{bucket}/{key}: {type(error).__name__}: {error}") from error


def _to_server(packed: Packed, to: str, token: str) -> None:
    parts = urllib.parse.urlsplit(to)
    if parts.username or parts.password:
        raise Undelivered("no password stands in an address: the token is RELIVE_TOKEN")
    host, port = parts.hostname or "", parts.port
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(host, port, timeout=_TIMEOUT_S, context=context)
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    headers = {"Content-Type": _CONTENT_TYPE}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    path = parts.path.rstrip("/") + INBOX + packed.name
    try:
        connection.request("POST", path, body=packed.data, headers=headers)
        response = connection.getresponse()
        text = response.read(_ANSWER_BYTES).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        raise Undelivered(f"{parts.scheme}://{parts.netloc}: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if response.status not in _CREATED:
        raise Undelivered(f"{parts.scheme}://{parts.netloc} answered {response.status}: {text[:300]}")
