"""The link that opens the page of a running server once."""

import os
from time import time_ns

from cortex_policy.core.model import UsageError
from cortex_policy.hook_server.secret_file import read_secret
from cortex_policy.serve.addresses import parse_host_and_port, resolve_to_numeric_host
from cortex_policy.serve.page.access import make_signed_page_code


def make_page_link_from_token_file(address: str, token_file: str, *, has_tls: bool) -> str:
    """Return a link for the server at an address; raise NotDoneError if its token cannot be read.

    The code is in the fragment, which browsers send to no server.
    """
    host, port = parse_host_and_port(address)
    if port == 0:
        raise UsageError("a running server has no port 0", "name the port that it has printed")
    # root may open the page of a service, whose token belongs to the user of the service
    token = read_secret(token_file, is_any_owner=os.geteuid() == 0)
    if not has_tls:  # at another number of `localhost`, another user may have the same port, and browsers try both
        host = resolve_to_numeric_host(host, port)
    origin = f"{'https' if has_tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
    return f"{origin}/#{make_signed_page_code(token, origin, time_ns())}"
