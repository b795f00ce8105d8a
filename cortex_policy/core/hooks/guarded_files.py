"""Files that switch a hook or its policy off, or hold secrets: no tool of an agent may touch them (docs/hooks.md)."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.payload import ToolCall
    from cortex_policy.core.hooks.rules import HookRules

# our own list of tools that only read: they may read what is guarded, but what is in `_SECRET`
READERS = frozenset((
    "Read", "Grep", "Glob", "LS", "view", "read_file", "read_many_files", "list_directory", "glob",
    "search_file_content", "grep",
))  # fmt: skip


def guard_denial(path: str, call: "ToolCall", rules: "HookRules", home: str) -> str:
    """Return why a tool may not touch an absolute path, '' if no guarded file is there: as spelled, or resolved."""
    return f"not built yet: {path} {call.tool} {rules.guard} {home}"
