// Read escapes and classes of a pattern as the bounds of ranges of code points.
//
// Bounds are sorted: the even ones begin a range, the odd ones are one past its end.

import { hexDigit, isDigit } from "../json";
import { emptyList } from "../lists";
import { sortBy } from "../sort";
import { codePointsOf, textOf } from "../text";

export const END = 0x110000; // behind the last code point
const NOTHING = -1; // no code point
const A_SET = -2; // `set` has the bounds

const NUMBERS: StaticArray<i32> = [48, 58];
export const WORDS: StaticArray<i32> = [48, 58, 65, 91, 95, 96, 97, 123];
const SPACES: StaticArray<i32> = [
  9, 14, 32, 33, 0xa0, 0xa1, 0x1680, 0x1681, 0x2000, 0x200b, 0x2028, 0x202a, 0x202f, 0x2030, 0x205f, 0x2060, 0x3000, 0x3001,
  0xfeff, 0xff00,
];
const LINE_ENDS: StaticArray<i32> = [10, 11, 13, 14, 0x2028, 0x202a];

function boundsOf(fixed: StaticArray<i32>): i32[] {
  return fixed.slice<Array<i32>>();
}

export function boundsOfDot(): i32[] {
  return invertBounds(boundsOf(LINE_ENDS));
}

function invertBounds(bounds: i32[]): i32[] {
  const inner = bounds.length > 0 && bounds[0] == 0 ? bounds.slice(1) : [0].concat(bounds);
  return inner.length > 0 && inner[inner.length - 1] == END ? inner.slice(0, -1) : inner.concat([END]);
}

/** A range, which ends one past its last code point. */
class Range {
  constructor(public low: i32, public behind: i32) {}
}

function unionOfRanges(ranges: Range[]): i32[] {
  const bounds = emptyList<i32>();
  sortBy(ranges, (a: Range, b: Range) => (a.low != b.low ? a.low - b.low : a.behind - b.behind));
  for (let at = 0; at < ranges.length; at += 1) {
    const last = bounds.length - 1;
    if (last >= 0 && ranges[at].low <= bounds[last]) {
      bounds[last] = max(bounds[last], ranges[at].behind);
    } else {
      bounds.push(ranges[at].low);
      bounds.push(ranges[at].behind);
    }
  }
  return bounds;
}

/** Reads one pattern; each method moves `at` past what it read. Once there is an `error`, nothing counts any more. */
export class CharacterReader {
  error: string = "";
  protected text: i32[];
  protected at: i32 = 0;
  protected set: i32[] = emptyList<i32>();

  constructor(text: string) {
    this.text = codePointsOf(text);
  }

  protected peek(ahead: i32 = 0): i32 {
    const at = this.at + ahead;
    return at < this.text.length ? this.text[at] : NOTHING;
  }

  /** Refuse the character at an offset, or the last one read. */
  protected fail(what: string, at: i32 = this.at - 1): void {
    if (!this.error.length) this.error = `${what}, at character ${at + 1}`;
  }

  protected skip(code: i32): bool {
    const isFound = this.peek() == code;
    if (isFound) this.at += 1;
    return isFound;
  }

  /** Read up to and including a character and return the text before it, '' if it does not follow. */
  protected readThroughOrEmpty(end: i32): string {
    const found = this.text.indexOf(end, this.at);
    if (found < 0) return "";
    const word = textOf(this.text, this.at, found);
    this.at = found + 1;
    return word;
  }

  /** Read a class, behind its `[`, as bounds. */
  protected readClass(): i32[] {
    const start = this.at - 1;
    const isNegated = this.skip(94);
    const ranges = emptyList<Range>();
    while (!this.error.length && !this.skip(93)) {
      const low = this.readClassAtom(start);
      if (this.peek() == 45 && this.peek(1) != 93 && this.peek(1) != NOTHING) {
        this.at += 1;
        const high = this.readClassAtom(start);
        if (low < 0 || high < 0 || low > high) this.fail("a range that ends before it starts");
        ranges.push(new Range(low, high + 1));
      } else if (low >= 0) {
        ranges.push(new Range(low, low + 1));
      } else {
        for (let at = 0; at + 1 < this.set.length; at += 2) ranges.push(new Range(this.set[at], this.set[at + 1]));
      }
    }
    if (this.error.length) return emptyList<i32>();
    const bounds = unionOfRanges(ranges);
    return isNegated ? invertBounds(bounds) : bounds;
  }

