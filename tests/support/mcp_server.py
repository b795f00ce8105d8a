"""A small MCP server on standard input and output: python -I mcp_server.py [WORD]...

It answers each line, a call of a tool with a text. Words let it misbehave.
"""

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

FILES = ("read", "wipe", "ping", "secret")


def write(message: dict[str, Any]) -> None:
    """Write a message to the client."""
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def result_of(message: dict[str, Any]) -> dict[str, Any]:
    """Return the result of a request."""
    if message["method"] == "tools/list":
        return {"tools": [{"name": name} for name in (FILES if "files" in sys.argv else ("yes", "no"))]}
    if message["method"] != "tools/call":
        return {"pid": os.getpid()}
    return result_of_call(message["params"]["arguments"])


def result_of_call(arguments: dict[str, Any]) -> dict[str, Any]:
    """Do what a call says, and return its result."""
    if "exit" in arguments:
        sys.exit(arguments["exit"])
    if "kill" in arguments:
        os.kill(os.getpid(), arguments["kill"])
    return {"content": [{"type": "text", "text": arguments.get("text", "") + "x" * arguments.get("size", 0)}]}


def ignore_signals() -> None:
    """Go on, whatever signal comes."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def start_helper() -> None:
    """Start a process that holds the output."""
    helper = subprocess.Popen([sys.executable, "-I", "-c", "import time; time.sleep(600)"])
    write({"helper": helper.pid})


def close_input() -> None:
    """Read nothing more."""
    os.close(0)
    write({"closed": 0})
    time.sleep(600)


def close_output() -> None:
    """Write nothing more."""
    os.close(1)
    time.sleep(600)


HABITS = {
    "stubborn": ignore_signals,
    "helper": start_helper,
    "unread": close_input,
    "mute": close_output,
    "deaf": lambda: time.sleep(600),
}


def main(words: list[str]) -> None:
    """Serve until the input ends."""
    sys.stderr.write("the server has started\n")
    sys.stderr.flush()
    for word in words:
        HABITS.get(word, lambda: None)()
    for line in sys.stdin.buffer:
        message = json.loads(line)
        is_left_out = message.get("params", {}).get("arguments", {}).get("wait")
        if "id" in message and not is_left_out:
            write({"result": result_of(message), "jsonrpc": "2.0", "id": message["id"]})
    if "lingering" in words:
        time.sleep(600)


main(sys.argv[1:])
