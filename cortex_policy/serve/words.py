"""What a process of the server is told."""

from cortex_policy.batch.answerer import Answerer
from cortex_policy.core import Value
from cortex_policy.serve.addresses import Address


class ServeWords(Value):
    """What answers, where it listens, and the token of its clients ('' for none)."""

    answerer: Answerer
    address: Address
    token: str
