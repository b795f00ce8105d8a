"""The open objects and arrays of a text that is nearly JSON."""

from cortex_policy.schema.syntax.problem_list import ProblemList, format_position, quote_and_shorten
from cortex_policy.schema.syntax.tokens import Token

# what a frame awaits
ITEM, COLON, VALUE, NEXT = "item", "colon", "value", "next"
_MISSING_KEY = Token("", 0, 0)


class Frame:
    """An open object or array, or the whole text (no kind), and how far it has been read."""

    start: int
    count: int
    end: int
    indent: int
    key: "Token"
    kind: str

    __slots__ = ("awaits", "commas", "count", "end", "indent", "key", "keys", "kind", "start")

    def __init__(self, kind: str, at: int, indent: int) -> None:
        """Await the first item, or the one value of the text."""
        self.kind = kind
        self.start = at
        self.indent = indent  # of the line it opens on
        self.awaits = ITEM if kind else VALUE
        self.commas: list[int] = []  # since the last item: the first two and the last
        self.count = 0
        self.end = at + 1  # of the last item
        self.keys: dict[str, int] = {}
        self.key = _MISSING_KEY

    def add_comma(self, offset: int) -> None:
        """Remember a comma: the first, the second and the last are enough."""
        self.commas = [*self.commas[:2], offset]
        self.awaits = ITEM


def note_extra_commas(frame: Frame, closing_bracket: str, problems: ProblemList) -> None:
    """Note the commas that are not between two items; a closer follows, or an item."""
    extra_commas = frame.commas if closing_bracket or not frame.count else frame.commas[1:]
    frame.commas = []
    if extra_commas:
        what = f"a comma before `{closing_bracket}`" if closing_bracket else "a comma too many"
        problems.add("syntax-comma", (extra_commas[0], extra_commas[-1] + 1), what, "delete it")


def note_duplicate_key(frame: Frame, token: Token, text: str, problems: ProblemList) -> None:
    """Note a key that its object has already."""
    first = frame.keys.setdefault(token.text, token.start)
    if first != token.start and not problems.is_full:
        message = f"the key {quote_and_shorten(token.text)} appears twice, first at {format_position(text, first)}"
        problems.add("syntax-key", (token.start, token.end), message, "delete one of them")


def add_missing_value_problem(frame: Frame, problems: ProblemList) -> None:
    """Note that no value follows the last key."""
    key = frame.key
    frame.count += 1
    message = f"the key {quote_and_shorten(key.text)} has no value"
    problems.add("syntax-json", (key.start, key.end), message, "write `: ` and a value after it")
