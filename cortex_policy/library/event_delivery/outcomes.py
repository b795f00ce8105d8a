"""What an answer of a receiver means for the events that it was sent, and when to try again."""

import random
import re
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum

FIRST_DELAY_SECONDS = 0.5  # after the first failure; twice as long after each further one
MAX_DELAY_SECONDS = 60.0
WRONG_ADDRESS_SECONDS = 60.0  # until somebody has fixed the address or the token
MAX_RETRY_AFTER_SECONDS = 3600.0  # of what a receiver may ask for
_MAX_DOUBLINGS = 30
_SECONDS = re.compile(r"[0-9]{1,9}")
# the address or the token is wrong, or the receiver is not ready; the event is not at fault
_WRONG_ADDRESS = frozenset((401, 402, 403, 404, 405, 407, 410, 415, 421, 423, 424, 426, 428, 451))
_LATER = frozenset((408, 425, 429))


class Outcome(Enum):
    """What has become of the events of a request."""

    DELIVERED = "delivered"
    REFUSED = "refused"  # this event will never be accepted; of a batch it is not known which one
    LATER = "later"
    WRONG_ADDRESS = "wrong address"


def classify_http_status(status: int) -> Outcome:
    """Return what an HTTP status means; a redirect is not followed, as the URL is not ours to change."""
    if 200 <= status < 300:  # noqa: PLR2004 - success
        return Outcome.DELIVERED
    if 300 <= status < 400 or status in _WRONG_ADDRESS:  # noqa: PLR2004 - redirects
        return Outcome.WRONG_ADDRESS
    if 400 <= status < 500 and status not in _LATER:  # noqa: PLR2004 - errors of the client
        return Outcome.REFUSED
    return Outcome.LATER


def compute_retry_delay(failures: int, outcome: Outcome, retry_after: "str | None", now: float) -> float:
    """Return the seconds to wait after that many failures in a row: never less than the receiver asks for."""
    delay = min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(failures - 1, _MAX_DOUBLINGS))
    if outcome is Outcome.WRONG_ADDRESS:
        delay = WRONG_ADDRESS_SECONDS
    jittered = delay * random.uniform(0.5, 1.0)  # noqa: S311 - so that senders do not come all at once
    return max(jittered, parse_retry_after_or_zero(retry_after, now))


def parse_retry_after_or_zero(text: "str | None", now: float) -> float:
    """Return the seconds that `Retry-After` asks for, at most an hour; 0 if it asks for nothing we understand."""
    word = (text or "").strip()
    if _SECONDS.fullmatch(word):
        seconds = float(word)
    else:
        try:
            at = parsedate_to_datetime(word)
            seconds = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() - now
        except (ValueError, TypeError, IndexError, OverflowError):
            return 0.0
    return min(max(0.0, seconds), MAX_RETRY_AFTER_SECONDS)
