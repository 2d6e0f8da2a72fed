"""requests sessions and retries."""

import time

import requests


class GaveUp(Exception):
    """Every attempt failed."""


def service_is_down(event, context):
    """
    event = {order = 3}
    error = "requests.exceptions.ConnectionError"
    says = "Connection refused"
    locals = {session = "Session", url = "http://127.0.0.1"}
    secret = "s3cr3t-token-of-the-shop"
    """
    session = requests.Session()
    session.trust_env = False
    session.headers["Authorization"] = "Bearer s3cr3t-token-of-the-shop"
    url = f"http://127.0.0.1:1/orders/{event['order']}"
    return session.get(url, timeout=1).json()  # fails here


def no_scheme(event, context):
    """
    event = {host = "shop.example"}
    error = "requests.exceptions.MissingSchema"
    says = "No scheme supplied"
    locals = {path = "'shop.example/orders'"}
    """
    path = f"{event['host']}/orders"
    return requests.get(path, timeout=1).status_code  # fails here


def gives_up(event, context):
    """
    event = {attempts = 3}
    error = "GaveUp"
    says = "after 3 attempts"
    chain = ["GaveUp", "ConnectionError"]
    locals = {attempt = "3", failures = "length"}
    """
    failures = []
    for attempt in range(1, event["attempts"] + 1):
        try:
            return requests.get("http://127.0.0.1:1/", timeout=1).text
        except requests.ConnectionError as error:
            failures.append(str(attempt))
            last = error
            time.sleep(0.01 * attempt)
    raise GaveUp(f"after {attempt} attempts") from last  # fails here


def no_answer_in_json(event, context):
    """
    event = {content = "<html>busy</html>"}
    error = "requests.exceptions.JSONDecodeError"
    says = "Expecting value"
    locals = {response = "Response"}
    """
    response = requests.Response()
    response.status_code, response._content = 503, event["content"].encode()
    return response.json()  # fails here
