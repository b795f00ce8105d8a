"""The simple commands in the text of a shell command, as a POSIX shell reads them (docs/hooks.md)."""

from cortex_policy.core.hooks.simple_commands import (
    AGENT,
    OTHER,
    PIPE,
    PROCESS,
    ShellSyntaxError,
    ShellWord,
    SimpleCommand,
)
from cortex_policy.core.hooks.word_scanner import WordScanner

MAX_NESTING = 32
_RESERVED = frozenset((
    "{", "}", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "!", "coproc",
))  # fmt: skip
_CASE = -1
_BLANK = " \t\r"
_OPERATORS = frozenset(";&|()<>\n")
_ENDS_OF_GROUPS = frozenset(("}", "done", "fi", "esac"))


def parse_simple_commands(text: str) -> "list[SimpleCommand]":
    """Return all simple commands in a text, inner ones too; raise ShellSyntaxError if it cannot be read."""
    scanner = _Scanner(text, 0)
    scanner.scan("")
    return scanner.commands


class _Scanner(WordScanner):
    """Reads one text, from a position up to a mark that closes it."""

    def __init__(self, text: str, at: int, depth: int = 0) -> None:
        if depth > MAX_NESTING:
            raise ShellSyntaxError
        super().__init__(text, at)
        self.depth = depth
        self.commands: list[SimpleCommand] = []
        self._here_ends: list[tuple[str, bool, bool]] = []  # each word after `<<`: text, has tabs, is quoted
        self._first = 0  # command of the pipeline
        self._groups: list[int] = []  # the number of commands before each `(`, _CASE for `case`
        self._before_pattern = 0  # the number of commands before the last pattern of `case`
        self._start_command(AGENT)

    def _start_command(self, origin: str) -> None:
        self._words: list[ShellWord] = []
        self._origin: str = origin
        self._source: ShellWord | None = None
        self._feeders = tuple(self.commands[self._first :]) if origin == PIPE else ()
        self._awaited = ""  # the redirection whose word is next

    def scan(self, end: str) -> None:
        """Read up to the mark, or to the end of the text if that is ''."""
        while self.at < len(self.text):
            one = self.text[self.at]
            if one == end:
                self._end_word()  # it may be `esac`
            if one == end and not self._groups:
                self.at += 1
                self._end_command(AGENT)
                return
            self.at += 1
            if one in _BLANK:
                self._end_word()
            elif one in _OPERATORS:
                self._scan_operator(one)
            elif one == "#" and not self._has_word:
                line = self.text.find("\n", self.at)
                self.at = line if line >= 0 else len(self.text)
            else:
                self._scan_character(one)
        if end:
            raise ShellSyntaxError
        self._end_command(AGENT)

    def _substitute_parentheses(self) -> "list[SimpleCommand]":
        """Do what a WordScanner says, and keep the commands."""
        return self._keep_commands(self._scan_parentheses())

    def _substitute_text(self, text: str) -> "list[SimpleCommand]":
        """Do what a WordScanner says, and keep the commands."""
        scanner = _Scanner(text, 0, self.depth + 1)
        scanner.scan("")
        return self._keep_commands(scanner.commands)

    def _scan_parentheses(self) -> "list[SimpleCommand]":
        """Read up to a `)`, and return the commands there."""
        scanner = _Scanner(self.text, self.at, self.depth + 1)
        scanner.scan(")")
        self.at = scanner.at
        return scanner.commands

    def _scan_array(self) -> None:
        """Read the items of an array: they are not commands, but what is replaced in them is one."""
        self.commands += [one for one in self._scan_parentheses() if one.is_substituted]

    def _keep_commands(self, commands: "list[SimpleCommand]") -> "list[SimpleCommand]":
        """Keep commands whose output becomes a part of a command."""
        marked = [SimpleCommand(**{**vars(one), "is_substituted": True}) for one in commands]
        self.commands += marked
        return marked

    def _scan_operator(self, one: str) -> None:
        follower = self.text[self.at : self.at + 1]
        if one in "<>" and follower == "(":
            self.at += 1
            self._has_word = self._is_solid = self._is_expanded = True
            self._inner += self._substitute_parentheses()
            self._parts.append(PROCESS)
        elif one in "<>":
            self._scan_redirection(one)
        elif one == "&" and follower == ">":
            self._end_word()  # `&>`: the next turn sees the `>`
        elif one == "(" and self._parts and self._parts[-1][-1:] == "=":
            self._scan_array()
        elif one == "(" and self._is_in_case() and self._is_before_pattern():
            pass  # `case x in (a) ...`: its `)` ends the pattern
        else:
            self._scan_end_of_command(one, follower)

    def _scan_end_of_command(self, one: str, follower: str) -> None:
        is_double = one in "&|" and follower == one
        if is_double or (one == "|" and follower == "&"):
            self.at += 1
        is_pipe = one == "|" and not is_double
        is_pattern = one == ")" and self._is_in_case()
        if is_pattern:
            self._drop_pattern()
        self._end_command(PIPE if is_pipe else AGENT)
        if not is_pipe:
            self._first = len(self.commands)
        if one == ";" and self.text[self.at - 2 : self.at] == ";;":
            self._before_pattern = len(self.commands)
        if one == "(":
            self._groups.append(len(self.commands))
        elif one == ")" and self._groups and not is_pattern:
            self._first = self._groups.pop()
        elif one == "\n":
            self._skip_here_documents()

    def _is_in_case(self) -> bool:
        return self._groups[-1:] == [_CASE]

    def _is_before_pattern(self) -> bool:
        return self.text[: self.at - 1].rstrip().endswith(";;") or [word.text for word in self._words[2:]] == ["in"]

    def _drop_pattern(self) -> None:
        """Forget the words of a pattern of `case`, but not what is replaced in it."""
        self._start_word()
        self._words = []
        start = self._before_pattern
        self.commands[start:] = [one for one in self.commands[start:] if one.is_substituted]

    def _scan_redirection(self, one: str) -> None:
        number = "".join(self._parts)
        is_numbered = (number.isdecimal() or (number[:1], number[-1:]) == ("{", "}")) and not self._is_quoted
        if is_numbered:
            self._start_word()
        self._end_word()
        operator = one
        while self.text[self.at : self.at + 1] in tuple("<>&|-") and len(operator) < 3:  # noqa: PLR2004 - `<<<` is the longest
            if self.text[self.at] == "-" and operator != "<<":
                break
            operator += self.text[self.at]
            self.at += 1
        is_input = one == "<" and (not is_numbered or not number.strip("0"))
        is_here = operator in ("<<", "<<-")
        self._awaited = operator if is_here or is_input else ">"

    def _end_word(self) -> None:
        if not self._has_word:
            return
        text = "".join(self._parts)
        is_list = text[:1] == "$" and text[-2:] in ("$@", "@]")  # also within quotes
        may_vanish = self._is_expanded and (is_list or not self._is_solid)
        word = ShellWord(text, self._is_expanded, may_vanish, tuple(self._inner), self._pattern())
        if self._awaited in ("<<", "<<-"):
            if self._is_expanded and "$" in text:
                raise ShellSyntaxError  # shells take such an end as it is written, or do not agree
            self._here_ends.append((word.text, self._awaited == "<<-", self._is_quoted))
            self._origin, self._source = OTHER, None
        elif self._awaited[:1] == "<":
            self._origin = OTHER
            self._source = None if self._awaited == "<<<" else word
            if self._awaited == "<&" and word.text != "-":
                self._origin = AGENT  # a copy of some descriptor
        elif not self._awaited:
            self._keep_word(word)
        self._awaited = ""
        self._start_word()

    def _keep_word(self, word: ShellWord) -> None:
        """Keep a word, but not what the shell reads as its own before a program."""
        if not self._words and not self._is_quoted:
            if word.text == "case":
                self._before_pattern = len(self.commands)
                self._groups.append(_CASE)
            elif word.text == "esac" and self._is_in_case():
                self._groups.pop()
            if word.text in _ENDS_OF_GROUPS:
                self._first = 0
            if word.text in _RESERVED:
                return
        self._words.append(word)
        if len(self._words) == 3 and self._words[0].text == "function" and word.text == "{":  # noqa: PLR2004 - `function f {`
            self._words.clear()

    def _end_command(self, origin: str) -> None:
        self._end_word()
        words, source = tuple(self._words), self._source
        if words or source is not None:  # `$(<file)` is what `$(cat <file)` is
            command = SimpleCommand(words or (ShellWord("cat"),), self._origin, source, self._feeders)
            self.commands.append(command)
        self._start_command(origin)

    def _skip_here_documents(self) -> None:
        """Go past the texts of here-documents; what the shell runs in them counts."""
        for end, has_tabs, is_quoted in self._here_ends:
            start, after = self.at, self.at
            while self.at < len(self.text):
                newline = self.text.find("\n", self.at)
                after = newline + 1 if newline >= 0 else len(self.text)
                line = self.text[self.at : after].removesuffix("\n")
                if (line.lstrip("\t") if has_tabs else line) == end:
                    break
                self.at = after
            if not is_quoted:
                inner = _Scanner(self.text[start : self.at], 0, self.depth + 1)
                inner.scan_here_document()
                self._keep_commands(inner.commands)
            self.at = after
        self._here_ends.clear()

    def scan_here_document(self) -> None:
        """Read a text in which only expansions count."""
        while self.at < len(self.text):
            one = self._next_character()
            if one == "\\":
                self.at += 1
            elif one in "$`":
                self._scan_expansion(one, is_quoted=True)