  private readClassAtom(start: i32): i32 {
    if (this.at >= this.text.length) {
      this.fail("a class that is not closed", start);
      return NOTHING;
    }
    const code = this.text[this.at];
    this.at += 1;
    if (code != 92) return code;
    if (this.skip(98)) return 8;
    return this.skip(45) ? 45 : this.readEscape();
  }

  /** Read what follows a backslash, as bounds. */
  protected readEscapeAsBounds(): i32[] {
    const code = this.readEscape();
    return code == A_SET ? this.set : [code, code + 1];
  }

  /** Read what follows a backslash: a code point, or A_SET. */
  private readEscape(): i32 {
    const start = this.at - 1;
    const code = this.peek();
    this.at += 1;
    if (isSyntax(code)) return code;
    if (code == 102) return 12;
    if (code == 110) return 10;
    if (code == 114) return 13;
    if (code == 116) return 9;
    if (code == 118) return 11;
    if (this.readNamedSet(code)) return A_SET;
    if (code != 117 && code != 120) return this.readRareEscape(code, start);
    const found = code == 117 ? this.readUnicodeEscape() : this.readHex(2);
    return found == NOTHING ? this.failUnknownEscape(code, start) : found;
  }

  private readNamedSet(code: i32): bool {
    const lower = code | 32;
    if (lower != 100 && lower != 115 && lower != 119) return false;
    const bounds = boundsOf(lower == 100 ? NUMBERS : lower == 115 ? SPACES : WORDS);
    this.set = code == lower ? bounds : invertBounds(bounds);
    return true;
  }

  private readRareEscape(code: i32, start: i32): i32 {
    const following = this.peek();
    if (code == 99 && isLetter(following)) {
      this.at += 1;
      return following % 32;
    }
    if (code == 48 && !isDigit(following)) return 0;
    if (code == 107 || (isDigit(code) && code != 48)) this.fail("a backreference, which is not supported", start);
    if (code == 112 || code == 80) {
      this.fail(`\`\\${String.fromCharCode(code)}\`, which is not supported: its tables change with Unicode`, start);
    }
    return this.failUnknownEscape(code, start);
  }

  private failUnknownEscape(code: i32, start: i32): i32 {
    this.fail(code != NOTHING ? `an unknown \`\\${String.fromCodePoint(code)}\`` : "a `\\` at the end", start);
    return 0;
  }

  private readHex(count: i32): i32 {
    let code = 0;
    for (let ahead = 0; ahead < count; ahead += 1) {
      const digit = hexDigit(this.peek(ahead));
      if (digit < 0) return NOTHING;
      code = code * 16 + digit;
    }
    this.at += count;
    return code;
  }

  private readUnicodeEscape(): i32 {
    if (this.skip(123)) return this.readBraces();
    const high = this.readHex(4);
    if (high >> 10 != 0x36) return high;
    const here = this.at;
    if (this.skip(92) && this.skip(117)) {
      const low = this.readHex(4);
      if (low >> 10 == 0x37) return 0x10000 + ((high - 0xd800) << 10) + low - 0xdc00;
    }
    this.at = here;
    return high;
  }

  private readBraces(): i32 {
    const digits = this.readThroughOrEmpty(125);
    let code = 0;
    for (let at = 0; at < digits.length; at += 1) {
      const digit = hexDigit(digits.charCodeAt(at));
      if (digit < 0) return NOTHING;
      code = min(code * 16 + digit, END);
    }
    return digits.length > 0 && code < END ? code : NOTHING;
  }
}

export function isLetter(code: i32): bool {
  const lower = code | 32;
  return code < 128 && lower >= 97 && lower <= 122;
}

function isSyntax(code: i32): bool {
  return code > 0 && code < 128 && "^$\\.*+?()[]{}|/".includes(String.fromCharCode(code));
}
