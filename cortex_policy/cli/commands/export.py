"""`export`: write the grants and settings of a root as a WebAssembly module that decides."""

from enum import StrEnum
from typing import Annotated

import typer

from cortex_policy.cli.common_options import JsonOption, RootOption
from cortex_policy.cli.output.printing import print_json
from cortex_policy.cli.roots import find_inner_root
from cortex_policy.cli.streams import write_stdout_bytes
from cortex_policy.core.model import UsageError
from cortex_policy.core.text import escape_message_to_one_line, format_count_with_noun


class Format(StrEnum):
    """What is written."""

    WASM = "wasm"
    LOADER = "loader"


def export(
    root: RootOption = None,
    *,
    kind: Annotated[
        Format,
        typer.Option(
            "--format", metavar="FORMAT", help="wasm; or loader, which JavaScript imports.", show_default=False
        ),
    ],
    out: Annotated[
        str | None, typer.Option("--out", metavar="FILE", help="Write this file, not standard output.")
    ] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Write no grants into the module; the host loads them.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Write a WebAssembly module that decides in other programs.

    The module runs in Node, in browsers and in other hosts. It holds the present grants and settings of the root, and
    decides as `check` does. If a check of one of these grants would be an error, nothing is written.

    The module reads no files. The host gives it the time, and each path in two spellings: as typed, and with links
    followed. The module does not know whether a path leads where the host says. It does not see the calls that other
    processes make, edits after the export, approvals and emergency stops, and it writes no audit log. docs/wasm.md
    shows how to use the module.

    A program in JavaScript imports the loader (`--format loader`). The loader is the same for all roots.

    $ cortex-policy export --format wasm --out policy.wasm
    $ cortex-policy export --format loader --out policy.mjs
    $ cortex-policy export --format wasm --empty > policy.wasm
    $ cortex-policy export --format wasm --out policy.wasm --json
    """
    from cortex_policy.manage import wasm_export  # noqa: PLC0415 - only this needs it
    from cortex_policy.state import sha256  # noqa: PLC0415

    if out is None and (json or (kind is Format.WASM and wasm_export.is_stdout_terminal())):
        message = "a module is not printed on a terminal, nor with `--json`"
        raise UsageError(message, f"name a file with `--out policy.{'wasm' if kind is Format.WASM else 'mjs'}`")
    ids: list[str] = []
    if kind is Format.LOADER:
        data = wasm_export.read_javascript_loader_bytes()
    elif empty:
        data = wasm_export.read_wasm_module()
    else:
        data, ids = wasm_export.build_wasm_module_and_grant_ids(find_inner_root(root))
    if out is None:
        write_stdout_bytes(data)
        return
    wasm_export.replace_or_create_exported_file(out, data)
    digest = sha256(data).hexdigest()
    if json:
        print_json({"file": out, "grants": ids, "bytes": len(data), "sha256": digest})
    else:
        grants = f"{format_count_with_noun(len(ids), 'grant')}, " if kind is Format.WASM else ""
        typer.echo(escape_message_to_one_line(f"wrote {out}: {grants}{len(data):,} bytes, sha256 {digest}"))
