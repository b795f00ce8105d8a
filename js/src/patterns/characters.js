// Read escapes and classes of a pattern as the bounds of ranges of code points.
//
// Bounds are sorted: the even ones begin a range, the odd ones are one past its end.
"use strict";

const END = 0x110000; // behind the last code point
const SYNTAX = new Set("^$\\.*+?()[]{}|/");
const CONTROLS = new Map([["f", 12], ["n", 10], ["r", 13], ["t", 9], ["v", 11]]);
const DIGIT = /^[0-9]$/;
const LETTER = /^[A-Za-z]$/;
const HEX = /^[0-9a-fA-F]+$/;

/** A pattern that is refused; the message says why, and at which character. */
class PatternError extends Error {}

function invertBounds(bounds) {
  const inner = bounds[0] === 0 ? bounds.slice(1) : [0, ...bounds];
  return inner[inner.length - 1] === END ? inner.slice(0, -1) : [...inner, END];
}

/** Return the bounds of the union of ranges; each ends one past its last code point. */
function unionOfRanges(ranges) {
  const bounds = [];
  for (const [low, behind] of [...ranges].sort(([a, b], [c, d]) => a - c || b - d)) {
    const last = bounds.length - 1;
    if (last >= 0 && low <= bounds[last]) {
      bounds[last] = Math.max(bounds[last], behind);
    } else {
      bounds.push(low, behind);
    }
  }
  return bounds;
}

function rangesOfBounds(bounds) {
  return Array.from({ length: bounds.length / 2 }, (_, index) => [bounds[2 * index], bounds[2 * index + 1]]);
}

const NUMBERS = [48, 58];
const WORDS = [48, 58, 65, 91, 95, 96, 97, 123];
const SPACES = unionOfRanges([
  [9, 14], [32, 33], [0xa0, 0xa1], [0x1680, 0x1681], [0x2000, 0x200b], [0x2028, 0x202a], [0x202f, 0x2030],
  [0x205f, 0x2060], [0x3000, 0x3001], [0xfeff, 0xff00],
]);
const DOT = invertBounds([10, 11, 13, 14, 0x2028, 0x202a]);
const NAMED = new Map([
  ["d", NUMBERS], ["D", invertBounds(NUMBERS)], ["s", SPACES], ["S", invertBounds(SPACES)],
  ["w", WORDS], ["W", invertBounds(WORDS)],
]);

/** Reads one pattern; each method moves `at` past what it read. Characters are code points. */
class CharacterReader {
  constructor(text) {
    this.text = [...text];
    this.at = 0;
  }

  peek() {
    return this.text[this.at] ?? "";
  }

  /** Throw PatternError for the character at an offset, or for the last one read. */
  fail(what, at = this.at - 1) {
    throw new PatternError(`${what}, at character ${at + 1}`);
  }

  skipWord(word) {
    const found = [...word].every((char, index) => this.text[this.at + index] === char);
    this.at += found ? word.length : 0;
    return found;
  }

  /** Read up to and including a character and return the text before it, '' if it does not follow. */
  readThroughOrEmpty(end) {
    const found = this.text.indexOf(end, this.at);
    if (found < 0) return "";
    const word = this.text.slice(this.at, found).join("");
    this.at = found + 1;
    return word;
  }

  /** Read a class, behind its `[`, as bounds. */
  readClass() {
    const start = this.at - 1;
    const isNegated = this.skipWord("^");
    const ranges = [];
    while (!this.skipWord("]")) {
      const low = this.readClassAtom(start);
      if (this.peek() === "-" && ![undefined, "]"].includes(this.text[this.at + 1])) {
        this.at += 1;
        const high = this.readClassAtom(start);
        if (typeof low !== "number" || typeof high !== "number" || low > high) {
          this.fail("a range that ends before it starts");
        }
        ranges.push([low, high + 1]);
      } else {
        ranges.push(...(typeof low === "number" ? [[low, low + 1]] : rangesOfBounds(low)));
      }
    }
    const bounds = unionOfRanges(ranges);
    return isNegated ? invertBounds(bounds) : bounds;
  }

  readClassAtom(start) {
    if (this.at >= this.text.length) {
      this.fail("a class that is not closed", start);
    }
    const char = this.text[this.at];
    this.at += 1;
    if (char !== "\\") return char.codePointAt(0);
    if (this.skipWord("b")) return 8;
    return this.skipWord("-") ? 45 : this.readEscape();
  }

  /** Read what follows a backslash: a code point, or the bounds of a set. */
  readEscape() {
    const start = this.at - 1;
    const char = this.peek();
    this.at += 1;
    if (SYNTAX.has(char)) return char.codePointAt(0);
    if (CONTROLS.has(char)) return CONTROLS.get(char);
    if (NAMED.has(char)) return NAMED.get(char);
    if (char === "u" || char === "x") {
      return (char === "u" ? this.readUnicodeEscape() : this.readHex(2)) ?? this.failUnknownEscape(char, start);
    }
    return this.readRareEscape(char, start);
  }

  readRareEscape(char, start) {
    const following = this.peek();
    if (char === "c" && LETTER.test(following)) {
      this.at += 1;
      return following.codePointAt(0) % 32;
    }
    if (char === "0" && !DIGIT.test(following)) return 0;
    if (char === "k" || (DIGIT.test(char) && char !== "0")) {
      this.fail("a backreference, which is not supported", start);
    }
    if (char === "p" || char === "P") {
      this.fail(`\`\\${char}\`, which is not supported: its tables change with Unicode`, start);
    }
    return this.failUnknownEscape(char, start);
  }

  failUnknownEscape(char, start) {
    return this.fail(char ? `an unknown \`\\${char}\`` : "a `\\` at the end", start);
  }

  readHex(count) {
    const digits = this.text.slice(this.at, this.at + count).join("");
    if (digits.length < count || !HEX.test(digits)) return undefined;
    this.at += count;
    return Number.parseInt(digits, 16);
  }

  readUnicodeEscape() {
    if (this.skipWord("{")) {
      const digits = this.readThroughOrEmpty("}");
      if (!HEX.test(digits) || digits.replace(/^0+/, "").length > "10FFFF".length) return undefined;
      const code = Number.parseInt(digits, 16);
      return code < END ? code : undefined;
    }
    const high = this.readHex(4);
    if (high === undefined || high < 0xd800 || high > 0xdbff) return high;
    const here = this.at;
    const low = this.skipWord("\\u") ? this.readHex(4) : undefined;
    if (low !== undefined && low >= 0xdc00 && low <= 0xdfff) {
      return 0x10000 + ((high - 0xd800) << 10) + low - 0xdc00;
    }
    this.at = here;
    return high;
  }
}

module.exports = { WORDS, DOT, DIGIT, PatternError, CharacterReader };
