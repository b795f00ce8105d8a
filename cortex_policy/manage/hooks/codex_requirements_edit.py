"""Add a hook to the text of Codex's managed requirements (TOML), and remove it: every byte of others survives."""

import re

import tomli_w

from cortex_policy.core.decode import MalformedError
from cortex_policy.core.not_done_error import NotDoneError
from cortex_policy.core.toml import decode_toml

_BEGIN, _END = "# cortex-policy hook install: begin", "# cortex-policy hook install: end"
_MARK = "  # cortex-policy hook install"  # of a line in a table of others
_BLOCK = re.compile(rf"(?:\A|\r?\n){re.escape(_BEGIN)}\r?\n.*?{re.escape(_END)}(?:\r?\n|\Z)", re.DOTALL)
_MARKED_LINE = re.compile(rf"\r?\n[^\r\n]*{re.escape(_MARK)}(?=\r?\n|\Z)")


def add_managed_hook(text: str | None, group: "dict[str, object]", directory: str) -> str:
    """Add a group to the hooks before a tool, in a block of its own at the end, and switch hooks on.

    `directory` is that of managed hooks, if the text names none. Raises NotDoneError if the text leaves no place.
    """
    before = decode_codex_requirements(text or "")
    newline = "\r\n" if "\r\n" in (text or "") else "\n"
    lines = [_BEGIN]
    for table, key, value in (("features", "hooks", True), ("hooks", "managed_dir", directory)):
        line, members = tomli_w.dumps({key: value}).strip(), before.get(table)
        if members is None:
            lines += [f"[{table}]", line, ""]
        elif isinstance(members, dict) and key not in members:
            text = _add_to_table(text or "", table, f"{newline}{line}{_MARK}")
        elif key == "hooks" and not _are_hooks_on(members):
            raise NotDoneError("it has `hooks = false`, which switches all hooks off", "remove that line first")
    lines += [*_group_lines(group), _END, ""]
    block = newline.join(lines)
    after = block if text is None else f"{text}{newline}{block}"
    _check_group_is_read(after, group)
    return after


def remove_managed_hook(text: str) -> str | None:
    """Remove the block and the switch; None if the block was the whole file."""
    if _BLOCK.fullmatch(text) and text.startswith(_BEGIN):
        return None
    return _MARKED_LINE.sub("", _BLOCK.sub("", text))


def list_pre_tool_use_handlers_in_text(text: str) -> "list[dict[str, object]]":
    """Return the handlers before a tool of all groups, without their matchers."""
    hooks = decode_codex_requirements(text).get("hooks")
    groups = hooks.get("PreToolUse") if isinstance(hooks, dict) else None
    return [
        handler
        for group in (groups if isinstance(groups, list) else [])
        for handler in (group.get("hooks", []) if isinstance(group, dict) else [])
        if isinstance(handler, dict)
    ]


def _add_to_table(text: str, table: str, line: str) -> str:
    """Add a line below the header of a table; a text without such a header stays, and is refused later."""
    header = re.compile(rf"^[ \t]*\[[ \t]*{table}[ \t]*\][^\r\n]*", re.MULTILINE)
    return header.sub(lambda match: match[0] + line, text, count=1)


def _are_hooks_on(features: object) -> bool:
    return isinstance(features, dict) and features.get("hooks") is True


def _group_lines(group: "dict[str, object]") -> list[str]:
    handlers = group["hooks"]
    lines = ["[[hooks.PreToolUse]]", *tomli_w.dumps({"matcher": group["matcher"]}).splitlines()]
    for handler in handlers if isinstance(handlers, list) else []:
        lines += ["[[hooks.PreToolUse.hooks]]", *tomli_w.dumps(handler).splitlines()]
    return lines


def _check_group_is_read(text: str, group: "dict[str, object]") -> None:
    """Raise NotDoneError if Codex would ignore the group, or would have hooks switched off."""
    try:
        document = decode_codex_requirements(text)
    except NotDoneError:
        document = {}
    hooks = document.get("hooks")
    groups = hooks.get("PreToolUse") if isinstance(hooks, dict) else None
    if not _are_hooks_on(document.get("features")) or not isinstance(groups, list) or group not in groups:
        raise NotDoneError(
            "nothing can be added to its `features` or `hooks` as they are written", "write them as tables"
        )


def decode_codex_requirements(text: str) -> "dict[str, object]":
    """Return the document of a text; raise NotDoneError unless it is TOML."""
    try:
        return decode_toml(text.encode())
    except MalformedError as error:
        raise NotDoneError(str(error), "correct the file first") from None
