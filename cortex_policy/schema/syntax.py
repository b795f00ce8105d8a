"""Why a text is no JSON: the likely cause, told at its place, all that are independent in one run."""

import re

from cortex_policy.core.decode import MAX_BYTES, Malformed, decode_json
from cortex_policy.core.spans import Stopped, scan
from cortex_policy.schema.problems import Finding
from cortex_policy.schema.recovering import Reader, shortened

_BOMS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
_SHELL = re.compile(
    r"\s*(?:#!|(?:export |local |readonly |declare )?[A-Za-z_][A-Za-z0-9_]*=|(?:cat|echo|printf|tee|jq) |set -)"
)
_SHELL_END = re.compile(r"[}\]]\s*('\s*\S*|EOF|END|EOT|JSON)\s*\Z")
_OURS, _THEIRS = re.compile(r"^<{7} ?([^\r\n]*)", re.MULTILINE), re.compile(r"^>{7} ?([^\r\n]*)", re.MULTILINE)
_JAVASCRIPT = re.compile(r"(?:module\.exports|export\s+default|(?:const|let|var)\s)")
_TOML = re.compile(r"(?:[A-Za-z_][\w.-]*[ \t]+=[ \t]|\[[A-Za-z_][\w.-]*\][ \t]*\r?\n)")
_YAML = re.compile(r"(?:---|[A-Za-z_][A-Za-z0-9_-]*:(?:\s|\Z)|- )")
_OTHERS = {
    "it is HTML": re.compile(r"<(?:!doctype|html|head|body)", re.IGNORECASE),
    "it is XML": re.compile(r"<\?xml"),
    "it is what git-lfs keeps in place of a file": re.compile(r"version https://git-lfs"),
    "it is Markdown around JSON": re.compile("```"),
    "it is JavaScript": _JAVASCRIPT,
    "it looks like TOML": _TOML,
    "it looks like YAML": _YAML,
}
_REMADE = "put the grant itself here, or make one with `cortex-policy new ID`"


def faults(data: bytes) -> tuple[Finding, ...]:
    """Return why `decode_json` refuses these bytes; nothing where it does not."""
    try:
        decode_json(data)
    except Malformed as error:
        return _whole(data) or Reader(data.decode()).findings() or (_plainly(data, error),)
    return ()


def _whole(data: bytes) -> tuple[Finding, ...]:
    """Return the one cause that lies in the file as a whole, if it does."""
    if len(data) > MAX_BYTES:
        message = f"it is larger than {MAX_BYTES} bytes"
        return (
            Finding("syntax-limit", message, "a grant is small: what else is in it belongs elsewhere", span=(0, 1)),
        )
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return (_encoding(data, error.start),)
    if len(text) < text.count("\0") * 4 < len(text) * 3:  # every other byte, where all of it is ASCII
        word = "UTF-16LE" if text[0] != "\0" else "UTF-16BE"
        hint = f"write it anew: `iconv -f {word} -t UTF-8 FILE`"
        return (Finding("syntax-encoding", f"it is {word}, and not UTF-8", hint, span=(0, 1)),)
    if text.startswith("\ufeff"):
        hint = "save it as UTF-8 without one, or remove it with `sed -i '1s/^\\xef\\xbb\\xbf//' FILE`"
        return (Finding("syntax-bom", "it starts with a byte order mark", hint, span=(0, 1)),)
    if not text.strip():
        return (Finding("syntax-json", "it is empty", _REMADE, span=(0, 0)),)
    found = _conflict(text) or _shell(text) or _other(text)
    return (found,) if found is not None else ()


def _encoding(data: bytes, start: int) -> Finding:
    before = len(data[:start].decode("utf-8"))
    word = _BOMS.get(data[:2], "UTF-16" if data[:200].count(0) > len(data[:200]) // 4 else "LATIN1")
    hint = f"if it is {word}: `iconv -f {word} -t UTF-8 FILE`"
    return Finding("syntax-encoding", f"byte {start + 1} is not UTF-8", hint, span=(before, before + 1))


def _conflict(text: str) -> Finding | None:
    ours = _OURS.search(text)
    if ours is None:
        return None
    theirs = _THEIRS.search(text, ours.end())
    sides = [f"`{shortened(side[1])}`" for side in (ours, theirs) if side is not None and side[1]]
    message = "it holds conflict markers of a merge" + (f": {' and '.join(sides)}" if sides else "")
    hint = "choose what is to hold, then accept it with `cortex-policy stamp write`"
    return Finding("syntax-conflict", message, hint, span=ours.span())


def _shell(text: str) -> Finding | None:
    begin = _SHELL.match(text)
    if begin is not None:
        brace = text.find("{")
        line = text.count("\n", 0, brace) + 1
        message = "it is shell around JSON" + (f", which begins at line {line}" if brace >= 0 else "")
        ends = [end for end in (brace, text.find("\n", begin.end())) if end >= 0]
        return Finding("syntax-shell", message, _REMADE, span=(0, min([*ends, len(text)])))
    end = _SHELL_END.search(text, max(0, len(text) - 200))
    if end is None or not text.lstrip().startswith(("{", "[")):
        return None
    last, stop = end.start(1), len(text.rstrip())
    message = f"it ends in what is left of a shell script: `{shortened(text[last:stop])}`"
    return Finding("syntax-shell", message, "remove what follows the last brace", span=(last, stop))


def _other(text: str) -> Finding | None:
    start = len(text) - len(text.lstrip())
    for message, pattern in _OTHERS.items():
        if pattern.match(text, start):
            end = text.find("\n", start)
            return Finding("syntax-json", message, _REMADE, span=(start, end if end >= 0 else len(text)))
    return None


def _plainly(data: bytes, error: Malformed) -> Finding:
    """Say what the strict reader says, where no cause was recognised."""
    try:
        scan(data.decode())
    except Stopped as stop:
        return Finding("syntax-json", stop.why, span=(stop.offset, stop.offset + 1))
    return Finding("syntax-json", str(error), span=(0, 1))
