"""What `$'...'` becomes in bash."""

_ESCAPES = dict(zip("abefnrtvE\\'\"?", "\a\b\x1b\f\n\r\t\v\x1b\\'\"?", strict=True))
_DIGITS = {"x": 2, "u": 4, "U": 8}  # how many may be after it
_ASCII_END = 0x80


def decode_inside_of_ansi_c_quotes_or_none(text: str) -> str | None:
    """Return what `$'...'` becomes in bash; None if that is not sure, as with bytes that are not ASCII."""
    parts, at = list[str](), 0
    while at < len(text):
        one, at = text[at], at + 1
        if one == "\\":
            one, at = _decode_escape(text, at)
        if not one:
            return None
        if one == "\0":
            break  # bash drops the rest
        parts.append(one)
    return "".join(parts)


def _decode_escape(text: str, at: int) -> "tuple[str, int]":
    """Return the character for what is after a backslash, '' if that is not sure, and the place after it."""
    kind = text[at]
    if kind in _ESCAPES:
        return _ESCAPES[kind], at + 1
    if kind == "c":
        return _control_character(text[at + 1 : at + 2]), at + 2
    is_octal = kind in "01234567"
    start, digits = (at, "01234567") if is_octal else (at + 1, "0123456789abcdefABCDEF")
    is_braced = kind == "x" and text[start : start + 1] == "{"
    start += is_braced
    most = len(text) if is_braced else 3 if is_octal else _DIGITS.get(kind, 0)
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
