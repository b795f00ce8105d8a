"""`hook serve`: answer an agent's hooks over a socket."""

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from cortex_policy.cli.commands.hook_install import Agent, AgentArgument
from cortex_policy.cli.common_options import JsonOption, RootOption, SocketOption
from cortex_policy.cli.listening import find_default_socket_path, print_listening
from cortex_policy.cli.options_from_function import fill_first_argument_by_calling
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.core import Value
from cortex_policy.core.model import UsageError
from cortex_policy.hook import DEADLINE_SECONDS, MAX_DEADLINE_SECONDS, HookWords, HookWordsError, parse_hook_argv

if TYPE_CHECKING:
    from cortex_policy.hook_server.listeners import PortListener, UnixListener

MAX_PORT = 65535
_VARIABLES = ("CORTEX_", "PYTHON", "XDG_")


def _parse_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MAX_PORT):
        raise typer.BadParameter(f"`{text}` is not a port")
    return int(text)


PortOption = Annotated[
    int | None,
    typer.Option(
        "--port",
        metavar="N",
        parser=_parse_port,
        help="Listen on this port of 127.0.0.1, not on a socket; 0 takes a free port. It needs `--token`.",
        show_default=False,
    ),
]
KeyOption = Annotated[
    str | None,
    typer.Option(
        "--key",
        metavar="FILE",
        help="The file of the key that clients sign with; default: PATH.key.",
        show_default=False,
    ),
]
TokenOption = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="FILE",
        help="The file of the bearer token that clients of the port send.",
        show_default=False,
    ),
]


class ServerOptions(Value):
    """The options that say who is served, and where; not both of `socket` and `port` are given."""

    agent: Agent
    root: str
    socket: "str | None"
    port: "int | None"
    key: "str | None"
    token: "str | None"


def _server_options(
    agent: AgentArgument,
    root: RootOption = None,
    *,
    socket: SocketOption = None,
    port: PortOption = None,
    key: KeyOption = None,
    token: TokenOption = None,
) -> ServerOptions:
    if not sys.platform.startswith("linux"):
        raise UsageError("`hook serve` needs Linux", "install `cortex-policy hook AGENT` instead")
    if socket is not None and port is not None:
        raise UsageError("`--socket` and `--port` cannot be combined", "use one of them")
    if (port is None) != (token is None):
        raise UsageError(
            "`--port` and `--token` must be given together", "without a token, any user of this host could use the port"
        )
    return ServerOptions(agent, find_inner_root(root).path, socket, port, key, token)


@fill_first_argument_by_calling(_server_options)
def serve(
    options: ServerOptions,
    *,
    tag: Annotated[
        str,
        typer.Option("--install", metavar="TAG", help="The tag of this hook; no other hook of the agent has it."),
    ] = "",
    deadline: Annotated[
        str, typer.Option("--deadline", metavar="SECONDS", help="Deny a call that is not decided within SECONDS.")
    ] = f"{DEADLINE_SECONDS:g}",
    json: JsonOption = False,
) -> None:
    """Answer an agent's hooks over a socket, in milliseconds.

    It decides and counts as `hook AGENT` does, and reads everything again for each call. Each HTTP request carries one
    payload of the agent. The answer to `POST /` is the JSON that the agent expects; the answer to `POST /process` is
    what the process of a hook would output. A request to the socket must be signed with the key, and the answer is
    signed with it too; examples/hook_client.py is a client. The files of `--key` and `--token` are created if they are
    missing. The server ends when the process that started it ends, or at a signal.

    $ cortex-policy hook serve codex --root /srv/repo
    $ cortex-policy hook serve claude --port 8931 --token ~/.cortex/hook.token
    """
    from cortex_policy.manage.hooks.install_checks import check_no_settings_in_environment  # noqa: PLC0415 - no other command needs it

    words = _hook_words(options, tag, deadline)
    check_no_settings_in_environment(os.environ)
    for name in [name for name in os.environ if name.startswith(_VARIABLES)]:
        del os.environ[name]
    code = _run_server(words, options, json=json)
    if code:
        raise typer.Exit(code)


def _hook_words(options: ServerOptions, tag: str, deadline: str) -> HookWords:
    words = [options.agent.value, "--root", options.root, "--deadline", deadline, *(["--install", tag] if tag else [])]
    try:
        return parse_hook_argv(words)
    except HookWordsError:
        raise UsageError(
            f"`--install {tag}` or `--deadline {deadline}` is wrong",
            f"a tag has letters, digits, `.`, `_` and `-`; a deadline is at most {MAX_DEADLINE_SECONDS:.0f} seconds",
        ) from None


def _socket_path(options: ServerOptions) -> str:
    """Return where to listen: one place for each agent and root, unless one is named."""
    if options.socket is not None:
        return os.path.abspath(options.socket)
    return find_default_socket_path(f"hook-{options.agent.value}", options.root)


def _run_server(words: HookWords, options: ServerOptions, *, json: bool) -> int:
    """Listen and answer until the end, and return the exit code."""
    from cortex_policy.hook_server.connections import ClientSecrets  # noqa: PLC0415 - see above
    from cortex_policy.hook_server.listeners import PortListener, UnixListener  # noqa: PLC0415
    from cortex_policy.hook_server.secret_file import read_or_make_secret  # noqa: PLC0415
    from cortex_policy.hook_server.server import HookServer  # noqa: PLC0415

    listener: UnixListener | PortListener
    token = read_or_make_secret(os.path.abspath(options.token)) if options.token is not None else ""
    path = _socket_path(options) if options.port is None else None
    listener = UnixListener(path) if path is not None else PortListener(options.port or 0)
    try:
        key_file = f"{path}.key" if options.key is None and path is not None else options.key
        key = read_or_make_secret(os.path.abspath(key_file)) if key_file is not None else ""
        server = HookServer(words, ClientSecrets(key, token), listener)
        return server.run(lambda: _print_address(listener, key_file, json=json))
    finally:
        listener.close()


def _print_address(listener: "UnixListener | PortListener", key: str | None, *, json: bool) -> None:
    from cortex_policy.hook_server.listeners import PortListener  # noqa: PLC0415 - see above

    is_port = isinstance(listener, PortListener)
    where = f"http://127.0.0.1:{listener.port}/" if is_port else listener.path  # type: ignore[union-attr]
    print_listening(where, "url" if is_port else "socket", "key", key, json=json)
