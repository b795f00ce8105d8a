// JSON values, how they compare, and how sentences and canonical JSON write them.

import { emptyList } from "./lists";
import { Places } from "./places";
import { sortBy } from "./sort";
import { doubleText, parseDouble, wholeDigits } from "./decimal";
import { codePointCount, compareTexts, digitsOf, firstCharacters, joinTexts, quoteText, textOfBool } from "./text";

export const enum Kind { Null, False, True, Integer, Double, Text, List, Members }

export const MAX_DEPTH = 64;
const MAX_LISTED = 12;
const MAX_LENGTH = 60; // characters of a value in a sentence
const FEW = 8; // members are looked up one by one below this
const MAX_PRINTED_DIGITS = 40;
const EXACT: f64 = 9007199254740992.0; // up to here each whole number is a double of its own

/** A value of any kind. */
export class Value {
  text: string = ""; // of a string; the digits of an integer, or of a double where they are known
  double: f64 = 0;
  parts: Array<Value> = changetype<Array<Value>>(0); // of an array or object
  names: Array<string> = changetype<Array<string>>(0); // of an object
  private places: Places | null = null; // of its names, if there are many

  constructor(public kind: Kind) {}

  static ofText(text: string): Value {
    const made = new Value(Kind.Text);
    made.text = text;
    return made;
  }

  static ofInteger(digits: string): Value {
    const made = new Value(Kind.Integer);
    made.text = digits == "-0" ? "0" : digits;
    return made;
  }

  static ofDouble(double: f64): Value {
    const made = new Value(Kind.Double);
    made.double = double;
    return made;
  }

  /** Return seconds, with their digits: those of any double take a hundred times as long to find. */
  static ofNanoseconds(nanoseconds: i64): Value {
    const made = Value.ofDouble(<f64>nanoseconds / 1e9);
    const digits = digitsOf(nanoseconds, 10);
    made.text = digits.substring(0, digits.length - 9) + "." + digits.substring(digits.length - 9);
    return made;
  }

  static list(): Value {
    const made = new Value(Kind.List);
    made.parts = emptyList<Value>();
    return made;
  }

  static members(): Value {
    const made = new Value(Kind.Members);
    made.parts = emptyList<Value>();
    made.names = emptyList<string>();
    return made;
  }

  isText(): bool {
    return this.kind == Kind.Text;
  }

  isList(): bool {
    return this.kind == Kind.List;
  }

  isMembers(): bool {
    return this.kind == Kind.Members;
  }

  isContainer(): bool {
    return this.kind >= Kind.List;
  }

  isNumber(): bool {
    return this.kind == Kind.Integer || this.kind == Kind.Double;
  }

  isBoolean(): bool {
    return this.kind == Kind.True || this.kind == Kind.False;
  }

  is(text: string): bool {
    return this.kind == Kind.Text && this.text == text;
  }

  /** Add a member; return whether there was none of this name. */
  add(name: string, part: Value): bool {
    const places = this.places;
    const isNew = places !== null ? places.add(name, this.names.length) : !this.names.includes(name);
    this.names.push(name);
    this.parts.push(part);
    // INVARIANT: the tree is made while the value is, never later: a grant outlives the memory of a call
    if (this.names.length == FEW) this.places = placesOf(this.names);
    return isNew;
  }

  /** Return the place of a member, -1 if there is none, or if this is no object. */
  placeOf(name: string): i32 {
    if (!this.isMembers()) return -1;
    const places = this.places;
    return places !== null ? places.find(name) : this.names.indexOf(name);
  }

  /** Return a member of an object, null if there is none, or if this is no object. */
  get(name: string): Value | null {
    const at = this.placeOf(name);
    return at < 0 ? null : this.parts[at];
  }

  has(name: string): bool {
    return this.placeOf(name) >= 0;
  }
}

function placesOf(names: string[]): Places {
  const places = new Places();
  for (let at = 0; at < names.length; at += 1) places.add(names[at], at);
  return places;
}

export function kindText(value: Value): string {
  if (value.kind == Kind.Null) return "null";
  if (value.isBoolean()) return "boolean";
  if (value.isNumber()) return "number";
  if (value.kind == Kind.Text) return "string";
  return value.kind == Kind.List ? "array" : "object";
}

export function isWhole(value: Value): bool {
  return value.kind == Kind.Integer || (value.kind == Kind.Double && Math.floor(value.double) == value.double);
}

/** Return the digits of a whole number. */
export function wholeText(value: Value): string {
  return value.kind == Kind.Integer ? value.text : digitsOfWhole(value.double);
}

function digitsOfWhole(double: f64): string {
  if (Math.abs(double) < EXACT) return digitsOf(<i64>double);
  return (double < 0 ? "-" : "") + wholeDigits(Math.abs(double));
}

