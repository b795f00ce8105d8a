"""One client of a server: its request as far as it has come, and the answer that it gets."""

import socket

from cortex_policy.core import Value
from cortex_policy.hook_server import requests
from cortex_policy.hook_server.requests import AS_JSON, Head, RequestError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.hook_server.worker_pool import Job

_PART = 1 << 16


class ClientSecrets(Value):
    """Who may ask: a client must sign with `key` ('' for none), or send `token` if that is not ''."""

    key: str
    token: str


class Connection:
    """A client; it is answered once."""

    def __init__(self, client: socket.socket, secrets: ClientSecrets, now: float) -> None:
        """Take its socket, who may ask, and the time."""
        client.settimeout(0)
        self.socket: socket.socket = client
        self.began: float = now
        self.end: float = now  # when it is answered at the latest, or closed if it is
        self.job: Job | None = None
        self.is_answered: bool = False
        self._secrets = secrets
        self._data = bytearray()
        self._head: Head | None = None
        self._signature = ""

    @property
    def size(self) -> int:
        """The bytes of its payload, as far as they are known."""
        return self._head.length if self._head is not None and not self.is_answered else 0

    def read_payload(self) -> bytes | None:
        """Return the payload once it is whole, None if more must come; raise RequestError, or OSError."""
        part = self.socket.recv(_PART)
        if not part:
            raise RequestError("it is incomplete")
        self._data += part
        if self._head is None:
            found = requests.parse_complete_head_or_none(bytes(self._data))
            if found is None:
                return None
            self._head, rest = found
            self._data = bytearray(rest)
            self._check_head(self._head)
        if len(self._data) < self._head.length:
            return None
        payload = bytes(self._data[: self._head.length])
        self._data.clear()
        self._check_payload(self._head, payload)
        return payload

    def _check_head(self, head: Head) -> None:
        # INVARIANT: before the payload is read: others of this host cannot fill our memory
        if self._secrets.token and not requests.is_equal_secret(head.token, self._secrets.token):
            raise RequestError("its token is not that of this server")

    def _check_payload(self, head: Head, payload: bytes) -> None:
        if head.nonce or head.signature or not self._secrets.token:
            requests.require_request_signature(self._secrets.key.encode("ascii"), head, payload)
            self._signature = head.signature

    def send_answer(self, agent: str, denial: str) -> None:
        """Answer in the terms of an agent, '' for `denial` if the policy has no objection; then read to its end.

        INVARIANT: a socket that is closed before the client has sent all takes the answer with it.
        """
        self.is_answered = True
        self._data.clear()
        body = requests.encode_answer_body(self._head.form if self._head is not None else AS_JSON, agent, denial)
        key = self._secrets.key.encode("ascii")
        signature = requests.sign_answer(key, self._signature, body) if self._signature else ""
        try:
            self.socket.send(
                requests.encode_http_200_response(body, signature)
            )  # its buffer is empty, and takes all of it
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return  # it has gone

    def discard_input(self) -> bool:
        """Read what comes after the answer; return whether more may come."""
        try:
            return bool(self.socket.recv(_PART))
        except BlockingIOError:
            return True
        except OSError:
            return False
