"""The first `hooks.toml` of a root: which grant the tools of some agents ask, with comments for the operator."""

from cortex_policy.core import Value
from cortex_policy.core.hooks.agent_tool_names import HARMLESS, OTHER, PATCH, READ, SEARCH, SHELL, TOOLS, WRITE
from cortex_policy.manage.editing.new_grant import format_new_grant
from cortex_policy.manage.editing.set_fields import GrantEdit
from cortex_policy.manage.settings.toml_edit import format_toml_literal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

READ_GRANT, WRITE_GRANT, SHELL_GRANT, MCP_GRANT = "fs.read", "fs.write", "shell", "mcp"
MAX_LINE = 110  # characters
# tools that take a pattern of file names, and the inputs that hold it
_PATTERN_INPUTS = {
    "Glob": ("pattern", "glob_pattern"), "glob": ("pattern",), "read_many_files": ("include[]",),
    "file_search": ("query",),
}  # fmt: skip
# what they run is not in an input that a hook knows as a command
UNSEEN_COMMANDS = frozenset((
    "write_bash", "write_powershell", "js_repl", "run_notebook_cell", "run_task", "create_and_run_task",
))  # fmt: skip
_FREE_TEXT = (
    "content", "contents", "file_text", "old_string", "new_string", "old_str", "new_str", "insert_text", "instruction",
    "new_source", "oldString", "newString", "code", "explanation",
)  # fmt: skip
_WITHIN = ("within", "root")
_HEAD = """\
# Which grant the tools of agents ask. A call is decided by the first rule that fits it.
# Change this file with `cortex-policy hook edit`: it checks the rules, and keeps the stamp and the history.
format = 1
unmapped = "deny"  # a tool that no rule names; "pass" would leave it to the agent
"""
_OTHERS = """\
# No rule names these tools, so they are denied: they start agents, ask the network, stop what runs, or run what a
# hook cannot see. To allow one, name it in a rule."""


class FirstRule(Value):
    """One rule: the comment above it, and its keys with their values in the order of the text."""

    comment: str
    members: "tuple[tuple[str, object], ...]"


def make_first_rules_text(agents: "Iterable[str]") -> str:
    """Return the text of a first `hooks.toml` for some agents."""
    named = tuple(agents)
    rules = [rule for rule in _first_rules(named) if rule.members[0][1]]  # without tools it would fit no call
    others = "\n".join([_OTHERS, *_wrap_words(_tools_without_rules(named))]) + "\n"
    return "\n".join([_HEAD, *map(_rule_text, rules), others])


def make_first_grant_texts(scopes: "tuple[str, ...]") -> dict[str, str]:
    """Return the text of each grant that the rules may name; writing is allowed below the scopes."""
    edits = {
        READ_GRANT: GrantEdit(120, allow=("read",)),
        WRITE_GRANT: GrantEdit(60, allow=("write",), add_scopes=scopes),
        SHELL_GRANT: GrantEdit(60, allow=("run",)),
        MCP_GRANT: GrantEdit(60),
    }
    return {grant_id: format_new_grant(edit, grant_id) for grant_id, edit in edits.items()}


def _tools_of_kinds(agents: tuple[str, ...], *kinds: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(tool for agent in agents for kind in kinds for tool in TOOLS[agent].get(kind, ())))


def _first_rules(agents: tuple[str, ...]) -> "Iterator[FirstRule]":
    yield from _file_rules(agents)
    yield from _patch_rules(agents)
    yield _make_rule(
        "Shells. A command is a text: a hook does not know which files it touches. To allow only some commands,\n"
        f"declare the argument `command` of the grant `{SHELL_GRANT}` with a `pattern`.",
        [tool for tool in _tools_of_kinds(agents, SHELL) if tool not in UNSEEN_COMMANDS], (SHELL_GRANT, "run"),
        (_WITHIN, ("ignore", ("description", "explanation"))),
    )  # fmt: skip
    yield FirstRule(
        f"Tools of MCP servers: the grant `{MCP_GRANT}` lists those that are allowed as its actions, none at first.\n"
        f"Allow one with `cortex-policy set {MCP_GRANT} --allow TOOL`.",
        (("mcp", ("*/*",)), ("grant", MCP_GRANT), ("action", "{tool}"), _WITHIN),
    )
    yield _make_rule(
        "Tools that change nothing outside of the agent.",
        _tools_of_kinds(agents, HARMLESS),
        None,
        (("decide", "pass"),),
    )


