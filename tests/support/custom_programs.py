"""Programs that speak the Runtime API, as tests want them: well-behaved ones, and others."""

from __future__ import annotations

import os
import sys
from pathlib import Path

__all__ = ["LAB", "SHELL", "program"]

# A virtual environment's interpreter is none that workers may read.
LAB = f'''#!{os.path.realpath(sys.executable)} -uS
"""Does what its event says, by HTTP as it wants it."""
import http.client, json, os, signal, socket, sys, time

HOST = os.environ["AWS_LAMBDA_RUNTIME_API"]
BASE = "/2018-06-01/runtime"

def call(method, path, body=None, headers=None, connection=None):
    own = connection or http.client.HTTPConnection(HOST)
    own.request(method, BASE + path, body, headers or {{}})
    answer = own.getresponse()
    return answer.status, answer.read(), dict(answer.getheaders())

def raw(data, wait=True):
    host, port = HOST.split(":")
    with socket.create_connection((host, int(port))) as own:
        own.sendall(data)
        if not wait:
            return b""
        own.settimeout(20)
        parts = []
        while part := own.recv(65536):
            parts.append(part)
        return b"".join(parts)

print("loading", os.environ["_HANDLER"])
if os.environ.get("INIT") == "exit":
    sys.stderr.write("no such setting\\n")
    sys.exit(7)
if os.environ.get("INIT") == "hang":
    time.sleep(600)
if os.environ.get("INIT") == "error":
    call("POST", "/init/error", json.dumps({{"errorType": "Config.Missing", "errorMessage": "no table"}}))
    sys.exit(1)
keep = http.client.HTTPConnection(HOST)
while True:
    _, body, headers = call("GET", "/invocation/next", connection=keep)
    ident = headers["Lambda-Runtime-Aws-Request-Id"]
    event = json.loads(body)
    act = event.get("act", "echo") if isinstance(event, dict) else "echo"
    def respond(value, **more):
        return call("POST", f"/invocation/{{ident}}/response", json.dumps(value), **more)
    if act == "echo":
        print("got", json.dumps(event))
        respond({{"event": event, "headers": headers, "environment": dict(os.environ), "pid": os.getpid()}})
    elif act == "log":
        print("plain"); sys.stderr.write("aside\\n")
        print(json.dumps({{"level": "error", "message": "grave"}}))
        sys.stdout.write("no newline"); sys.stdout.flush()
        fd = int(os.environ["_LAMBDA_TELEMETRY_LOG_FD"])
        text = b"two\\nlines"
        micros = int(time.time() * 1e6).to_bytes(8, "big")
        os.write(fd, b"\\xa5\\x5a\\x00\\x13" + len(text).to_bytes(4, "big") + micros + text)
        respond("logged")
    elif act == "fail":
        payload = {{"errorType": "ValueError", "errorMessage": f"bad {{event.get('n')}}", "stackTrace": [
            f'  File "{{os.path.abspath(__file__)}}", line 3, in handler\\n    import http\\n']}}
        call("POST", f"/invocation/{{ident}}/error", json.dumps(payload))
    elif act == "nonsense error":
        odd = {{"Lambda-Runtime-Function-Error-Type": "Odd"}}
        call("POST", f"/invocation/{{ident}}/error", b"\\xff\\x00nonsense", odd)
    elif act == "exit":
        here = os.path.abspath(__file__)
        sys.stderr.write("Traceback (most recent call last):\\n")
        sys.stderr.write(f'  File "{{here}}", line 5, in main\\nKeyError: 1\\n')
        sys.stderr.flush()
        os._exit(event.get("status", 3))
    elif act == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif act == "kill host":
        os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)
    elif act == "stop host":
        os.kill(os.getppid(), signal.SIGSTOP); time.sleep(60)
    elif act == "connect":
        try:
            socket.create_connection((event["host"], event["port"]), 20).close()
            told = "connected"
        except OSError as error:
            told = error.strerror
        told = json.dumps({{"errorType": "Told", "errorMessage": told}})
        call("POST", f"/invocation/{{ident}}/error", told)
    elif act == "who":
        def tried(work):
            try:
                return str(work())
            except OSError as error:
                return error.strerror
        respond({{
            "uid": os.getuid(), "gid": os.getgid(), "pid": os.getpid(),
            "processes": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
            "read": tried(lambda: open(event["secret"]).read()),
            "write": tried(lambda: open(os.path.join(os.path.dirname(__file__), "x"), "w").close()),
            "kill": tried(lambda: os.kill(event["server"], 0)),
            "tmp": tried(lambda: open("/tmp/mine", "w").close()),
        }})
    elif act == "hang":
        time.sleep(600)
    elif act == "hang after":
        respond("answered"); time.sleep(600)
    elif act == "exit after":
        respond("answered"); os._exit(5)
    elif act == "children":
        if not os.fork():
            os.setsid(); time.sleep(600)
        os._exit(1)
    elif act == "wrong id":
        first = call("POST", "/invocation/no-such-id/response", b"1")
        respond({{"first": [first[0], json.loads(first[1])]}})
    elif act == "twice":
        respond({{"n": 1}})
        again = respond({{"n": 2}})
        print("again", again[0], json.loads(again[1])["errorType"])
    elif act == "next first":
        status, body, _ = call("GET", "/invocation/next")
        respond({{"status": status, "body": json.loads(body)}})
    elif act == "large":
        status, body, _ = call("POST", f"/invocation/{{ident}}/response", b"x" * event["size"])
        print("large", status)
    elif act == "text":
        call("POST", f"/invocation/{{ident}}/response", b"no JSON at all")
    elif act == "http":
        respond({{"statusCode": 201, "headers": {{"x-a": "b"}}, "body": event["rawPath"]}})
    elif act == "raw":
        told = [raw(bytes.fromhex(text)).partition(b"\\r\\n")[0].decode() for text in event["data"]]
        for text in event.get("left", ()):
            raw(bytes.fromhex(text), wait=False)
        respond(told)
    elif act == "close":
        keep.close()
        keep = http.client.HTTPConnection(HOST)
        _, body, headers = call("GET", "/invocation/next", connection=keep)
        respond({{"same": headers["Lambda-Runtime-Aws-Request-Id"] == ident}})
    elif act == "stream":
        own = http.client.HTTPConnection(HOST)
        own.putrequest("POST", f"{{BASE}}/invocation/{{ident}}/response")
        own.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
        own.putheader("Transfer-Encoding", "chunked")
        own.putheader("Content-Type", event.get("type", "text/plain"))
        own.endheaders()
        for text in event["parts"]:
            data = bytes.fromhex(text)
            own.send(b"%x\\r\\n%b\\r\\n" % (len(data), data))
        end = event.get("end", "good")
        if end == "good":
            own.send(b"0\\r\\n\\r\\n")
        elif end == "error":
            own.send(b"0\\r\\nLambda-Runtime-Function-Error-Type: Late\\r\\n")
            own.send(b"Lambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiAibWlkd2F5In0=\\r\\n\\r\\n")
        else:
            time.sleep(0.2)
            own.close()
            time.sleep(0.5)
            continue
        own.getresponse().read()
    elif act == "memory":
        held = []
        while True:
            held.append(bytearray(8 * 1024 * 1024))
            time.sleep(0.005)
    elif act == "neighbour":
        host = event["host"]
        try:
            other = http.client.HTTPConnection(host, timeout=20)
            other.request("GET", BASE + "/invocation/next")
            told = other.getresponse().status
        except OSError as error:
            told = type(error).__name__
        except http.client.HTTPException as error:
            told = type(error).__name__
        respond({{"told": told}})
'''

SHELL = r"""#!/bin/bash
# The Runtime API by bash alone: no program but the shell is needed.
host=${AWS_LAMBDA_RUNTIME_API%:*} port=${AWS_LAMBDA_RUNTIME_API#*:}
request() {  # method, path, body
    exec 3<>"/dev/tcp/$host/$port"
    printf '%s /2018-06-01/runtime%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n' "$1" "$2" >&3
    printf 'Content-Length: %s\r\n\r\n%s' "${#3}" "$3" >&3
    head=
    while IFS= read -r line <&3 && [ "$line" != $'\r' ]; do head+=$line$'\n'; done
    body=$(cat <&3)
    exec 3>&-
}
while :; do
    request GET /invocation/next ""
    id=$(printf '%s' "$head" | sed -n 's/^Lambda-Runtime-Aws-Request-Id: \([^\r]*\).*/\1/p')
    echo "shell got $body"
    case $body in
        *boom*) undefined_command; exit 3 ;;
        *) request POST "/invocation/$id/response" "{\"shell\": $body}" ;;
    esac
done
"""


def program(folder: Path, text: str = LAB, name: str = "bootstrap") -> Path:
    """A folder with an executable file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)
    return folder
