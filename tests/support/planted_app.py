"""The application that handles the planted secrets in every way, as text: it is deployed, never imported."""

from __future__ import annotations

import re

from planted_secrets import value_of

__all__ = ["FUNCTIONS", "planted_source"]

FUNCTIONS = (
    "fails",
    "holds",
    "groups",
    "hangs",
    "crashes",
    "badresult",
    "web",
    "queued",
    "calls",
    "threads",
    "prints",
)

_SOURCE = '''
import asyncio, collections, ctypes, dataclasses, functools, json, logging, os, signal, subprocess, sys
import threading, time, types, urllib.parse, urllib.request, warnings
from opentelemetry import trace

API_KEY = "@source literal@"
db_password: str = "@source annotation@"
# the old password=@source comment@ must be rotated
LONG = """
client_secret: "@source long literal@"
"""
TOKENS = {"passwords": ["none", "@source in a list@"]}
DSN = "host=db user=ada password=@source dsn@"
KEY = """@pem@"""

def connect(host="db", password="@source default@"):
    return host

def P(name):
    """What is planted under a name; the table of all is not kept."""
    return json.loads(os.environ["SECRET_PLANTS"])[name]

@dataclasses.dataclass
class Config:
    host: str
    secret: str

class Slots:
    __slots__ = ("token", "n")

class Client:
    def __init__(self, key):
        self.api_key = key
        self.session = {"n": 1}

Login = collections.namedtuple("Login", "user password")
local = threading.local()
tracer = trace.get_tracer("planted")

def closing(pin_code):
    def inner(n):
        return n + len(pin_code) * 0 + 1 // n
    return inner

def defaults(n, access_token=None):
    return 1 // n

def holds(event, context):
    """Locals of every kind."""
    token = P("secret local")
    password = P("bytes local").encode()
    settings = {"client_secret": P("dict local"), "n": 1, "token_count": 3}
    raw = {b"x-api-key": P("key of bytes").encode()}
    config = Config("db", P("dataclass field"))
    login = Login("ada", P("namedtuple field"))
    headers = [("x-api-key", P("pair in a list")), ("accept", "*/*")]
    command = ["mysql", "--password", P("option in a list")]
    client = Client(P("object attribute"))
    slots = Slots()
    slots.token, slots.n = P("slot"), 1
    nested = [[{"deep": ({"access_key": P("nested list")},)}]]
    proxy = types.MappingProxyType({"secret": P("mapping proxy")})
    bound = functools.partial(defaults, access_token=P("default argument"))
    session = P("weak session")
    kept = {"env": [{"name": "DB_PASSWORD", "value": P("kept environment")}]}
    note = f"connecting as {P('dsn')} now"
    forms = [P("aws"), P("google"), P("google oauth"), P("github"), P("github pat"), P("gitlab"), P("slack")]
    more = [P("slack hook"), P("stripe"), P("openai"), P("npm"), P("pypi"), P("hugging face"), P("azure")]
    auth = (P("bearer"), P("basic"), P("jwt"))
    card, cards = P("card"), [int(P("card in digits"))]
    pem, body = P("pem"), P("long pem").encode()
    url = P("url user")
    by_key = {P("as a key"): 1}
    cut = P("across the limit")
    form = urllib.parse.urlencode({"user": "ada", "password": P("form body")})
    fullwidth = "password\\uff1a" + P("fullwidth name")
    escaped = '{"pass\\\\u0077ord": "' + P("escaped name") + '"'
    percent = "next=%2Fa%3Ftoken%3D" + P("percent name")
    xml = "<login><password>" + P("xml") + "</password></login>"
    sql = "ALTER USER ada PASSWORD '" + P("sql") + "'"
    big_secret = P("big string") * 50_000
    local.password = P("thread local")
    return closing(P("closure variable"))(0)

def prints(event, context):
    print("password=" + P("printed"))
    print({"user": "ada", "password": P("printed repr")})
    print("api_key:", end=" ")
    print(P("printed later"))
    print(P("printed pem"))
    os.write(1, ("auth_token: " + P("past python") + "\\n").encode())
    subprocess.run(["echo", "--password", P("subprocess argument")], check=True)
    subprocess.run(["sh", "-c", "echo secret=" + P("subprocess output")], check=True)
    log = logging.getLogger("shop")
    log.warning("token=%s", P("logged argument"))
    log.warning("an order", extra={"secret": P("logged extra")})
    warnings.warn("the password: " + P("warning"))
    try:
        raise ValueError("password=" + P("logged exception"))
    except ValueError:
        log.exception("it failed")
    with tracer.start_as_current_span("GET /?token=" + P("span name")) as span:
        span.set_attribute("db.password", P("span attribute"))
        span.set_attribute("db.url", P("dsn"))
        span.add_event("paid", {"api_key": P("span event")})
        span.set_status(trace.StatusCode.ERROR, "token=" + P("span status"))
    links = [trace.Link(trace.get_current_span().get_span_context(), {"secret": P("link attribute")})]
    try:
        with tracer.start_as_current_span("linked", links=links):
            raise ValueError("secret=" + P("span exception"))
    except ValueError:
        pass

class Refused(Exception):
    def __init__(self, text, token):
        super().__init__(text)
        self.auth_token = token

def fails(event, context):
    prints(event, context)
    try:
        try:
            holds(event, context)
        except ZeroDivisionError as error:
            error.add_note("the password: " + P("exception note"))
            raise KeyError("secret=" + P("context message"))
    except KeyError as error:
        error.add_note("password: " + P("cause message"))
        raise Refused("refused, password=" + P("exception message"), P("exception attribute")) from error

def groups(event, context):
    inner = [ValueError("token=" + P("group member"), "api_key=" + P("exception argument"))]
    raise ExceptionGroup("all, password=" + P("cause message"), inner)

def hangs(event, context):
    api_token = P("hanging local")
    settings = {"password": P("hanging dict"), "url": P("dsn")}
    found = [P("github"), P("jwt"), P("pem")]
    print("password=" + P("crashing print"))
    signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
    return sum(range(10 ** 12))

def crashes(event, context):
    api_token = P("hanging local")
    print("password=" + P("crashing print"))
    ctypes.string_at(0)

def badresult(event, context):
    return {
        "token": P("bad result"), "when": object(), P("as a key"): 1, "user": "ada",
        "pairs": [["x-api-key", P("bad result argument")]], "text": "password=" + P("unserialisable"),
    }

def web(request):
    body = request.get_data()
    cookie = request.headers.get("cookie")
    query = request.args
    raise RuntimeError("the web")

def queued(event, context):
    raise RuntimeError("queued")

def calls(event, context):
    url = event["url"] + "?token=" + P("called url")
    headers = {"authorization": "Bearer " + P("called header"), "content-type": "application/json"}
    data = json.dumps({"password": P("called body"), "n": 1}).encode()
    request = urllib.request.Request(url, data, headers)
    with urllib.request.urlopen(request) as response:
        answer = json.load(response)
    raise RuntimeError("after the call")

def threads(event, context):
    def work(password):
        raise ValueError("secret=" + P("thread exception"))
    name = "worker token=" + P("thread local")
    thread = threading.Thread(target=work, args=(P("thread local"),), name=name)
    del name
    thread.start()
    thread.join()
    async def waits(api_key):
        await asyncio.sleep(60)
    async def main():
        task = asyncio.create_task(waits(P("task local")), name="secret=" + P("task local"))
        await asyncio.sleep(0.01)
        raise RuntimeError("beside a task")
    asyncio.run(main())
'''


def planted_source() -> str:
    """The module, with its own literals put in."""
    return re.sub(r"@([a-z ]+)@", lambda match: value_of(match[1]), _SOURCE)