def _file_rules(agents: tuple[str, ...]) -> "Iterator[FirstRule]":
    """Yield the rules for tools that read, find, search or write files."""
    finders = [tool for tool in _tools_of_kinds(agents, READ, SEARCH) if tool in _PATTERN_INPUTS]
    yield _make_rule(
        "Tools that read one file: anywhere below the root, and nowhere else.",
        [tool for tool in _tools_of_kinds(agents, READ) if tool not in finders], (READ_GRANT, "read"), (_WITHIN,),
    )  # fmt: skip
    inputs = tuple(dict.fromkeys(name for tool in finders for name in _PATTERN_INPUTS[tool]))
    yield _make_rule(
        "Tools that find files by a pattern: what is before its first `*` is a path, and so is where they start.",
        finders, (READ_GRANT, "read"), (_WITHIN, ("paths", ("path?",)), ("globs", inputs)),
    )  # fmt: skip
    inputs = ("glob", "include", "includePattern")
    filters = (("paths", ("path?",)), ("globs", inputs), ("ignore", ("pattern", "query")))
    yield _make_rule(
        "Tools that search or list: the text that they look for is no path.",
        [tool for tool in _tools_of_kinds(agents, SEARCH) if tool not in finders],
        (READ_GRANT, "read"), (_WITHIN, *filters),
    )  # fmt: skip
    yield _make_rule(
        f"Tools that write: below the scopes of the grant `{WRITE_GRANT}`. Texts are neither judged nor logged.",
        _tools_of_kinds(agents, WRITE), (WRITE_GRANT, "write"), (_WITHIN, ("ignore", _FREE_TEXT)),
    )  # fmt: skip


def _patch_rules(agents: tuple[str, ...]) -> "Iterator[FirstRule]":
    """Yield the rules for patches: agents call the input that has one by different names."""
    for names, label in ((("codex",), "command"), (("copilot", "vscode"), "input")):
        patching = tuple(agent for agent in names if agent in agents)
        yield _make_rule(
            "Patches: each file in them is a path.", _tools_of_kinds(patching, PATCH), (WRITE_GRANT, "write"),
            (_WITHIN, ("patch", (label,)), ("ignore", ("explanation",))), patching,
        )  # fmt: skip


def _make_rule(
    comment: str,
    tools: "Iterable[str]",
    asks: tuple[str, str] | None,
    members: "tuple[tuple[str, object], ...]",
    agents: tuple[str, ...] = (),
) -> FirstRule:
    named: tuple[tuple[str, object], ...] = (("agents", agents),) if agents else ()
    grant: tuple[tuple[str, object], ...] = (("grant", asks[0]), ("action", asks[1])) if asks is not None else ()
    return FirstRule(comment, (("tools", tuple(tools)), *named, *grant, *members))


def _tools_without_rules(agents: tuple[str, ...]) -> list[str]:
    unseen = [tool for tool in _tools_of_kinds(agents, SHELL) if tool in UNSEEN_COMMANDS]
    return [*_tools_of_kinds(agents, OTHER), *unseen]


def _rule_text(rule: FirstRule) -> str:
    lines = [f"# {line}" for line in rule.comment.split("\n")] + ["[[rule]]"]
    lines += [f"{key} = {_value_text(key, value)}" for key, value in rule.members]
    return "\n".join(lines) + "\n"


def _value_text(key: str, value: object) -> str:
    """Return a value as TOML: a list that is too long for one line on several."""
    if not isinstance(value, tuple):
        return format_toml_literal(value)
    text = format_toml_literal(list(value))
    if len(text) + len(key) < MAX_LINE:
        return text
    lines = _wrap_words([f"{format_toml_literal(item)}," for item in value], "   ")
    return "\n".join(["[", *lines, "]"])


def _wrap_words(words: "Iterable[str]", start: str = "#") -> list[str]:
    """Return words on lines that begin with a start."""
    lines: list[str] = []
    line = start
    for word in words:
        if len(line) + 1 + len(word) > MAX_LINE and line != start:
            lines.append(line)
            line = start
        line += f" {word}"
    return [*lines, line]
