"""A word of a shell command: its quotes, and what the shell replaces in it (docs/hooks.md)."""

from cortex_policy.core.hooks.simple_commands import ShellSyntaxError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cortex_policy.core.hooks.simple_commands import SimpleCommand

_CLOSING = frozenset('}"\\$`')
_GLOB = frozenset("*?[{")
_SPECIAL_NAMES = frozenset("0123456789?$!#@*-")


class WordScanner:
    """Reads words of a text, from a position on; a subclass reads the commands in what is replaced."""

    at: int
    text: str

    def __init__(self, text: str, at: int) -> None:
        """Begin with a word at a place of a text."""
        self.text, self.at = text, at
        self._start_word()

    def _substitute_parentheses(self) -> "list[SimpleCommand]":
        """Read up to a `)`, and return the commands there, whose output becomes a part of the word."""
        raise NotImplementedError

    def _substitute_text(self, text: str) -> "list[SimpleCommand]":
        """Return the commands of a text, whose output becomes a part of the word."""
        raise NotImplementedError

    def _start_word(self) -> None:
        self._parts: list[str] = []
        self._has_word = self._is_expanded = self._is_solid = self._is_quoted = False
        self._inner: list[SimpleCommand] = []

    def _pattern(self) -> str:
        if not self._is_expanded:
            return ""
        return "".join("*" if len(part) > 1 and part[0] == "$" else part for part in self._parts)

    def _scan_character(self, one: str) -> None:
        if one == "\\":
            self._scan_escape()
        elif one == "'":
            self._add_quoted_text(self._read_until("'"))
        elif one == '"':
            self._scan_double_quotes()
        elif one in "$`":
            self._scan_expansion(one, is_quoted=False)
        else:
            self._has_word = self._is_solid = True
            self._is_expanded |= one in _GLOB
            self._parts.append(one)

    def _scan_escape(self) -> None:
        one = self.text[self.at : self.at + 1]
        self.at += 1
        if one != "\n":
            self._add_quoted_text(one)

    def _add_quoted_text(self, text: str) -> None:
        self._has_word = self._is_solid = self._is_quoted = True
        self._parts.append(text)

    def _read_until(self, mark: str) -> str:
        end = self.text.find(mark, self.at)
        if end < 0:
            raise ShellSyntaxError
        found, self.at = self.text[self.at : end], end + 1
        return found

    def _next_character(self) -> str:
        if self.at >= len(self.text):
            raise ShellSyntaxError
        self.at += 1
        return self.text[self.at - 1]

    def _scan_double_quotes(self) -> None:
        self._add_quoted_text("")
        while (one := self._next_character()) != '"':
            if one == "\\":
                self._parts.append(self._after_backslash('$`"\\'))
            elif one in "$`":
                self._scan_expansion(one, is_quoted=True)
            else:
                self._parts.append(one)

    def _after_backslash(self, escapable: str) -> str:
        """Return what a backslash leaves of itself and the next character: within quotes it escapes only some."""
        one = self._next_character()
        return one if one in escapable else "" if one == "\n" else f"\\{one}"

    def _scan_expansion(self, one: str, *, is_quoted: bool) -> None:
        """Read what the shell replaces; its place in the word keeps a `$`."""
        follower = self.text[self.at : self.at + 1]
        self._has_word = True
        if one == "`":
            self._scan_backticks()
        elif follower == "'" and not is_quoted:
            self.at += 1
            self._scan_ansi_quotes()
            return
        elif follower == '"' and not is_quoted:
            return  # `$"..."` is what `"..."` is
        elif follower == "(":
            self.at += 1
            self._inner += self._substitute_parentheses()
            self._parts.append("$()")
        elif follower == "{":
            self.at += 1
            self._scan_braces(is_quoted=is_quoted)
        elif follower in _SPECIAL_NAMES or follower.isidentifier():
            self._parts.append(f"${self._read_name()}")
        else:
            self._add_quoted_text(one)
            return
        self._is_expanded = True

    def _read_name(self) -> str:
        start = self.at
        self.at += 1
        if self.text[start] not in _SPECIAL_NAMES:
            while self.text[start : self.at + 1].isidentifier() and self.at < len(self.text):
                self.at += 1
        return self.text[start : self.at]

    def _scan_backticks(self) -> None:
        inner: list[str] = []
        while (one := self._next_character()) != "`":
            inner.append(self._after_backslash("$`\\") if one == "\\" else one)
        self._parts.append("$()")
        self._inner += self._substitute_text("".join(inner))

    def _scan_ansi_quotes(self) -> None:
        """Read `$'...'`; if it is not sure what it becomes, it may become anything."""
        inner: list[str] = []
        while (one := self._next_character()) != "'":
            inner.append(one + self._next_character() if one == "\\" else one)
        from cortex_policy.core.hooks.shell_ansi_quotes import decode_inside_of_ansi_c_quotes_or_none  # noqa: PLC0415 - few commands have such quotes

        text = decode_inside_of_ansi_c_quotes_or_none("".join(inner))
        self._is_expanded |= text is None
        self._add_quoted_text(f"${''.join(inner)}" if text is None else text)

    def _scan_braces(self, *, is_quoted: bool) -> None:
        start = self.at
        while (one := self._next_character()) != "}":
            if one == "\\":
                self._next_character()
            elif one == "'":
                self._skip_single_quotes(is_quoted=is_quoted)
            elif one == '"' or (one == "$" and not is_quoted and self.text[self.at : self.at + 1] in ("'", '"')):
                self._skip_quotes(one)
            elif one in "$`":
                self._scan_expansion(one, is_quoted=True)
        self._parts.append("${}" if "/" in self.text[start : self.at] else f"${self.text[start : self.at - 1]}")

    def _skip_single_quotes(self, *, is_quoted: bool) -> None:
        """Read `'...'` in braces; within double quotes some shells see no quotes there."""
        text = self._read_until("'")
        if is_quoted and not _CLOSING.isdisjoint(text):
            raise ShellSyntaxError

    def _skip_quotes(self, one: str) -> None:
        """Read `"..."`, `$"..."` or `$'...'` in braces, which leave the word outside as it is."""
        before = self._is_solid, self._is_quoted
        if one == "$":
            one = self._next_character()
        if one == '"':
            self._scan_double_quotes()
        else:
            self._scan_ansi_quotes()
        self._is_solid, self._is_quoted = before
