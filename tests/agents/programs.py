"""The real agent programs, by the word after `hook`."""

from tests.agents.program import Program
from tests.agents.program_claude import Claude
from tests.agents.program_codex import Codex
from tests.agents.program_copilot import Copilot
from tests.agents.program_gemini import Gemini

PROGRAMS: dict[str, type[Program]] = {each.agent: each for each in (Claude, Codex, Gemini, Copilot)}
