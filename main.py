import logging

log = logging.getLogger(__name__)


def handler(event, context):
    name = event["name"]
    log.info("greeting %s", name)
    return {"greeting": f"Hello, {name}"}
