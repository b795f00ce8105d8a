// Memory: each call begins where the loaded grants end, and nothing is freed before the next call.
//
// It is the runtime of the compiler, in place of a garbage collector. Whoever shares one memory between threads gives
// each thread a region of its own. What does not fit into it traps, and the loader denies.

import { AL_MASK, OBJECT, OBJECT_OVERHEAD, BLOCK, BLOCK_OVERHEAD, BLOCK_MAXSIZE, OBJECT_MAXSIZE } from "rt/common";

let offset: usize = 0;
let end: usize = 0;
let available: usize = 0; // what this thread knows to be there: asking takes longer than most calls of `reserve`

/** Use the bytes from `start` to `behind` from now on. */
export function useRegion(start: usize, behind: usize): void {
  offset = ((start + BLOCK_OVERHEAD + AL_MASK) & ~AL_MASK) - BLOCK_OVERHEAD;
  end = behind;
}

/** Return where the next object will be. */
export function mark(): usize {
  return offset;
}

/** Forget all objects behind a mark. */
export function release(place: usize): void {
  offset = place;
}

function reserve(newOffset: usize): void {
  if (newOffset > end || newOffset < offset) unreachable();
  if (newOffset > available) growTo(newOffset);
  offset = newOffset;
}

/** Make the memory reach to here; another thread may have done so. */
export function growTo(place: usize): void {
  for (available = <usize>memory.size() << 16; available < place; available = <usize>memory.size() << 16) {
    const missing = ((place - available) >>> 16) + 16;
    if (memory.grow(<i32>missing) < 0 && memory.grow(1) < 0 && place > <usize>memory.size() << 16) unreachable();
  }
}

// @ts-ignore: decorator
@unsafe @global
export function __alloc(size: usize): usize {
  if (size > BLOCK_MAXSIZE) unreachable();
  const place = offset + BLOCK_OVERHEAD;
  const payload = ((size + BLOCK_OVERHEAD + AL_MASK) & ~AL_MASK) - BLOCK_OVERHEAD;
  const block = changetype<BLOCK>(offset);
  reserve(place + payload);
  block.mmInfo = payload;
  return place;
}

// @ts-ignore: decorator
@unsafe @global
export function __realloc(place: usize, size: usize): usize {
  const block = changetype<BLOCK>(place - BLOCK_OVERHEAD);
  const actual = block.mmInfo;
  if (size <= actual) return place;
  if (place + actual == offset) {
    const payload = ((size + BLOCK_OVERHEAD + AL_MASK) & ~AL_MASK) - BLOCK_OVERHEAD;
    reserve(place + payload);
    block.mmInfo = payload;
    return place;
  }
  const copy = __alloc(max(size, actual << 1));
  memory.copy(copy, place, actual);
  return copy;
}

// @ts-ignore: decorator
@unsafe @global
export function __free(place: usize): void {}

// @ts-ignore: decorator
@unsafe @global
export function __new(size: usize, id: u32): usize {
  if (size > OBJECT_MAXSIZE) unreachable();
  const place = __alloc(OBJECT_OVERHEAD + size);
  const object = changetype<OBJECT>(place - BLOCK_OVERHEAD);
  object.gcInfo = 0;
  object.gcInfo2 = 0;
  object.rtId = id;
  object.rtSize = <u32>size;
  return place + OBJECT_OVERHEAD;
}

// @ts-ignore: decorator
@unsafe @global
export function __renew(old: usize, size: usize): usize {
  if (size > OBJECT_MAXSIZE) unreachable();
  const place = __realloc(old - OBJECT_OVERHEAD, OBJECT_OVERHEAD + size);
  changetype<OBJECT>(place - BLOCK_OVERHEAD).rtSize = <u32>size;
  return place + OBJECT_OVERHEAD;
}

// @ts-ignore: decorator
@unsafe @global
export function __link(parent: usize, child: usize, expectMultiple: bool): void {}

// @ts-ignore: decorator
@unsafe @global
export function __pin(place: usize): usize {
  return place;
}

// @ts-ignore: decorator
@unsafe @global
export function __unpin(place: usize): void {}

// @ts-ignore: decorator
@unsafe @global
function __visit(place: usize, cookie: u32): void {}

// @ts-ignore: decorator
@unsafe @global
export function __collect(): void {}
