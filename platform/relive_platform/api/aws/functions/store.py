"""Code that lies in S3: fetched from the endpoint that the user names."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from relive_platform.api.aws.errors import AwsError

__all__ = ["S3"]


class S3:
    """`endpoints`: of services, by their names. Who reads is who the server's environment says, by AWS's own
    variables; without them anybody."""

    def __init__(self, endpoints: Mapping[str, str], limit_bytes: int, timeout_s: float = 30.0) -> None:
        self._url = endpoints.get("s3") or endpoints.get("*", "")
        self._limit_bytes = limit_bytes
        self._timeout_s = timeout_s

    async def __call__(self, bucket: str, key: str, version: str, region: str, /) -> bytes:
        """An object's content. Raises AwsError."""
        if not self._url:
            raise AwsError(
                "InvalidParameterValueException",
                "Relive has no S3: name an endpoint, as in RELIVE_AWS_ENDPOINTS=s3=http://127.0.0.1:9000,"
                " or give the code as ZipFile",
            )
        return await asyncio.to_thread(self._read, bucket, key, version, region)

    def _read(self, bucket: str, key: str, version: str, region: str) -> bytes:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            asked: dict[str, Any] = {"Bucket": bucket, "Key": key}
            if version:
                asked["VersionId"] = version
            found = self._client(region).get_object(**asked)
            body = found["Body"].read(self._limit_bytes + 1)
        except ClientError as error:
            told = error.response.get("Error", {})
            raise AwsError(
                "InvalidParameterValueException",
                "Error occurred while GetObject."
                f" S3 Error Code: {told.get('Code')}. S3 Error Message: {told.get('Message')}",
            ) from error
        except (BotoCoreError, OSError) as error:
            raise AwsError(
                "InvalidParameterValueException", f"Error occurred while GetObject at {self._url}: {error}"
            ) from error
        if len(body) > self._limit_bytes:
            raise AwsError("RequestTooLargeException", f"the object is over {self._limit_bytes} bytes", 413)
        return bytes(body)

    def _client(self, region: str) -> Any:
        import botocore.session
        from botocore import UNSIGNED
        from botocore.config import Config

        # Only these: without any, botocore would look for a cloud's own service for seconds.
        key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
        config = Config(
            signature_version=None if key and secret else UNSIGNED,
            connect_timeout=self._timeout_s,
            read_timeout=self._timeout_s,
            retries={"max_attempts": 1},
            s3={"addressing_style": "path"},
        )
        return botocore.session.get_session().create_client(
            "s3",
            endpoint_url=self._url,
            region_name=region,
            config=config,
            aws_access_key_id=key or "none",
            aws_secret_access_key=secret or "none",
        )
