"""What an agent asks before it runs a tool, and how that is answered: pure, without files, clock or environment.

What several modules of this package need is here, since each module that a hook loads costs time.
"""

MAX_NAME_LENGTH = 256  # characters of the name of a tool, a server or a sub-agent
# the words of hooks.toml
FORMAT = 1
PASS, DENY = "pass", "deny"
TOOL_ACTION, INPUT_ACTION = "{tool}", "{input."
NAME_KEYS = ("tools", "mcp")
LABEL_KEYS = ("paths", "globs", "patch")
TEXT_KEYS = (*NAME_KEYS, "agents", "subagents", *LABEL_KEYS, "ignore")
RULE_KEYS = (*NAME_KEYS, "agents", "subagents", "grant", "action", "decide", "within", *LABEL_KEYS, "ignore", "no_path")


class PayloadError(ValueError):
    """A payload that is not read as a call of a tool; says why to a model."""


class InputError(ValueError):
    """A call that is denied before any grant is asked; says why to a model.

    `is_final`: no other input makes it allowed, so only a human can help.
    """

    def __init__(self, why: str, *, is_final: bool = False) -> None:
        """Take the sentence, lower case, without a full stop."""
        super().__init__(why)
        self.is_final = is_final
