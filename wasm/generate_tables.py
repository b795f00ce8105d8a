"""Write assembly/tables.ts from Python's tables of Unicode: letters, upper case, and what folds to ASCII."""

import sys
import unicodedata
from itertools import groupby
from pathlib import Path

VERSION = "14.0.0"  # that of Python 3.11, the oldest that we support: later ones only add characters
TABLES = Path(__file__).parent / "assembly" / "tables.ts"


def run_lengths(flags: list[bool]) -> list[int]:
    """Return how many characters in turn are outside and inside, as numbers of seven bits a byte."""
    runs = [len(list(run)) for _, run in groupby(flags)]
    packed = []
    for length in runs if flags[-1] else runs[:-1]:
        rest = length
        while rest > 0x7F:
            packed.append(rest & 0x7F | 0x80)
            rest >>= 7
        packed.append(rest)
    return packed


def table_text(name: str, doc: str, numbers: list[int]) -> str:
    """Return a table as source."""
    lines = [", ".join(map(str, numbers[at : at + 30])) for at in range(0, len(numbers), 30)]
    return f"/** {doc} */\nexport const {name}: StaticArray<u8> = [\n  " + ",\n  ".join(lines) + ",\n];\n"


def main() -> None:
    """Write the file; `--check` fails if it differs."""
    if unicodedata.unidata_version != VERSION:
        sys.exit(f"this needs a Python with Unicode {VERSION}, as Python 3.11 has")
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    folds = [(ord(one), one.casefold()) for one in characters[128:] if one.casefold().isascii()]
    pairs = ", ".join(f'"{code:x}", "{text}"' for code, text in folds)
    text = "\n".join([
        f"// Written by generate_tables.py from Unicode {VERSION}: run-length encoded, seven bits a byte.\n",
        table_text("LETTERS", "Characters of the general category L.", run_lengths([one.isalpha() for one in characters])),
        table_text("UPPERS", "Characters with the property Uppercase.", run_lengths([one.isupper() for one in characters])),
        f"/** Characters outside of ASCII, in base 16, that fold to ASCII, and what to. */\n"
        f"export const FOLDS: StaticArray<string> = [{pairs}];\n",
    ])  # fmt: skip
    if "--check" not in sys.argv:
        TABLES.write_text(text)
    elif TABLES.read_text() != text:
        sys.exit("wasm/assembly/tables.ts differs: run wasm/generate_tables.py")


if __name__ == "__main__":
    main()
