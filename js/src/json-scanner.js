// Scan the text of JSON from left to right, and say what is wrong at which character.
"use strict";

const MAX_DEPTH = 64;
const MAX_DIGITS = 4300;
const MAX_RECURSION = 900;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const HEX = /[0-9a-fA-F]{4}/y;
const SPACE = /[ \t\n\r]*/y;
const ESCAPES = new Map([
  ['"', '"'], ["\\", "\\"], ["/", "/"], ["b", "\b"], ["f", "\f"], ["n", "\n"], ["r", "\r"], ["t", "\t"],
]);
const CONSTANTS = [["null", null], ["true", true], ["false", false]];

/** Text that is not the JSON that we accept. */
class MalformedError extends Error {
  /** @param {string} kind @param {string} message @param {object} [place] */
  constructor(kind, message, place = {}) {
    super(message);
    this.kind = kind;
    Object.assign(this, place);
  }
}

class Scanner {
  constructor(text) {
    this.text = text;
    this.at = 0;
    this.depth = 0;
  }

  scanDocument() {
    this.skipSpace();
    const value = this.scanValue();
    this.skipSpace();
    if (this.at < this.text.length) {
      throw this.error("text_after_value", "text after the value", this.at);
    }
    return value;
  }

  scanValue() {
    const { text, at } = this;
    const char = text[at];
    if (char === '"') return this.scanString();
    if (char === "{") return this.scanInside(() => this.scanObject());
    if (char === "[") return this.scanInside(() => this.scanArray());
    for (const [word, value] of CONSTANTS) {
      if (text.startsWith(word, at)) {
        this.at += word.length;
        return value;
      }
    }
    for (const word of ["NaN", "Infinity", "-Infinity"]) {
      if (text.startsWith(word, at)) {
        throw new MalformedError("not_json_constant", `\`${word}\` is not JSON`);
      }
    }
    return this.scanNumber();
  }

  scanInside(scan) {
    this.depth += 1;
    if (this.depth > MAX_RECURSION) {
      throw new MalformedError("too_deep", `nested deeper than ${MAX_DEPTH}`);
    }
    this.at += 1;
    const value = scan();
    this.depth -= 1;
    return value;
  }

  scanNumber() {
    NUMBER.lastIndex = this.at;
    const found = NUMBER.exec(this.text);
    if (found === null) {
      throw this.error("syntax", "expecting a value", this.at);
    }
    this.at = NUMBER.lastIndex;
    const [digits, fraction, exponent] = found;
    return fraction === undefined && exponent === undefined ? integerOf(digits) : realOf(digits);
  }

  scanArray() {
    const parts = [];
    this.skipSpace();
    if (this.skip("]")) return parts;
    for (;;) {
      parts.push(this.scanValue());
      this.skipSpace();
      if (this.skip("]")) return parts;
      this.expectComma();
    }
  }

  scanObject() {
    const members = new Map();
    let duplicate;
    this.skipSpace();
    if (this.skip("}")) return members;
    for (;;) {
      if (this.text[this.at] !== '"') {
        throw this.error("syntax", "expecting a name in double quotes", this.at);
      }
      const name = this.scanString();
      this.skipSpace();
      if (!this.skip(":")) {
        throw this.error("syntax", "expecting `:`", this.at);
      }
      this.skipSpace();
      const value = this.scanValue();
      duplicate ??= members.has(name) ? name : undefined;
      members.set(name, value);
      this.skipSpace();
      if (this.skip("}")) break;
      this.expectComma();
    }
    if (duplicate !== undefined) {
      throw new MalformedError("duplicate_key", `duplicate key \`${duplicate}\``);
    }
    return members;
  }

  expectComma() {
    if (!this.skip(",")) {
      throw this.error("syntax", "expecting `,`", this.at);
    }
    this.skipSpace();
    const char = this.text[this.at];
    if (char === "]" || char === "}") {
      throw new MalformedError("syntax", `a \`,\` before \`${char}\``);
    }
  }

  scanString() {
    const { text } = this;
    const start = this.at;
    let value = "";
    this.at += 1;
    for (;;) {
      PLAIN.lastIndex = this.at;
      value += PLAIN.exec(text)[0];
      this.at = PLAIN.lastIndex;
      const char = text[this.at];
      if (char === '"') {
        this.at += 1;
        return value;
      }
      if (char === undefined || (char === "\\" && this.at + 1 === text.length)) {
        throw this.error("syntax", "a string that does not end", start);
      }
      if (char !== "\\") {
        throw this.error("syntax", "a control character in a string", this.at);
      }
      value += this.scanEscape();
    }
  }

  scanEscape() {
    const { text } = this;
    const char = text[this.at + 1];
    if (char === "u") {
      HEX.lastIndex = this.at + 2;
      const found = HEX.exec(text);
      if (found === null || HEX.lastIndex >= text.length) {
        throw this.error("syntax", "a `\\u` without four hexadecimal digits", this.at + 1);
      }
      this.at += 6;
      return String.fromCharCode(Number.parseInt(found[0], 16));
    }
    const value = ESCAPES.get(char);
    if (value === undefined) {
      throw this.error("syntax", "an unknown escape", this.at);
    }
    this.at += 2;
    return value;
  }

  skipSpace() {
    SPACE.lastIndex = this.at;
    SPACE.test(this.text);
    this.at = SPACE.lastIndex;
  }

  skip(char) {
    const found = this.text[this.at] === char;
    this.at += found ? 1 : 0;
    return found;
  }

  error(kind, what, at) {
    const before = this.text.slice(0, at).split("\n");
    const place = { line: before.length, column: [...before[before.length - 1]].length + 1 };
    return new MalformedError(kind, `line ${place.line} column ${place.column}: ${what}`, place);
  }
}

function integerOf(digits) {
  if (digits.length - (digits[0] === "-" ? 1 : 0) > MAX_DIGITS) {
    throw new MalformedError("too_many_digits", `an integer of more than ${MAX_DIGITS} digits`);
  }
  const number = Number(digits);
  return Number.isSafeInteger(number) ? number + 0 : BigInt(digits);
}

function realOf(digits) {
  const number = Number(digits);
  if (!Number.isFinite(number)) {
    throw new MalformedError("too_large_number", `a number that is too large: \`${digits.slice(0, 40)}\``);
  }
  return number;
}

module.exports = { MAX_DEPTH, MalformedError, Scanner };
