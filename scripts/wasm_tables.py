"""Write wasm/assembly/tables.ts from Python's tables of Unicode: letters, upper case, and what folds to ASCII."""

import sys
import unicodedata
from itertools import groupby
from pathlib import Path

VERSION = "14.0.0"  # that of Python 3.11, the oldest that we support: later ones only add characters
TABLES = Path(__file__).parents[1] / "wasm" / "assembly" / "tables.ts"


def run_lengths(flags: list[bool]) -> list[int]:
    """Return how many characters in turn are outside and inside, as numbers of seven bits a byte.

    A 0 and a number stand for as many lengths of 1.
    """
    runs = [len(list(run)) for _, run in groupby(flags)]
    packed = []
    for length, same in groupby(runs if flags[-1] else runs[:-1]):
        count = len(list(same))
        if length == 1 and count > 2:  # noqa: PLR2004 - fewer are not shorter so
            packed += [0, count]
            continue
        packed += count * number_bytes(length)
    return packed


def number_bytes(rest: int) -> list[int]:
    """Return a number, the lowest bits first."""
    low_bits, packed = 0x7F, []
    while rest > low_bits:
        packed.append(rest & low_bits | 0x80)
        rest >>= 7
    return [*packed, rest]


def table_text(name: str, doc: str, numbers: list[int]) -> str:
    """Return a table as source."""
    lines = [", ".join(map(str, numbers[at : at + 30])) for at in range(0, len(numbers), 30)]
    return f"/** {doc} */\nexport const {name}: StaticArray<u8> = [\n  " + ",\n  ".join(lines) + ",\n];\n"


def main() -> None:
    """Write the file; `--check` fails if it differs, and only says so if this Python has another Unicode."""
    if unicodedata.unidata_version != VERSION:
        needed = f"this needs a Python with Unicode {VERSION}, as Python 3.11 has, not {unicodedata.unidata_version}"
        if "--check" not in sys.argv:
            sys.exit(needed)
        sys.stdout.write(f"wasm/assembly/tables.ts was not checked: {needed}\n")
        return
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    folds = [(ord(one), one.casefold()) for one in characters[128:] if one.casefold().isascii()]
    pairs = "".join(f"{code}={text};" for code, text in folds)
    letters, uppers = (
        run_lengths([one.isalpha() for one in characters]),
        run_lengths([one.isupper() for one in characters]),
    )
    text = "\n".join([
        f"// Written by scripts/wasm_tables.py from Unicode {VERSION}: run-length encoded, seven bits a byte.\n",
        table_text("LETTERS", "Characters of the general category L.", letters),
        table_text("UPPERS", "Characters with the property Uppercase.", uppers),
        "/** Characters outside of ASCII that fold to ASCII, and what to. */",
        f'export function folds(): string {{\n  return ";{pairs}";\n}}\n',
    ])  # fmt: skip
    if "--check" not in sys.argv:
        TABLES.write_text(text)
    elif TABLES.read_text() != text:
        sys.exit("wasm/assembly/tables.ts differs: run scripts/wasm_tables.py")


if __name__ == "__main__":
    main()