/** Compare digits with signs: below 0 if the first number is less. */
export function compareDigits(left: string, right: string): i32 {
  const isLeftNegative = left.charCodeAt(0) == 45;
  const isRightNegative = right.charCodeAt(0) == 45;
  if (isLeftNegative != isRightNegative) return isLeftNegative ? -1 : 1;
  const size = left.length - right.length;
  const order = size != 0 ? size : left > right ? 1 : left < right ? -1 : 0;
  return isLeftNegative ? -order : order;
}

/** Compare two numbers by value, exactly: below 0 if the first is less. */
export function compareNumbers(left: Value, right: Value): i32 {
  if (left.kind == Kind.Integer && right.kind == Kind.Integer) return compareDigits(left.text, right.text);
  if (left.kind == Kind.Integer) return compareIntegerWithDouble(left.text, right.double);
  if (right.kind == Kind.Integer) return -compareIntegerWithDouble(right.text, left.double);
  return left.double < right.double ? -1 : left.double > right.double ? 1 : 0;
}

function compareIntegerWithDouble(digits: string, double: f64): i32 {
  const whole = Math.trunc(double);
  const order = compareDigits(digits, digitsOfWhole(whole));
  return order != 0 ? order : whole < double ? -1 : whole > double ? 1 : 0;
}

export function isSameValue(left: Value, right: Value, depth: i32 = 0): bool {
  if (depth > MAX_DEPTH) return false;
  if (left.isNumber() && right.isNumber()) return compareNumbers(left, right) == 0;
  if (left.kind != right.kind) return false;
  if (left.kind == Kind.Text) return left.text == right.text;
  if (!left.isContainer()) return true;
  if (left.parts.length != right.parts.length) return false;
  for (let at = 0; at < left.parts.length; at += 1) {
    const other = left.kind == Kind.List ? right.parts[at] : right.get(left.names[at]);
    if (other === null || !isSameValue(left.parts[at], other, depth + 1)) return false;
  }
  return true;
}

/** Return a number as sentences and canonical JSON write it. */
export function numberText(value: Value): string {
  if (value.text.length) return value.text;
  const double = value.double;
  if (Math.abs(double) < EXACT && Math.floor(double) == double) return digitsOfWhole(double);
  return (double < 0 ? "-" : "") + doubleText(Math.abs(double));
}

function constantText(value: Value): string {
  return value.kind == Kind.Null ? "null" : textOfBool(value.kind == Kind.True);
}

/** Return a value about as a grant spells it, a long one cut off. */
export function valueText(value: Value): string {
  if (value.kind == Kind.Text) {
    return codePointCount(value.text) > MAX_LENGTH ? `"${firstCharacters(value.text, MAX_LENGTH)}..."` : `"${value.text}"`;
  }
  if (value.isContainer()) return value.isList() ? "an array" : "an object";
  if (!value.isNumber()) return constantText(value);
  const isLong = value.text.length > MAX_PRINTED_DIGITS + (value.text.startsWith("-") ? 1 : 0);
  return isLong ? "a number that is too long to print" : numberText(value);
}

export function firstValuesText(values: Value[]): string {
  const shown = emptyList<string>();
  for (let at = 0; at < min(values.length, MAX_LISTED); at += 1) shown.push(valueText(values[at]));
  if (!shown.length) return "nothing";
  return joinTexts(shown, ", ") + (values.length > MAX_LISTED ? ", ..." : "");
}

/** Return JSON with members sorted, no spaces, ASCII alone. */
export function canonicalJson(value: Value): string {
  const parts = emptyList<string>();
  writeCanonical(value, parts, false);
  return joinTexts(parts, "");
}

/** Return the one text that equal values share. */
export function comparisonKey(value: Value): string {
  const parts = emptyList<string>();
  writeCanonical(value, parts, true);
  return joinTexts(parts, "");
}

function writeCanonical(value: Value, parts: string[], isKey: bool): void {
  if (value.kind == Kind.Text) {
    parts.push(quoteText(value.text, true));
  } else if (value.isNumber()) {
    parts.push(isKey && isWhole(value) ? wholeText(value) : numberText(value));
  } else if (value.isList()) {
    writeList(value, parts, isKey);
  } else if (value.isMembers()) {
    writeMembers(value, parts, isKey);
  } else {
    parts.push(constantText(value));
  }
}

function writeList(value: Value, parts: string[], isKey: bool): void {
  parts.push("[");
  for (let at = 0; at < value.parts.length; at += 1) {
    if (at > 0) parts.push(",");
    writeCanonical(value.parts[at], parts, isKey);
  }
  parts.push("]");
}

function writeMembers(value: Value, parts: string[], isKey: bool): void {
  const names = value.names.slice();
  sortBy(names, compareTexts);
  parts.push("{");
  for (let at = 0; at < names.length; at += 1) {
    if (at > 0) parts.push(",");
    parts.push(quoteText(names[at], true));
    parts.push(":");
    writeCanonical(value.get(names[at])!, parts, isKey);
  }
  parts.push("}");
}

export function doubleOf(value: Value): f64 {
  return value.kind == Kind.Integer ? parseDouble(value.text) : value.double;
}
