"""Files and other programs."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def program_fails(event, context):
    """
    event = {code = 4}
    error = "subprocess.CalledProcessError"
    locals = {command = "length 3"}
    """
    command = [sys.executable, "-c", f"print('half'); exit({event['code']})"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout  # fails here


def program_hangs(event, context):
    """
    event = {limit_s = 0.1}
    error = "subprocess.TimeoutExpired"
    locals = {limit_s = "0.1"}
    """
    limit_s = event["limit_s"]
    return subprocess.run(["sleep", "5"], timeout=limit_s).returncode  # fails here


def file_is_gone(event, context):
    """
    event = {name = "report.csv"}
    error = "FileNotFoundError"
    says = "report.csv"
    locals = {path = "report.csv"}
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / event["name"]
    return path.read_text()  # fails here


def may_not_write(event, context):
    """
    event = {name = "cache.bin"}
    error = ["PermissionError", "OSError"]
    locals = {path = "cache.bin"}
    """
    path = os.path.join(os.path.dirname(__file__), event["name"])
    with open(path, "wb") as file:  # fails here
        return file.write(b"x")


def too_many_files(event, context):
    """
    event = {wanted = 5000}
    error = "OSError"
    says = "Too many open files"
    locals = {wanted = "5000", handles = "length"}
    """
    wanted, handles = event["wanted"], []
    while len(handles) < wanted:
        handles.append(open("/dev/null"))  # fails here
