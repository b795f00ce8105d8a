"""`check --batch` and `check --request`: calls that come as JSON instead of words."""

import errno
import os
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cortex_policy.batch.answerer import Answerer
from cortex_policy.batch.authzen import answer_one_or_more_evaluations, make_error_answer
from cortex_policy.batch.stream import LineAnswerLoop
from cortex_policy.core.decode import MAX_BYTES, MalformedError, decode_json
from cortex_policy.core.json_text import format_ascii_json
from cortex_policy.core.model import NOT_DONE, UsageError
from cortex_policy.core.text import escape_job_commands_in_ascii_json, escape_message_to_one_line, format_os_error_cause
from cortex_policy.state import read_up_to

if TYPE_CHECKING:
    from collections.abc import Iterator

_STDIN = "-"


def answer_batch(file: str, answerer: Answerer) -> int:
    """Answer each line of a file on standard output, and return the exit code."""
    loop = LineAnswerLoop(answerer.answer_line)
    with _open_request_file(file) as source:
        try:
            loop.answer_all(source, 1)
        except OSError as error:
            if error.errno != errno.EPIPE:  # otherwise nobody reads the rest
                # not as an error of the command, which would say that nothing was changed: calls were counted
                why = f"the lines of `{file}` cannot be answered: {format_os_error_cause(error)}"
                sys.stderr.write(f"cortex-policy: {escape_message_to_one_line(why)}\n")
            # what was not answered was not allowed
            return loop.first_code or NOT_DONE.exit_code
    return loop.exit_code


def answer_authzen_request(file: str, answerer: Answerer) -> int:
    """Answer an AuthZEN request on standard output, and return the exit code."""
    with _open_request_file(file) as source:
        try:
            document = decode_json(read_up_to(source, MAX_BYTES + 1))
            answer, code = answer_one_or_more_evaluations(document, answerer.answer_members)
        except MalformedError as error:
            answer, code = make_error_answer(UsageError(f"the request is not JSON: {error}"))
        except UsageError as error:
            answer, code = make_error_answer(error)
        except OSError as error:
            raise _unreadable_file_error(file, error) from None
    sys.stdout.write(escape_job_commands_in_ascii_json(format_ascii_json(answer)) + "\n")
    return code


@contextmanager
def _open_request_file(file: str) -> "Iterator[int]":
    """Open a file of requests, or standard input; raise UsageError if it cannot be read."""
    if file == _STDIN:
        yield 0
        return
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except (OSError, ValueError) as error:
        raise _unreadable_file_error(file, error) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _unreadable_file_error(file: str, error: Exception) -> UsageError:
    return UsageError(f"`{file}` cannot be read: {format_os_error_cause(error)}")
