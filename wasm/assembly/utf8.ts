// UTF-8 in the memory, and texts. Half of a character, which no bytes here have, is written as three.

import { isLoneSurrogate, isSurrogate } from "./text";

export function bytesOfCharacter(code: i32): i32 {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** The text of bytes, up to the first sequence that is not UTF-8: `end` is its offset, or the size. */
export class DecodedText {
  text: string = "";
  end: i32 = 0;
  private to: usize; // where the next unit goes

  constructor(place: usize, size: i32) {
    const units = __new(<usize>size << 1, idof<string>());
    this.to = units;
    while (this.end < size) {
      const first = load<u8>(place + this.end);
      if (first < 0x80) {
        this.push(first);
        this.end += 1;
      } else {
        const length = this.pushSequence(place + this.end, size - this.end);
        if (!length) break;
        this.end += length;
      }
    }
    this.text = changetype<string>(__renew(units, this.to - units));
  }

  @inline
  private push(unit: u32): void {
    store<u16>(this.to, unit);
    this.to += 2;
  }

  /** Read a character outside of ASCII; return the length of its sequence, 0 if it is none. */
  private pushSequence(place: usize, size: i32): i32 {
    const length = <i32>clz(~(<u32>load<u8>(place) << 24));
    if (length < 2 || length > min(size, 4)) return 0;
    let code = <i32>load<u8>(place) & (0x7f >> length);
    for (let index = 1; index < length; index += 1) {
      const byte = load<u8>(place + index);
      if (byte >> 6 != 2) return 0;
      code = (code << 6) | (byte & 0x3f);
    }
    if (bytesOfCharacter(code) != length || isSurrogate(code) || code > 0x10ffff) return 0;
    if (length == 4) {
      this.push(0xd7c0 + (code >> 10)); // 0xd800, less the 0x10000 that a pair does not count
      code = 0xdc00 | (code & 0x3ff);
    }
    this.push(code);
    return length;
  }
}

/** Return the text of bytes; those that are not UTF-8 trap. */
export function readText(place: usize, size: i32): string {
  const decoded = new DecodedText(place, size);
  if (decoded.end < size) unreachable();
  return decoded.text;
}

// @ts-ignore: decorator
@inline
function unitAt(text: string, at: i32): i32 {
  return load<u16>(changetype<usize>(text) + (<usize>at << 1));
}

export function utf8Length(text: string): i32 {
  let length = text.length;
  for (let at = 0; at < text.length; at += 1) {
    const unit = unitAt(text, at);
    if (unit >= 0x80) length += unit < 0x800 || (isSurrogate(unit) && !isLoneSurrogate(text, at)) ? 1 : 2;
  }
  return length;
}

/** Write a text into memory of its own; return its place. */
export function writeUtf8(text: string): usize {
  const place = __alloc(utf8Length(text));
  let to = place;
  for (let at = 0; at < text.length; at += 1) {
    let code = unitAt(text, at);
    let size = 1;
    if (code >= 0x80) {
      code = text.codePointAt(at);
      size = bytesOfCharacter(code);
      if (size == 4) at += 1;
      for (let index = size - 1; index > 0; index -= 1) {
        store<u8>(to + index, 0x80 | (code & 0x3f));
        code >>= 6;
      }
      code |= 0xff00 >> size;
    }
    store<u8>(to, code);
    to += size;
  }
  return place;
}
