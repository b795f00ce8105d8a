// Texts: characters as code points, and texts cut to a size.

import { emptyList } from "./lists";
import { bytesOfCharacter, utf8Length } from "./utf8";

const MAX_SHORT = 1000; // characters, of at most four bytes each
const MAX_MESSAGE_BYTES = 4000;

/** Return an integer as digits, with zeros before it up to a width. */
export function digitsOf(number: i64, width: i32 = 1): string {
  if (number < 0) return "-" + digitsOf(-number);
  let digits = "";
  do {
    digits = String.fromCharCode(48 + <i32>(number % 10)) + digits;
    number /= 10;
  } while (number > 0 || digits.length < width);
  return digits;
}

/** Return the integer that at most 18 digits stand for. */
export function integerOf(digits: string): i64 {
  let number: i64 = 0;
  for (let at = 0; at < digits.length; at += 1) {
    if (digits.charCodeAt(at) != 45) number = number * 10 + (digits.charCodeAt(at) - 48);
  }
  return digits.startsWith("-") ? -number : number;
}

/** Whether a word is one of a list, which is written as `|a|b|`. */
export function isOneOf(word: string, list: string): bool {
  return !word.includes("|") && list.includes(`|${word}|`);
}

/** Return the word at a place in a list, which is written as `|a|b|`. */
export function wordAt(list: string, place: i32): string {
  let from = 1;
  for (; place > 0; place -= 1) from = list.indexOf("|", from) + 1;
  return list.substring(from, list.indexOf("|", from));
}

export function textOfBool(value: bool): string {
  return value ? "true" : "false";
}

/** Join texts in one go: what the compiler has copies the text for each part again. */
export function joinTexts(parts: string[], separator: string): string {
  let length = separator.length * max(parts.length - 1, 0);
  for (let at = 0; at < parts.length; at += 1) length += parts[at].length;
  const joined = __new(length << 1, idof<string>());
  let place = joined;
  for (let at = 0; at < parts.length; at += 1) {
    if (at > 0) place = copyTo(place, separator);
    place = copyTo(place, parts[at]);
  }
  return changetype<string>(joined);
}

function copyTo(place: usize, text: string): usize {
  memory.copy(place, changetype<usize>(text), text.length << 1);
  return place + (<usize>text.length << 1);
}

export function codePointCount(text: string): i32 {
  let count = 0;
  for (let at = 0; at < text.length; count += 1) at += widthAt(text, at);
  return count;
}

/** Return how many UTF-16 units the character at an offset has. */
export function widthAt(text: string, at: i32): i32 {
  return text.codePointAt(at) > 0xffff ? 2 : 1;
}

export function codePointsOf(text: string): i32[] {
  const found = emptyList<i32>();
  for (let at = 0; at < text.length; at += widthAt(text, at)) found.push(text.codePointAt(at));
  return found;
}

export function textOf(codePoints: i32[], from: i32, to: i32): string {
  const parts = emptyList<string>();
  for (let at = from; at < to; at += 1) parts.push(String.fromCodePoint(codePoints[at]));
  return joinTexts(parts, "");
}

/** Return the first characters of a text, of which none is halved. */
export function firstCharacters(text: string, count: i32): string {
  let at = 0;
  for (let left = count; left > 0 && at < text.length; left -= 1) at += widthAt(text, at);
  return text.substring(0, at);
}

/** Order texts by code points: by UTF-16, U+FFFF comes after U+10000. */
export function compareTexts(left: string, right: string): i32 {
  const size = min(left.length, right.length);
  for (let at = 0; at < size; at += 1) {
    if (left.charCodeAt(at) != right.charCodeAt(at)) return orderOfUnit(left, at) - orderOfUnit(right, at);
  }
  return left.length - right.length;
}

function orderOfUnit(text: string, at: i32): i32 {
  const unit = text.charCodeAt(at);
  return isSurrogate(unit) && !isLoneSurrogate(text, at) ? unit + 0x10000 : unit;
}

export function isSurrogate(unit: i32): bool {
  return unit >> 11 == 0x1b;
}

/** Whether the unit at an offset is half of a character whose other half is not there. */
export function isLoneSurrogate(text: string, at: i32): bool {
  const unit = text.charCodeAt(at);
  if (unit >> 10 == 0x36) return text.charCodeAt(at + 1) >> 10 != 0x37;
  return unit >> 10 == 0x37 && (at == 0 || text.charCodeAt(at - 1) >> 10 != 0x36);
}

export function hasLoneSurrogate(text: string): bool {
  for (let at = 0; at < text.length; at += 1) {
    if (isSurrogate(text.charCodeAt(at)) && isLoneSurrogate(text, at)) return true;
  }
  return false;
}

/** Return a message of at most 4 kB. */
export function shortenMessage(text: string): string {
  return text.length <= MAX_SHORT || codePointCount(text) <= MAX_SHORT ? text : elideMiddle(text, MAX_MESSAGE_BYTES);
}

/** Return a text cut to a number of bytes: its start, how much was left out, its end. */
export function elideMiddle(text: string, maxBytes: i32): string {
  const size = utf8Length(text);
  if (size <= maxBytes) return text;
  const start = maxBytes / 2;
  const rest = (maxBytes + 3) / 4;
  return `${charactersWithin(text, 0, start)} ... ${withCommas(size - start - rest)} bytes more ... ${charactersWithin(text, size - rest, size)}`;
}

/** Return the characters that lie between two offsets in bytes, without those that are cut, or are halves. */
function charactersWithin(text: string, from: i32, to: i32): string {
  const parts = emptyList<string>();
  let place = 0;
  for (let at = 0; at < text.length && place < to; at += widthAt(text, at)) {
    const code = text.codePointAt(at);
    const next = place + bytesOfCharacter(code);
    if (place >= from && next <= to && code >> 11 != 0x1b) parts.push(String.fromCodePoint(code));
    place = next;
  }
  return joinTexts(parts, "");
}

export function withCommas(number: i32): string {
  let digits = digitsOf(number);
  let shown = "";
  while (digits.length > 3) {
    shown = "," + digits.substring(digits.length - 3) + shown;
    digits = digits.substring(0, digits.length - 3);
  }
  return digits + shown;
}

/** Return a text as JSON, in which only what must be is escaped, or all that is not ASCII. */
export function quoteText(text: string, isAscii: bool): string {
  const parts = emptyList<string>();
  parts.push('"');
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    const isPlain = unit >= 32 && unit != 34 && unit != 92 && (unit < 127 || !(isAscii || unit == 127 || (isSurrogate(unit) && isLoneSurrogate(text, at))));
    if (isPlain) continue;
    parts.push(text.substring(start, at));
    parts.push(escapeUnit(unit));
    start = at + 1;
  }
  parts.push(text.substring(start));
  parts.push('"');
  return joinTexts(parts, "");
}

function hexDigitOf(number: i32): string {
  return "0123456789abcdef".charAt(number & 15);
}

function escapeUnit(unit: i32): string {
  const place = '"\\\n\r\t\f\b'.indexOf(String.fromCharCode(unit));
  if (place >= 0) return "\\" + '"\\nrtfb'.charAt(place);
  return `\\u${hexDigitOf(unit >> 12)}${hexDigitOf(unit >> 8)}${hexDigitOf(unit >> 4)}${hexDigitOf(unit)}`;
}
