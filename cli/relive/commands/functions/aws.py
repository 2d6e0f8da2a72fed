"""`relive aws`: what AWS's clients need to talk to this server."""

from __future__ import annotations

import json
import shlex

import click
from relive_base.errors import UsageError

from relive.output import echo, emit_object, json_option
from relive.session import Session

__all__ = ["aws"]


@click.group()
def aws() -> None:
    """What boto3, the AWS CLI and other clients of AWS need to talk to this server.

    The server has to be started with --lambda-api HOST:PORT.
    """


@aws.command()
@click.option("--region", default="us-east-1", help="The region that clients name.  [default: us-east-1]")
@click.option("--process", is_flag=True, help="As AWS's credential_process wants it, for ~/.aws/config.")
@json_option
@click.pass_obj
def credentials(session: Session, region: str, process: bool, as_json: bool) -> None:
    """Print the key pair of this home, and where the API is, as lines for a shell.

    \b
    eval "$(relive aws credentials)"
    aws lambda list-functions

    Who has the pair may deploy and invoke: keep it like the server's token, from which it is made.
    """
    from relive_platform.api.aws.credentials import key_pair

    token = session.gateway_token()
    if not token:
        raise UsageError(
            "this home has no token yet", where=str(session.home), hint="start its server once: relive serve"
        )
    keys = key_pair(token)
    info = session.info()
    address = info.aws if info is not None else ""
    if process:
        document = {
            "Version": 1,
            "AccessKeyId": keys.access_key_id,
            "SecretAccessKey": keys.secret_access_key,
        }
        click.echo(json.dumps(document))
        return
    variables = {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": region,
        **({"AWS_ENDPOINT_URL": address} if address else {}),
    }
    if as_json:
        emit_object(dict(variables))
        return
    for name, value in variables.items():
        click.echo(f"export {name}={shlex.quote(value)}")
    if not address:
        echo(
            "note: no server of this home serves AWS's API: relive serve --lambda-api 127.0.0.1:8701",
            err=True,
        )
