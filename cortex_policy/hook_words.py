"""The words after `cortex-policy hook`: the agent, the root, the deadline and the tag of the installed line."""

from cortex_policy.core import Value
from cortex_policy.core.hooks.payload import AGENTS

ANY_AGENT = "auto"  # the payload alone says which; for tests
DEADLINE_SECONDS = 8.0
MAX_DEADLINE_SECONDS = 3600.0
MAX_TAG_LENGTH = 64
_DIGITS = frozenset("0123456789")
_TAG_CHARACTERS = _DIGITS | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._-")
_FIELDS = {"--root": "root", "--deadline": "deadline_seconds", "--install": "tag"}


class HookWordsError(ValueError):
    """The words are not those of an installed line: every call of a tool is denied; says why."""


class HookWords(Value):
    """The words of an installed line; `agent` is '' if the payload alone says which it is."""

    agent: str
    root: str
    deadline_seconds: float = DEADLINE_SECONDS
    tag: str = ""


def named_agent(argv: list[str]) -> str:
    """Return the agent that the words name, '' if they name none."""
    return argv[0] if argv and argv[0] in AGENTS else ""


def parse_hook_words(argv: list[str]) -> HookWords:
    """Parse the words after `hook`; raise HookWordsError for any others than an installed line has."""
    agent = named_agent(argv)
    if not agent and argv[:1] != [ANY_AGENT]:
        raise _words_error(f"it must name an agent: {', '.join(AGENTS)}")
    fields: dict[str, str] = {}
    rest = iter(argv[1:])
    for word in rest:
        option, equals, after = word.partition("=")
        value = after if equals else next(rest, None)
        name = _FIELDS.get(option)
        if name is None or value is None or name in fields:
            raise _words_error(f"`{option}` is unknown, given twice, or lacks its value")
        fields[name] = value
    root = fields.get("root", "")
    if not root.startswith("/"):
        raise _words_error("it must name the directory of the policy, `--root` with an absolute path")
    return HookWords(agent, root, _parse_seconds(fields.get("deadline_seconds")), _parse_tag(fields.get("tag")))


def _parse_seconds(text: str | None) -> float:
    if text is None:
        return DEADLINE_SECONDS
    whole, _, fraction = text.partition(".")
    seconds = float(text) if whole and _DIGITS.issuperset(whole + fraction) else 0.0
    if not 0 < seconds <= MAX_DEADLINE_SECONDS:
        raise _words_error(f"`--deadline` must be more than 0 and at most {MAX_DEADLINE_SECONDS:.0f} seconds")
    return seconds


def _parse_tag(text: str | None) -> str:
    if text is not None and not (0 < len(text) <= MAX_TAG_LENGTH and _TAG_CHARACTERS.issuperset(text)):
        raise _words_error(f"`--install` must be letters, digits, `.`, `_` and `-`, at most {MAX_TAG_LENGTH}")
    return text or ""


def _words_error(why: str) -> HookWordsError:
    return HookWordsError(
        f"the command line of this hook is wrong: {why}. No call of a tool passes until an operator has installed "
        "the hook again with `cortex-policy hook install`"
    )
