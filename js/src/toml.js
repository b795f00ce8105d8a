// Read the plain lines of TOML that settings use: tables, keys, one-line strings, numbers, booleans, arrays of strings.
//
// Whatever else a document holds is refused, so that nothing of a settings file is ever skipped.
"use strict";

const MAX_LINE_LENGTH = 4096;
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
const KEY = /(?:[A-Za-z0-9_-]+|"[^"\\]*"|'[^']*')/y;
const STRING = /(?:"(?!"")([^"\\]*)"|'(?!'')([^']*)')/y;
const NUMBER = /(?:0|[1-9][0-9]{0,17})(\.[0-9]{1,18})?/y;
const SPACE = /[ \t]*/y;

/** A document that is no TOML, or more than this reader knows. */
class TomlError extends Error {}

/** A number with a point, which is no whole number even if it is `1.0`. */
class TomlReal {
  constructor(value) {
    this.value = value;
  }
}

/** Return the values of a document as a Map; throw TomlError. */
function readToml(text) {
  return new Reader(text).read();
}

class Reader {
  constructor(text) {
    this.lines = text.replaceAll("\r\n", "\n").split("\n").map((line) => line.replace(/^[ \t]+|[ \t]+$/g, ""));
    this.number = -1;
    this.document = new Map();
    this.table = this.document;
    this.dotted = new Set(); // tables that dotted keys made: no header may go on with one
    this.open = new Set(); // those of this section, which its keys may go on with
  }

  read() {
    while (this.nextLine()) {
      if (this.line.startsWith("[")) {
        this.openTable();
      } else if (!this.isAtEnd()) {
        this.readPair();
      }
    }
    return this.document;
  }

  nextLine() {
    this.number += 1;
    this.at = 0;
    this.line = this.lines[this.number];
    if (this.line === undefined) return false;
    if (this.line.length > MAX_LINE_LENGTH || UNPRINTABLE.test(this.line.replaceAll("\t", "")) || this.line.includes("\t")) {
      this.fail("is too long, or holds a character that is not printable");
    }
    return true;
  }

  openTable() {
    this.at = 1;
    const keys = this.readKeys();
    this.expect("]");
    this.expectEnd();
    const last = keys.pop();
    let table = this.document;
    for (const key of keys) {
      if (!table.has(key)) table.set(key, new Map());
      table = table.get(key);
      if (!(table instanceof Map) || this.dotted.has(table)) this.fail("names a table in a way that is not read here");
    }
    if (table.has(last)) this.fail(`names the table \`${last}\` again`);
    this.table = new Map();
    table.set(last, this.table);
    this.open = new Set();
  }

  readPair() {
    const keys = this.readKeys();
    const last = keys.pop();
    this.skipSpace();
    this.expect("=");
    this.skipSpace();
    const value = this.readValue();
    this.expectEnd();
    let table = this.table;
    for (const key of keys) table = this.innerTable(table, key);
    if (table.has(last)) this.fail(`names \`${last}\` again`);
    table.set(last, value);
  }

  innerTable(table, key) {
    if (!table.has(key)) {
      const made = new Map();
      table.set(key, made);
      this.dotted.add(made);
      this.open.add(made);
    }
    const inner = table.get(key);
    return this.open.has(inner) ? inner : this.fail(`goes on with \`${key}\`, which is not read here`);
  }

  readKeys() {
    const keys = [];
    do {
      const word = this.match(KEY) ?? this.fail("has no key that is read here");
      keys.push(/^["']/.test(word[0]) ? word[0].slice(1, -1) : word[0]);
    } while (this.skip("."));
    return keys;
  }

  readValue() {
    if (this.skip("[")) return this.readArray();
    for (const [word, value] of [["true", true], ["false", false]]) {
      if (this.skip(word)) return value;
    }
    const number = this.match(NUMBER);
    if (number === undefined) return this.readString();
    const value = Number(number[0]);
    if (number[1] !== undefined) return new TomlReal(value);
    return Number.isSafeInteger(value) ? value : BigInt(number[0]);
  }

  readArray() {
    const items = [];
    for (;;) {
      this.skipToNextWord();
      if (this.skip("]")) return items;
      items.push(this.readString());
      this.skipToNextWord();
      if (!this.skip(",") && this.line[this.at] !== "]") this.fail("has an array that is not read here");
    }
  }

  /** Go to the next word of an array, which may be some lines below. */
  skipToNextWord() {
    this.skipSpace();
    while (this.isAtEnd()) {
      if (!this.nextLine()) this.fail("is missing: an array does not end");
      this.skipSpace();
    }
  }

  readString() {
    const found = this.match(STRING) ?? this.fail("has a value that is not read here");
    return found[1] ?? found[2];
  }

  isAtEnd() {
    return this.at >= this.line.length || this.line[this.at] === "#";
  }

  expectEnd() {
    this.skipSpace();
    if (!this.isAtEnd()) this.fail("goes on in a way that is not read here");
  }

  expect(word) {
    if (!this.skip(word)) this.fail(`has no \`${word}\` where one should be`);
  }

  skip(word) {
    const found = this.line.startsWith(word, this.at);
    this.at += found ? word.length : 0;
    return found;
  }

  skipSpace() {
    this.match(SPACE);
  }

  match(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.line) ?? undefined;
    if (found !== undefined) this.at = pattern.lastIndex;
    return found;
  }

  fail(what) {
    throw new TomlError(`line ${this.number + 1} ${what}`);
  }
}

module.exports = { TomlError, TomlReal, readToml };
