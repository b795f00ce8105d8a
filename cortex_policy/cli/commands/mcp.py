"""`mcp`: programs and models that speak the Model Context Protocol."""

import typer

from cortex_policy.cli.command_classes import CommandWithExamples, GroupWithExamples, ProxyCommand
from cortex_policy.cli.commands import mcp_proxy, mcp_serve

mcp_app: typer.Typer = typer.Typer(cls=GroupWithExamples, no_args_is_help=True)


@mcp_app.callback()
def mcp_group() -> None:
    """Check MCP tool calls, and answer a model's questions."""


mcp_app.command("proxy", cls=ProxyCommand)(mcp_proxy.proxy)
mcp_app.command("serve", cls=CommandWithExamples)(mcp_serve.serve)
