"""The simple commands in the text of a shell command, as a POSIX shell reads them (docs/hooks.md).

One module of more than 250 lines, as each module costs a hook time.
"""

from cortex_policy.core.hooks.shell_input import AGENT, OTHER, PIPE, PROCESS, ShellSyntaxError, ShellWord, SimpleCommand

MAX_NESTING = 32
_RESERVED = frozenset((
    "{", "}", "if", "then", "elif", "else", "fi", "while", "until", "do", "done", "esac", "!", "coproc",
))  # fmt: skip
_CASE = -1
_BLANK = " \t\r"
_CLOSING = frozenset('}"\\$`')
_GLOB = frozenset("*?[{")
_OPERATORS = frozenset(";&|()<>\n")
_ENDS_OF_GROUPS = frozenset(("}", "done", "fi", "esac"))
_SPECIAL_NAMES = frozenset("0123456789?$!#@*-")
_ANSI_ESCAPES = dict(zip("abefnrtvE\\'\"?", "\a\b\x1b\f\n\r\t\v\x1b\\'\"?", strict=True))
_ANSI_DIGITS = {"x": 2, "u": 4, "U": 8}  # how many may be behind it
_ASCII_END = 0x80


def simple_commands(text: str) -> "list[SimpleCommand]":
    """Return all simple commands in a text, inner ones too; raise ShellSyntaxError if it cannot be read."""
    scanner = _Scanner(text, 0)
    scanner.scan("")
    return scanner.commands


class _Scanner:
    """Reads one text, from a position up to a mark that closes it."""

    def __init__(self, text: str, at: int, depth: int = 0) -> None:
        if depth > MAX_NESTING:
            raise ShellSyntaxError
        self.text, self.at, self.depth = text, at, depth
        self.commands: list[SimpleCommand] = []
        self._here_ends: list[tuple[str, bool, bool]] = []  # each word behind `<<`: text, has tabs, is quoted
        self._first = 0  # command of the pipeline
        self._groups: list[int] = []  # the number of commands before each `(`, _CASE for `case`
        self._before_pattern = 0  # the number of commands before the last pattern of `case`
        self._start_command(AGENT)
        self._start_word()

    def _start_command(self, origin: str) -> None:
        self._words: list[ShellWord] = []
        self._origin: str = origin
        self._source: ShellWord | None = None
        self._feeders = tuple(self.commands[self._first :]) if origin == PIPE else ()
        self._awaited = ""  # the redirection whose word is next

    def _start_word(self) -> None:
        self._parts: list[str] = []
        self._has_word = self._is_expanded = self._is_solid = self._is_quoted = False
        self._inner: list[SimpleCommand] = []

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

    def _next_character(self) -> str:
        if self.at >= len(self.text):
            raise ShellSyntaxError
        self.at += 1
        return self.text[self.at - 1]

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
            self._inner += self._keep_commands(self._scan_parentheses())
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
        scanner = _Scanner("".join(inner), 0, self.depth + 1)
        scanner.scan("")
        self._parts.append("$()")
        self._inner += self._keep_commands(scanner.commands)

    def _scan_ansi_quotes(self) -> None:
        """Read `$'...'`; if it is not sure what it becomes, it may become anything."""
        inner: list[str] = []
        while (one := self._next_character()) != "'":
            inner.append(one + self._next_character() if one == "\\" else one)
        text = _decode_ansi_quotes("".join(inner))
        self._is_expanded |= text is None
        self._add_quoted_text(f"${''.join(inner)}" if text is None else text)

    def _scan_parentheses(self) -> "list[SimpleCommand]":
        """Read up to a `)`, and return the commands there."""
        scanner = _Scanner(self.text, self.at, self.depth + 1)
        scanner.scan(")")
        self.at = scanner.at
        return scanner.commands

    def _scan_array(self) -> None:
        """Read the items of an array: they are no commands, but what is replaced in them is one."""
        self.commands += [one for one in self._scan_parentheses() if one.is_substituted]

    def _keep_commands(self, commands: "list[SimpleCommand]") -> "list[SimpleCommand]":
        """Keep commands whose output becomes a part of a command."""
        marked = [SimpleCommand(**{**vars(one), "is_substituted": True}) for one in commands]
        self.commands += marked
        return marked

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

    def _scan_operator(self, one: str) -> None:
        follower = self.text[self.at : self.at + 1]
        if one in "<>" and follower == "(":
            self.at += 1
            self._has_word = self._is_solid = self._is_expanded = True
            self._inner += self._keep_commands(self._scan_parentheses())
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

    def _pattern(self) -> str:
        if not self._is_expanded:
            return ""
        return "".join("*" if len(part) > 1 and part[0] == "$" else part for part in self._parts)

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


def _decode_ansi_quotes(text: str) -> str | None:
    """Return what `$'...'` becomes in bash; None if that is not sure, as with bytes that are not ASCII."""
    parts, at = list[str](), 0
    while at < len(text):
        one, at = text[at], at + 1
        if one == "\\":
            one, at = _decode_ansi_escape(text, at)
        if not one:
            return None
        if one == "\0":
            break  # bash drops the rest
        parts.append(one)
    return "".join(parts)


def _decode_ansi_escape(text: str, at: int) -> "tuple[str, int]":
    """Return the character for what is behind a backslash, '' if that is not sure, and the place behind it."""
    kind = text[at]
    if kind in _ANSI_ESCAPES:
        return _ANSI_ESCAPES[kind], at + 1
    if kind == "c":
        return _control_character(text[at + 1 : at + 2]), at + 2
    is_octal = kind in "01234567"
    start, digits = (at, "01234567") if is_octal else (at + 1, "0123456789abcdefABCDEF")
    is_braced = kind == "x" and text[start : start + 1] == "{"
    start += is_braced
    most = len(text) if is_braced else 3 if is_octal else _ANSI_DIGITS.get(kind, 0)
    end = start
    while text[end : end + 1] and text[end] in digits and end - start < most:
        end += 1
    code = int(text[start:end] or "80", len(digits) if is_octal else 16)
    if kind not in "uU":
        code &= 0xFF
    is_closed = is_braced and text[end : end + 1] == "}"
    return chr(code) if code < _ASCII_END and end > start else "", end + is_closed


def _control_character(one: str) -> str:
    if not one or not one.isascii() or one == "\\":
        return ""
    return "\x7f" if one == "?" else chr(ord(one.upper()) & 0x1F)
