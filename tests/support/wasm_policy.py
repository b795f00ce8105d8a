"""policy.wasm in Python: what a host does with it, in a few lines."""

import ctypes
import json
from functools import cache
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime import _ffi as ffi

MODULE = Path(__file__).parents[2] / "wasm" / "policy.wasm"
PAGE = 1 << 16
MAX_PAGES = 1 << 14  # 1 GiB


class _Memory(wasmtime.SharedMemory):
    """A shared memory that can be passed to a module: in wasmtime 50 its own conversion takes one pointer too many."""

    def _as_extern(self) -> Any:
        union = ffi.wasmtime_extern_union(sharedmemory=self.ptr())
        return ffi.wasmtime_extern_t(ffi.WASMTIME_EXTERN_SHAREDMEMORY, union)


@cache
def _engine() -> wasmtime.Engine:
    """Return an engine that knows shared memory."""
    config = wasmtime.Config()
    config.wasm_threads = True
    config.shared_memory = True
    return wasmtime.Engine(config)


@cache
def _compile(data: bytes) -> wasmtime.Module:
    return wasmtime.Module(_engine(), data)


def _read_number(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and the offset behind it."""
    number = shift = 0
    while data[at] & 0x80:
        number |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
    return number | data[at] << shift, at + 1


def preloaded_content(data: bytes) -> bytes | None:
    """Return what `cortex-policy export` appended to a module, None for one without grants."""
    at = 8
    while at < len(data):
        kind = data[at]
        size, at = _read_number(data, at + 1)
        name_size, start = _read_number(data, at)
        if kind == 0 and data[start : start + name_size] == b"cortex-policy":
            return data[start + name_size : at + size]
        at += size
    return None


class WasmPolicy:
    """One instance of the module, with a memory of its own."""

    def __init__(self, data: bytes, ring_bytes: int = 1 << 20, heap_bytes: int = 1 << 27) -> None:
        """Begin, with the grants that were exported."""
        engine, module = _engine(), _compile(data)
        self.store = wasmtime.Store(engine)
        self.memory = _Memory(engine, wasmtime.MemoryType(wasmtime.Limits(1, MAX_PAGES), shared=True))
        instance = wasmtime.Instance(self.store, module, [self.memory])
        self.exports = {name: instance.exports(self.store)[name] for name in [export.name for export in module.exports]}
        assert self.call("prepare", ring_bytes, heap_bytes)
        content = preloaded_content(data)
        if content is not None:
            assert self.call("preload", self.write(content)) >= 0, self.read()

    def call(self, name: str, *numbers: int) -> Any:
        """Call an export with numbers."""
        return self.exports[name](self.store, *numbers)

    def write(self, data: bytes) -> int:
        """Put the input of a call into the memory; return its size."""
        ctypes.memmove(self._address(self.call("reserve", len(data))), data, len(data))
        return len(data)

    def read(self) -> Any:
        """Return the answer of the last call."""
        size = self.call("answer_size")
        return json.loads(ctypes.string_at(self._address(self.call("answer")), size)) if size else None

    def _address(self, place: int) -> int:
        return ctypes.addressof(self.memory.data_ptr().contents) + (place & 0xFFFFFFFF)

    def load(self, grant_id: str, data: bytes) -> int:
        """Return the handle of a grant, -1 for one that does not decode: the answer says why."""
        size = self.write(grant_id.encode() + data)
        return int(self.call("load", len(grant_id.encode()), size))

    def configure(self, settings: dict[str, Any]) -> None:
        """Set what an operator sets."""
        assert self.call("configure", self.write(json.dumps(settings).encode())), self.read()

    def find(self, grant_id: str) -> int:
        """Return the handle of a loaded grant, -1 if there is none."""
        return int(self.call("find", self.write(grant_id.encode())))

    def decide(self, handle: int, request: str, nanoseconds: int = 0) -> Any:
        """Return the decision on a request, which is JSON."""
        self.call("decide", handle, self.write(request.encode()), nanoseconds)
        return self.read()

    def examine(self, question: str, nanoseconds: int = 0) -> Any:
        """Return the answer to a question of conformance/README.md."""
        assert self.call("examine", self.write(question.encode()), nanoseconds), question[:200]
        return self.read()
