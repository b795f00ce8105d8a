"""Answers that are not decisions: a status and a sentence, as the standard asks for."""

from cortex_policy.core.text import escape_message_to_one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from starlette.types import Send

BAD_REQUEST = 400
_UNAUTHORIZED = 401


class RefusedError(Exception):
    """A request is not answered with a decision: a status, and why."""

    def __init__(self, status: int, why: str) -> None:
        """Take both."""
        super().__init__(why)
        self.status = status


async def send_error_as_plain_text(error: RefusedError, send: "Send") -> None:
    """Send the sentence."""
    body = f"{escape_message_to_one_line(str(error))}\n".encode("utf-8", "backslashreplace")
    fields = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode("ascii")),
    ]
    if error.status == _UNAUTHORIZED:
        fields.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": error.status, "headers": fields})
    await send({"type": "http.response.body", "body": body})
