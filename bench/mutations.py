"""The share of single changes of grants that the first case file of each notices: python bench/mutations.py [FILE...].

A change counts where `diff` calls it widened, narrowed or both. Of those, some change which calls are allowed; the rest
change whose budget is used (`tool`), or a class without duties.
"""

import json
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from cortex_policy.core.decode import decode_grant_document
from cortex_policy.manage.cases.first_cases import generate_case_file_with_coverage
from cortex_policy.manage.cases.model import CaseFile
from cortex_policy.manage.cases.parser import read_case_file_collecting_errors
from cortex_policy.manage.cases.runner import GrantUnderTest
from cortex_policy.manage.cases.serializer import format_generated_cases_as_toml
from tests.support.mutants import Score, score

TOP = Path(__file__).parent.parent
USUAL = (TOP / ".cortex" / "policy" / "tools", TOP / "tests" / "documents" / "valid")
VERBOSE = "-v"


def write_first_cases(document: object, grant_id: str) -> CaseFile:
    """Return the first case file of a grant, as it is read from the disk."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "x.cases.toml")
        subject = GrantUnderTest(decode_grant_document(document, grant_id), json.dumps(document).encode(), grant_id)
        path.write_text(format_generated_cases_as_toml(generate_case_file_with_coverage(subject, path.name)[0]))
        return read_case_file_collecting_errors(str(path), path.name)


def row(path: Path) -> Score:
    """Print what was noticed of the changes of one grant."""
    document = json.loads(path.read_bytes().decode("utf-8"))
    file = write_first_cases(document, path.stem)
    found = score(document, path.stem, file)
    noticed = found.total - len(found.missed)
    deciding = f"{found.deciding - len(found.missed_deciding)} of {found.deciding}"
    cells = (path.stem, len(file.cases), found.total, found.by_cases, noticed, deciding)
    print("|", " | ".join(map(str, cells)), "|")
    for mutant in found.missed if VERBOSE in sys.argv else ():
        print(f"    missed: {mutant.said}")
    return found


def main() -> int:
    """Print a row for each grant, and the share of all."""
    named = [Path(word) for word in sys.argv[1:] if word != VERBOSE]
    files = [file for place in named or USUAL for file in (sorted(place.glob("*.json")) if place.is_dir() else [place])]
    print("| grant | cases | changes | noticed by a case | with `complete` | that change which calls are allowed |")
    print("|---|---:|---:|---:|---:|---:|")
    scores = [row(file) for file in files]
    total, missed = sum(one.total for one in scores), sum(len(one.missed) for one in scores)
    deciding, lost = sum(one.deciding for one in scores), sum(len(one.missed_deciding) for one in scores)
    shares = [100 * sum(one.by_cases for one in scores) / total, 100 * (total - missed) / total]
    print(f"\n{shares[0]:.1f}% of {total} changes fail a case, {shares[1]:.1f}% with `complete`;")
    print(f"{100 * (deciding - lost) / deciding:.1f}% of the {deciding} that change which calls are allowed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
