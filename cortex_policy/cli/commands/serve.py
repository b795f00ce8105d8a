"""`serve`: answer AuthZEN requests over HTTP."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption, SocketOption
from cortex_policy.cli.listening import find_default_socket_path, print_listening
from cortex_policy.cli.output.printing import print_json
from cortex_policy.core.model import UsageError
from cortex_policy.core.operator_commands import format_program_command
from cortex_policy.core.text import escape_message_to_one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from cortex_policy.library.root_path_lookup import UnresolvedRoot
    from cortex_policy.serve.addresses import Address
    from cortex_policy.serve.options import ServeOptions

MAX_WORKERS = 64
TcpOption = Annotated[
    str | None,
    typer.Option(
        "--tcp",
        metavar="HOST:PORT",
        help="Listen on this address, not on a socket. It needs `--token`; if it is not loopback, it also needs TLS.",
        show_default=False,
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="FILE",
        help="The file of the bearer token that clients send; created if it is missing.",
        show_default=False,
    ),
]
CertOption = Annotated[
    str | None, typer.Option("--cert", metavar="FILE", help="The file of the certificate for TLS.", show_default=False)
]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", metavar="FILE", help="The file of the private key of this certificate.", show_default=False),
]
WorkersOption = Annotated[
    int, typer.Option("--workers", metavar="N", min=1, max=MAX_WORKERS, help="How many processes answer.")
]
LinkOption = Annotated[
    bool,
    typer.Option("--link", help="Print a link to the page of the server that runs with the same options, and exit."),
]


def serve(  # noqa: PLR0913 - one parameter for each option
    root: RootOption = None,
    *,
    socket: SocketOption = None,
    tcp: TcpOption = None,
    token: TokenOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    workers: WorkersOption = 1,
    link: LinkOption = False,
    json: JsonOption = False,
) -> None:
    """Answer AuthZEN requests over HTTP.

    It listens on a socket that only you and root can use. With `--tcp` it listens on an address instead. If systemd
    started it with a socket, it uses this socket. A request is a question and counts nothing, unless its context says
    `"consume": true`. Edits and emergency stops take effect at once. The server ends at a signal. It needs `pip install
    'cortex-policy[serve]'`.

    At `/` it has a page for browsers, which shows grants, budgets, denials, waiting approvals and stops, and changes
    nothing. `--link` prints a link to the page of a running server. The link works once, within a minute.

    $ cortex-policy serve --root /srv/repo
    $ cortex-policy serve --tcp 127.0.0.1:8930 --token ~/.cortex/serve.token
    $ cortex-policy serve --tcp 127.0.0.1:8930 --token ~/.cortex/serve.token --link
    $ cortex-policy serve --tcp pdp.example.org:443 --token t --cert c --key k
    """
    _check_installed()
    _check_options(socket, tcp, cert, key)
    if link:
        _print_link(tcp, token, has_tls=cert is not None, json=json)
        return
    code = _serve(root, socket, tcp, token, (cert, key) if cert and key else None, workers, json=json)
    if code:
        raise typer.Exit(code)


def _check_installed() -> None:
    if not sys.platform.startswith("linux"):
        raise UsageError("`serve` needs Linux", "use `cortex-policy check --request`")
    for name in ("starlette", "uvicorn", "httptools", "prometheus_client"):
        if not _is_installed(name):
            raise UsageError(f"`{name}` is not installed", "run `pip install 'cortex-policy[serve]'`")


def _is_installed(name: str) -> bool:
    """Look for a module without its import: prometheus_client decides then whether workers share their counts."""
    from importlib.util import find_spec  # noqa: PLC0415 - only extras are looked for

    try:
        return find_spec(name) is not None
    except ValueError:  # it is known not to be there
        return False


def _check_options(socket: str | None, tcp: str | None, cert: str | None, key: str | None) -> None:
    if socket is not None and tcp is not None:
        raise UsageError("`--socket` and `--tcp` cannot be combined", "use one of them")
    if (cert is None) != (key is None):
        raise UsageError("`--cert` and `--key` must be given together")
    if cert is not None and socket is not None:
        raise UsageError("a unix socket has no TLS", "leave out `--cert` and `--key`")


def _print_link(tcp: str | None, token: str | None, *, has_tls: bool, json: bool) -> None:
    from cortex_policy.serve.page.link import make_page_link_from_token_file  # noqa: PLC0415 - no other command needs it

    if tcp is None or token is None:
        hint = "give the server's `--tcp` and `--token` again; for a unix socket, forward it as docs/serve.md says"
        raise UsageError("`--link` needs the address and the token of the server", hint)
    made = make_page_link_from_token_file(tcp, os.path.abspath(token), has_tls=has_tls)
    if json:
        print_json({"link": made})
    else:
        typer.echo(made)


def _serve(
    root: str | None,
    socket: str | None,
    tcp: str | None,
    token: str | None,
    tls: tuple[str, str] | None,
    workers: int,
    *,
    json: bool,
) -> int:
    from cortex_policy.batch.answerer import Answerer  # noqa: PLC0415 - no other command needs it
    from cortex_policy.hook_server.secret_file import read_or_make_secret  # noqa: PLC0415
    from cortex_policy.serve.options import ServeOptions  # noqa: PLC0415
    from cortex_policy.serve.page.access import PageAccess  # noqa: PLC0415

    answerer = Answerer(root)
    name = answerer.find_root()
    directory = name.resolve().path
    token_file = os.path.abspath(token) if token is not None else None
    address = _listen(name, socket, tcp, tls)
    try:
        if not address.is_unix and token_file is None:
            raise UsageError(
                "without a token, any user of this host could use the address", "name a file with `--token`"
            )
        secret = read_or_make_secret(token_file) if token_file is not None else ""
        # relative paths of calls start at the root: where the server was started says nothing about its clients
        os.chdir(directory)
        # INVARIANT: before workers are forked, which all have its sessions
        page = PageAccess(secret, address.origins) if secret and not address.is_unix else None
        options = ServeOptions(answerer, address, secret, page)
        return _run(options, workers, lambda: _announce(address, token_file, tls, json=json))
    finally:
        address.close()


def _run(options: "ServeOptions", workers: int, announce: "Callable[[], object]") -> int:
    from cortex_policy.serve.supervisor import serve_in_one_process, serve_with_workers  # noqa: PLC0415 - as above

    return serve_with_workers(options, announce, workers) if workers > 1 else serve_in_one_process(options, announce)


def _listen(name: "UnresolvedRoot", socket: str | None, tcp: str | None, tls: tuple[str, str] | None) -> "Address":
    from cortex_policy.serve import addresses  # noqa: PLC0415 - no other command needs it

    context = addresses.load_tls_context_of_server(*tls) if tls is not None else None
    if addresses.has_inherited_socket(os.environ):
        if socket is not None or tcp is not None:
            raise UsageError("systemd made the socket", "leave out `--socket` and `--tcp`")
        return addresses.inherit_socket(os.environ, context)
    if tcp is not None:
        return addresses.listen_on_tcp_address(tcp, context)
    path = os.path.abspath(socket) if socket is not None else find_default_socket_path("serve", name.path)
    return addresses.listen_on_unix_socket(path)


def _announce(address: "Address", token: str | None, tls: tuple[str, str] | None, *, json: bool) -> None:
    print_listening(address.url, "url", "token", token, json=json)
    if token is not None and not address.is_unix and not json:
        typer.echo(escape_message_to_one_line(f"open its page with `{_link_command(address, token, tls)}`"))
        sys.stdout.flush()


def _link_command(address: "Address", token: str, tls: tuple[str, str] | None) -> str:
    more = ["--cert", tls[0], "--key", tls[1]] if tls is not None else []
    place = address.url.partition("://")[2]
    return (
        format_program_command("serve", "--tcp", place, "--token", token, *more, "--link")
        or "cortex-policy serve --link"
    )
