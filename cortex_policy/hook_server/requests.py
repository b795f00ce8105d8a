"""What is asked over a socket, and what is answered: HTTP with lengths, one request each (docs/hook-install.md).

Every answer has status 200, a denial too: Claude Code lets a call run whose hook answers another one.
"""

import hmac
from hashlib import sha256

from cortex_policy.core import Value
from cortex_policy.core.hooks.denial_outputs import NO_OPINION, make_denial_outputs
from cortex_policy.core.hooks.payload import MAX_BYTES

AS_JSON, AS_PROCESS = "/", "/process"  # the agent's own JSON; the exit code, output and error of `hook`
NONCE, SIGNATURE = "cortex-policy-nonce", "cortex-policy-signature"
MAX_HEAD = 1 << 14
_END = b"\r\n\r\n"
_READ = frozenset(("content-length", "transfer-encoding", "authorization", NONCE, SIGNATURE))
_NONCE_LENGTHS = range(32, 129)
_LENGTH_DIGITS = 12


class RequestError(ValueError):
    """A request is not as it must be: the call is denied; says why, in words for a model."""


class Head(Value):
    """What the lines before the payload say; `token`, `nonce` and `signature` are '' if they are not there."""

    form: str
    length: int
    token: str
    nonce: str
    signature: str


def parse_complete_head_or_none(data: bytes) -> tuple[Head, bytes] | None:
    """Return the head and what has come after it, None if more must come; raise RequestError."""
    lines, end, rest = data.partition(_END)
    if len(lines) > MAX_HEAD:
        raise RequestError(f"its head is longer than {MAX_HEAD >> 10} KiB")
    if not end:
        return None
    first, *others = lines.decode("latin-1").split("\r\n")
    method, _, tail = first.partition(" ")
    form, _, version = tail.partition(" ")
    if method != "POST" or form not in (AS_JSON, AS_PROCESS) or not version.startswith("HTTP/1."):
        raise RequestError(f"it must be a `POST` of `{AS_JSON}` or `{AS_PROCESS}`")
    fields = _parse_fields(others)
    if "transfer-encoding" in fields:
        raise RequestError("its payload must have a length")
    token = fields.get("authorization", "").removeprefix("Bearer ").strip()
    return Head(form, _payload_length(fields), token, fields.get(NONCE, ""), fields.get(SIGNATURE, "")), rest


def _parse_fields(lines: list[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.lower()
        if name in fields and name in _READ:
            raise RequestError(f"`{name}` is given twice")
        fields[name] = value.strip(" \t")
    return fields


def _payload_length(fields: dict[str, str]) -> int:
    text = fields.get("content-length", "")
    if not (text.isascii() and text.isdigit() and len(text) <= _LENGTH_DIGITS):
        raise RequestError("its payload must have a length")
    if int(text) > MAX_BYTES:
        raise RequestError(f"the agent sent more than {MAX_BYTES >> 20} MiB")
    return int(text)


def sign_request(key: bytes, nonce: str, payload: bytes) -> str:
    """Return what a client that has the key sends with a payload: HMAC-SHA256 in hexadecimal."""
    return hmac.new(key, b"request\n%s\n%s" % (nonce.encode("latin-1"), payload), sha256).hexdigest()


def sign_answer(key: bytes, signature: str, body: bytes) -> str:
    """Return what proves to a client that its request, known by its signature, was answered by who has the key."""
    return hmac.new(key, b"answer\n%s\n%s" % (signature.encode("ascii"), body), sha256).hexdigest()


def require_request_signature(key: bytes, head: Head, payload: bytes) -> None:
    """Raise RequestError unless a request was signed with the key."""
    if len(head.nonce) not in _NONCE_LENGTHS:
        raise RequestError("it must be signed, with a nonce of 32 to 128 characters")
    if not key or not is_equal_secret(head.signature, sign_request(key, head.nonce, payload)):
        raise RequestError("its signature was not made with the key of this server")


def is_equal_secret(given: str, secret: str) -> bool:
    """Compare with a secret in constant time."""
    return hmac.compare_digest(given.encode("latin-1"), secret.encode("ascii"))


def encode_answer_body(form: str, agent: str, denial: str) -> bytes:
    """Return the answer in a form and in the terms of an agent; '' for `denial` if the policy has no objection."""
    if not denial:
        return b"0\n" + NO_OPINION if form == AS_PROCESS else NO_OPINION
    output, error = make_denial_outputs(agent, denial)
    if form == AS_PROCESS:
        return b"2\n%s%s" % (output or b"\n", error)
    return output or make_denial_outputs("", denial)[0]  # Cursor's own has no JSON


def encode_http_200_response(body: bytes, signature: str) -> bytes:
    """Return the bytes of an answer, with a signature unless that is ''."""
    signed = f"{SIGNATURE}: {signature}\r\n" if signature else ""
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{signed}"
    return f"{head}Cache-Control: no-store\r\nConnection: close\r\n\r\n".encode("ascii") + body
