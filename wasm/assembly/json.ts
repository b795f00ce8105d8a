// Decode JSON as strictly as a grant: no duplicate key, no lone surrogate, no number that is read in two ways.

import { emptyList } from "./lists";
import { firstCharacters, hasLoneSurrogate, joinTexts } from "./text";
import { parseDouble } from "./decimal";
import { DecodedText } from "./utf8";
import { Kind, MAX_DEPTH, Value } from "./value";

const MAX_BYTES = 1 << 20;
const MAX_DIGITS = 4300;
const MAX_RECURSION = 900;

/** Why a text is not the JSON that we accept. */
export class Malformed {
  line: i32 = 0;
  column: i32 = 0;
  byte: i32 = 0;

  constructor(public kind: string, public message: string) {}
}

/** How much a decoder lets pass: what a grant may hold, what a call may, or what any parser reads. */
export const enum Strictness { Grant, Call, Lax }

/** A decoder; after each call `error` says whether that went well. */
export class Decoder {
  error: Malformed | null = null;

  constructor(private strictness: Strictness) {}

  /** Decode bytes of UTF-8. */
  decode(place: usize, size: i32, maxBytes: i32 = MAX_BYTES): Value {
    if (size > maxBytes) return this.fail("too_large", `larger than ${maxBytes} bytes`);
    const decoded = new DecodedText(place, size);
    if (decoded.end == size) return this.decodeText(decoded.text);
    const none = this.fail("not_utf8", `byte ${decoded.end + 1}: not UTF-8`);
    this.error!.byte = decoded.end + 1;
    return none;
  }

  decodeText(text: string): Value {
    if (text.charCodeAt(0) == 0xfeff) return this.fail("byte_order_mark", "starts with a byte order mark");
    const scanner = new Scanner(text, this.strictness);
    const value = scanner.scanDocument();
    this.error = scanner.error;
    if (this.error === null && this.strictness == Strictness.Grant) this.checkTree(value);
    return value;
  }

  private fail(kind: string, message: string): Value {
    this.error = new Malformed(kind, message);
    return new Value(Kind.Null);
  }

  /** Refuse what only shows in the decoded value, depth by depth: lone surrogates, and containers nested too deep. */
  private checkTree(value: Value): void {
    let level = [value];
    for (let depth = 0; level.length > 0; depth += 1) {
      const next = emptyList<Value>();
      let hasContainer = false;
      for (let at = 0; at < level.length; at += 1) {
        const part = level[at];
        if (part.isText() && hasLoneSurrogate(part.text)) {
          this.fail("lone_surrogate", "a lone surrogate in a string");
          return;
        }
        if (!part.isContainer()) continue;
        hasContainer = true;
        for (let inner = 0; inner < part.parts.length; inner += 1) {
          if (part.isMembers()) next.push(Value.ofText(part.names[inner]));
          next.push(part.parts[inner]);
        }
      }
      if (depth == MAX_DEPTH && hasContainer) {
        this.fail("too_deep", `nested deeper than ${MAX_DEPTH}`);
        return;
      }
      level = next;
    }
  }
}

/** Scans a text from left to right, and says what is wrong at which character. */
class Scanner {
  error: Malformed | null = null;
  private at: i32 = 0;
  private depth: i32 = 0;
  private none: Value = new Value(Kind.Null);

  constructor(private text: string, private strictness: Strictness) {}

  scanDocument(): Value {
    this.skipSpace();
    const value = this.scanValue();
    if (this.error !== null) return value;
    this.skipSpace();
    return this.at < this.text.length ? this.failAt("text_after_value", "text after the value", this.at) : value;
  }

  private isLax(): bool {
    return this.strictness == Strictness.Lax;
  }

  private fail(kind: string, message: string): Value {
    this.error = new Malformed(kind, message);
    return this.none;
  }

  private failAt(kind: string, what: string, at: i32): Value {
    let line = 1;
    let column = 1;
    for (let place = 0; place < at; place += 1) {
      const unit = this.text.charCodeAt(place);
      const isSecondHalf = unit >> 10 == 0x37; // the text was UTF-8, so the first one is there
      column = unit == 10 ? 1 : isSecondHalf ? column : column + 1;
      line += unit == 10 ? 1 : 0;
    }
    const none = this.fail(kind, `line ${line} column ${column}: ${what}`);
    this.error!.line = line;
    this.error!.column = column;
    return none;
  }

  private peek(): i32 {
    return this.text.charCodeAt(this.at);
  }

  private skip(unit: i32): bool {
    const isFound = this.peek() == unit;
    if (isFound) this.at += 1;
    return isFound;
  }

  private skipSpace(): void {
    for (let unit = this.peek(); unit == 32 || unit == 10 || unit == 13 || unit == 9; unit = this.peek()) this.at += 1;
  }

  private skipWord(word: string): bool {
    for (let index = 0; index < word.length; index += 1) {
      if (this.text.charCodeAt(this.at + index) != word.charCodeAt(index)) return false;
    }
    this.at += word.length;
    return true;
  }

  private scanValue(): Value {
    const unit = this.peek();
    if (unit == 34) {
      const text = this.scanString();
      return this.error !== null ? this.none : Value.ofText(text);
    }
    if (unit == 123 || unit == 91) return this.scanInside(unit == 123);
    if (this.skipWord("null")) return new Value(Kind.Null);
    if (this.skipWord("true")) return new Value(Kind.True);
    if (this.skipWord("false")) return new Value(Kind.False);
    if (this.skipWord("NaN")) return this.constant("NaN");
    if (this.skipWord("Infinity")) return this.constant("Infinity");
    if (this.skipWord("-Infinity")) return this.constant("-Infinity");
    return this.scanNumber();
  }

