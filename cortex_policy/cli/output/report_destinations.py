"""Where each format of a report is written: one to standard output, others to files."""

import sys

from cortex_policy.cli.command_errors import print_error
from cortex_policy.cli.streams import is_colour_wanted, make_colour_keeping_stream, unwrap_escaping_stream
from cortex_policy.core.model import UsageError
from cortex_policy.state.missing_directory import make_file_creation_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

STDOUT = ""


def parse_report_destinations(words: list[str], formats: "Iterable[str]") -> dict[str, str]:
    """Return each format with its file; raise UsageError for an unknown format or a destination used twice."""
    known, destinations = list(formats), dict[str, str]()
    for word in words:
        name, equals, file = word.partition("=")
        if name not in known:
            raise UsageError(f"unknown format `{name}`", f"the formats are {', '.join(known)}")
        if name in destinations or (equals and not file) or file in destinations.values():
            hint = f"only one format can do without a file; give the others a file, as in `--output {known[-1]}=report`"
            raise UsageError(f"`--output {word}`: each format and each place can be named only once", hint)
        destinations[name] = file
    return destinations


def is_report_coloured(name: str, file: str) -> bool:
    """Return whether to use colours: for text on standard output, if people want them there."""
    return name == "text" and file == STDOUT and is_colour_wanted(is_terminal=sys.stdout.isatty())


def write_report(text: str, name: str, file: str) -> bool:
    """Write a report to its destination; if a file cannot be written, print why and return False."""
    if file == STDOUT:
        streams = {"text": make_colour_keeping_stream, "github": unwrap_escaping_stream}
        out = streams[name](sys.stdout) if name in streams else sys.stdout
        out.write(text)
        return True  # an output that cannot be written is reported at the end
    try:
        with open(file, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
    except OSError as error:
        print_error(make_file_creation_error(file, error, f"`{file}` cannot be written"))
        return False
    return True
