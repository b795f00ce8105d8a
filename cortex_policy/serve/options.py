"""What a process of the server is started with."""

from cortex_policy.batch.answerer import Answerer
from cortex_policy.core import Value
from cortex_policy.serve.addresses import Address
from cortex_policy.serve.page.access import PageAccess


class ServeOptions(Value):
    """What answers, where it listens, the token of its clients ('' for none), and who may read the page beside them."""

    answerer: Answerer
    address: Address
    token: str
    page: PageAccess | None = None