  private constant(word: string): Value {
    return this.isLax() ? new Value(Kind.Null) : this.fail("not_json_constant", `\`${word}\` is not JSON`);
  }

  private scanInside(isObject: bool): Value {
    this.depth += 1;
    if (this.depth > MAX_RECURSION) return this.fail("too_deep", `nested deeper than ${MAX_DEPTH}`);
    this.at += 1;
    const value = isObject ? this.scanMembers() : this.scanList();
    this.depth -= 1;
    return value;
  }

  private scanList(): Value {
    const list = Value.list();
    this.skipSpace();
    if (this.skip(93)) return list;
    do {
      list.parts.push(this.scanValue());
      if (this.error !== null) return this.none;
      this.skipSpace();
      if (this.skip(93)) return list;
    } while (this.expectComma());
    return this.none;
  }

  private scanMembers(): Value {
    const members = Value.members();
    let duplicate = "";
    let hasDuplicate = false;
    this.skipSpace();
    if (this.skip(125)) return members;
    for (;;) {
      if (this.peek() != 34) return this.failAt("syntax", "expecting a name in double quotes", this.at);
      const name = this.scanString();
      if (this.error !== null) return this.none;
      this.skipSpace();
      if (!this.skip(58)) return this.failAt("syntax", "expecting `:`", this.at);
      this.skipSpace();
      const value = this.scanValue();
      if (this.error !== null) return this.none;
      if (!members.add(name, value) && !hasDuplicate) {
        hasDuplicate = true;
        duplicate = name;
      }
      this.skipSpace();
      if (this.skip(125)) break;
      if (!this.expectComma()) return this.none;
    }
    return hasDuplicate && !this.isLax() ? this.fail("duplicate_key", `duplicate key \`${duplicate}\``) : members;
  }

  private expectComma(): bool {
    if (!this.skip(44)) {
      this.failAt("syntax", "expecting `,`", this.at);
      return false;
    }
    this.skipSpace();
    const unit = this.peek();
    if (unit == 93 || unit == 125) {
      this.fail("syntax", `a \`,\` before \`${String.fromCharCode(unit)}\``);
      return false;
    }
    return true;
  }

  private scanString(): string {
    const start = this.at;
    let from = start + 1;
    let parts: string[] | null = null; // from the first escape on
    for (this.at = from; ; ) {
      const unit = this.peek();
      if (unit == 34) break;
      if (this.at >= this.text.length || (unit == 92 && this.at + 1 == this.text.length)) {
        this.failAt("syntax", "a string that does not end", start);
        return "";
      }
      if (unit < 32) {
        this.failAt("syntax", "a control character in a string", this.at);
        return "";
      }
      if (unit != 92) {
        this.at += 1;
        continue;
      }
      if (parts === null) parts = emptyList<string>();
      parts.push(this.text.substring(from, this.at));
      parts.push(this.scanEscape());
      if (this.error !== null) return "";
      from = this.at;
    }
    const last = this.text.substring(from, this.at);
    this.at += 1;
    if (parts === null) return last;
    parts.push(last);
    return joinTexts(parts, "");
  }

  private scanEscape(): string {
    const unit = this.text.charCodeAt(this.at + 1);
    if (unit == 117) return this.scanUnicodeEscape();
    this.at += 2;
    const place = '"\\/bfnrt'.indexOf(String.fromCharCode(unit));
    if (place < 0) this.failAt("syntax", "an unknown escape", this.at - 2);
    return '"\\/\b\f\n\r\t'.charAt(place);
  }

  private scanUnicodeEscape(): string {
    let code = 0;
    for (let at = this.at + 2; at < this.at + 6; at += 1) {
      const digit = hexDigit(this.text.charCodeAt(at));
      if (digit < 0 || this.at + 6 >= this.text.length) {
        this.failAt("syntax", "a `\\u` without four hexadecimal digits", this.at + 1);
        return "";
      }
      code = code * 16 + digit;
    }
    this.at += 6;
    return String.fromCharCode(code);
  }

  private scanDigits(): bool {
    const from = this.at;
    while (isDigit(this.peek())) this.at += 1;
    return this.at > from;
  }

  private scanNumber(): Value {
    const from = this.at;
    this.skip(45);
    const first = this.at;
    if (!this.skip(48) && !this.scanDigits()) return this.failAt("syntax", "expecting a value", from);
    const whole = this.at;
    if (this.skip(46) && !this.scanDigits()) this.at = whole;
    const before = this.at;
    if (this.skip(101) || this.skip(69)) {
      if (!this.skip(43)) this.skip(45);
      if (!this.scanDigits()) this.at = before;
    }
    const text = this.text.substring(from, this.at);
    if (this.at == whole) {
      return whole - first > MAX_DIGITS ? this.fail("too_many_digits", `an integer of more than ${MAX_DIGITS} digits`) : Value.ofInteger(text);
    }
    const double = parseDouble(text);
    if (isFinite(double) || this.isLax()) return Value.ofDouble(double);
    return this.fail("too_large_number", `a number that is too large: \`${firstCharacters(text, 40)}\``);
  }
}

export function isDigit(unit: i32): bool {
  return unit >= 48 && unit <= 57;
}

export function hexDigit(unit: i32): i32 {
  if (isDigit(unit)) return unit - 48;
  const lower = unit | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
