"""The hook of an agent: asks `cortex-policy hook serve`, and denies whatever goes wrong.

python -I hook_client.py SOCKET KEY_FILE

`_socket` and `_signal` are what `socket` and `signal` are made of, without `enum`, which takes longer than an answer.
"""

import hmac
import os
import sys
from _signal import ITIMER_REAL, SIGALRM, setitimer, signal  # type: ignore[import-not-found, unused-ignore]
from _socket import AF_UNIX, SOCK_STREAM, socket

SECONDS = 10  # more than the deadline of the server, less than the time-out of the agent
NOT_ANSWERED = b"denied: the resident hook gave no valid answer; try again later, once\n"


def deny(*_: object) -> None:
    """End as a hook that denies does; its output is not JSON, so that the exit code and the text count."""
    try:
        os.write(2, NOT_ANSWERED)
    finally:
        os._exit(2)


def ask(path: str, key: bytes, payload: bytes) -> bytes:
    """Send a payload, and return the answer if it was signed with the key."""
    nonce = os.urandom(16).hex().encode()
    signature = hmac.digest(key, b"request\n" + nonce + b"\n" + payload, "sha256").hex().encode()
    head = (b"POST /process HTTP/1.1", b"Content-Length: %d" % len(payload),
            b"Cortex-Policy-Nonce: " + nonce, b"Cortex-Policy-Signature: " + signature)  # fmt: skip
    server = socket(AF_UNIX, SOCK_STREAM)
    server.connect(path)
    server.sendall(b"\r\n".join((*head, b"", b"")) + payload)
    answer = b""
    while part := server.recv(65536):
        answer += part
    lines, _, body = answer.partition(b"\r\n\r\n")
    expected = hmac.digest(key, b"answer\n" + signature + b"\n" + body, "sha256").hex().encode()
    if b"cortex-policy-signature: " + expected not in lines.split(b"\r\n"):
        raise ValueError
    return body


try:
    signal(SIGALRM, deny)
    setitimer(ITIMER_REAL, SECONDS, 0.1)
    with open(sys.argv[2], "rb") as file:
        secret = file.read().strip()
    code, out, err = ask(sys.argv[1], secret, sys.stdin.buffer.read()).split(b"\n", 2)
    os.write(2, err)
    written = os.write(1, out + b"\n") if out else 0
    os._exit(0 if code == b"0" and written == len(out) + 1 else 2)
except BaseException:  # noqa: BLE001 - every way out is a denial
    deny()
