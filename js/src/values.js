// JSON values as this package holds them: null, booleans, numbers, bigints, strings, arrays, and Maps for objects.
"use strict";

const { UsageError } = require("./errors");
const { MAX_DEPTH } = require("./json");

const MAX_PARTS = 1 << 20; // values in one call
const MAX_INTEGER = 10n ** 40n;
const MAX_LISTED = 12;
const MAX_LENGTH = 60; // characters of a value in a sentence
const EXACT = 2 ** 53; // up to here each whole number is a double of its own
const FIRST_PLAIN = -4; // exponents of numbers that are written without one
const FIRST_LARGE = 16;
const NO_ARGUMENTS = new Map(); // nobody changes it
const SCALARS = new Set(["string", "number", "boolean", "bigint"]);
const OBJECT = Object.prototype;
const NAMES_OF_OBJECT = new Set([
  "constructor", "__defineGetter__", "__defineSetter__", "hasOwnProperty", "__lookupGetter__", "__lookupSetter__",
  "isPrototypeOf", "propertyIsEnumerable", "toString", "valueOf", "__proto__", "toLocaleString",
]);

function kindOf(value) {
  if (value === null) return "null";
  if (typeof value === "bigint") return "number";
  if (Array.isArray(value)) return "array";
  if (value instanceof Map) return "object";
  return typeof value;
}

function isContainer(value) {
  return typeof value === "object" && value !== null;
}

function codePointCount(text) {
  let count = text.length;
  for (let at = 0; at < text.length; at += 1) {
    if (text.charCodeAt(at) >> 10 === 0x36 && text.charCodeAt(at + 1) >> 10 === 0x37) {
      count -= 1;
      at += 1;
    }
  }
  return count;
}

/** Return the first characters of a text, of which none is halved. */
function firstCharacters(text, count) {
  let at = 0;
  for (let left = count; left > 0 && at < text.length; left -= 1) {
    at += text.codePointAt(at) > 0xffff ? 2 : 1;
  }
  return text.slice(0, at);
}

/** Order texts by code points: by UTF-16, U+FFFF comes after U+10000. */
function compareTexts(left, right) {
  const [a, b] = [[...left], [...right]];
  for (let at = 0; at < a.length && at < b.length; at += 1) {
    if (a[at] !== b[at]) return a[at].codePointAt(0) - b[at].codePointAt(0);
  }
  return a.length - b.length;
}

/**
 * Copy the arguments that a program passes, each member read once; throw UsageError for what is no JSON value.
 *
 * A member that is undefined is none.
 */
function copyArguments(args) {
  if (args === undefined || args === null) return NO_ARGUMENTS;
  const copy = new Copier().copy(args, -1);
  if (!(copy instanceof Map)) {
    throw new UsageError("arguments are an object");
  }
  return copy;
}

class Copier {
  constructor() {
    this.left = MAX_PARTS;
  }

  copy(value, depth) {
    if (value === null || SCALARS.has(typeof value)) return value;
    if (depth > MAX_DEPTH) {
      throw new UsageError(`arguments are nested deeper than ${MAX_DEPTH}`);
    }
    if (Array.isArray(value)) {
      requirePlainArray(value);
      const length = value.length;
      this.count(length);
      requireNoHiddenMembers(value, Reflect.ownKeys(value), length + 1); // and its `length`
      return Array.from({ length }, (_, index) => this.copy(value[index], depth + 1));
    }
    return this.copyObject(value, depth);
  }

  copyObject(value, depth) {
    const members = new Map();
    if (value instanceof Map) {
      if (Object.getPrototypeOf(value) !== Map.prototype) throw unknownTypeError(value); // it may iterate otherwise
      requireNoHiddenMembers(value, Reflect.ownKeys(value), 0); // not even a symbol, such as that of another iterator
      for (const [name, part] of value) this.copyMember(members, requireText(name, "the name of an argument"), part, depth);
      return members;
    }
    requirePlainObject(value);
    const names = Object.keys(value);
    requireNoHiddenMembers(value, Object.getOwnPropertyNames(value), names.length); // of symbols JSON has none
    for (const name of names) this.copyMember(members, name, value[name], depth);
    return members;
  }

  copyMember(members, name, part, depth) {
    if (part === undefined) return;
    this.count(1);
    members.set(name, this.copy(part, depth + 1));
  }

  count(parts) {
    this.left -= parts;
    if (this.left < 0) {
      throw new UsageError(`a call holds more than ${MAX_PARTS} values`);
    }
  }
}

/** Throw UsageError for what is no object of this or another realm without a class, or inherits a member. */
function requirePlainObject(value) {
  const prototype = typeof value === "object" ? Object.getPrototypeOf(value) : undefined;
  if (prototype === null) return;
  const isOfObject = prototype === OBJECT || (prototype !== undefined && isPrototypeOfObjects(prototype));
  if (!isOfObject) throw unknownTypeError(value);
  if (Object.keys(prototype).length) throw hiddenMemberError(value); // a program would read it from the value
}

/** Whether an object is `Object.prototype` of another realm, and no object with members that has been made one. */
function isPrototypeOfObjects(value) {
  return Object.getPrototypeOf(value) === null && Object.getOwnPropertyNames(value).every((name) => NAMES_OF_OBJECT.has(name));
}

/** Throw UsageError for an array of a class, which may show other elements to who iterates over it. */
function requirePlainArray(value) {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Array.prototype) return;
  const above = Array.isArray(prototype) ? Object.getPrototypeOf(prototype) : null;
  if (above === null || Object.getPrototypeOf(above) !== null) throw unknownTypeError(value);
}

/** Throw UsageError for a member that a program reads and no rule sees: one that is not enumerable, or of an array. */
function requireNoHiddenMembers(value, names, count) {
  if (names.length > count) throw hiddenMemberError(value);
}

function hiddenMemberError(value) {
  return new UsageError(`an argument of type \`${nameOfType(value)}\` has a member that is hidden`, "pass JSON values");
}

function unknownTypeError(value) {
  return new UsageError(`an argument of type \`${nameOfType(value)}\` cannot be examined`, "pass JSON values");
}

function nameOfType(value) {
  const name = typeof value === "object" ? value.constructor?.name : undefined;
  return typeof name === "string" && name ? name : typeof value;
}

function requireText(value, what) {
  if (typeof value !== "string") {
    throw new UsageError(`${what} is a string, not \`${value === null ? "null" : nameOfType(value)}\``);
  }
  return value;
}

function isSameValue(left, right, depth = 0) {
  const kind = kindOf(left);
  if (kind !== kindOf(right) || depth > MAX_DEPTH) return false;
  if (kind === "array") {
    return left.length === right.length && left.every((part, at) => isSameValue(part, right[at], depth + 1));
  }
  if (kind === "object") {
    return (
      left.size === right.size &&
      [...left].every(([name, part]) => right.has(name) && isSameValue(part, right.get(name), depth + 1))
    );
  }
  return left == right; // a bigint equals a double of the same value
}

/** Return a number as sentences and canonical JSON write it, as Python does. */
function numberText(value) {
  if (typeof value === "bigint") return value.toString();
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (Number.isInteger(value) && Math.abs(value) < EXACT) return String(value + 0);
  const [digits, power] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent >= FIRST_PLAIN && exponent < FIRST_LARGE) {
    const text = String(value);
    return Number.isInteger(value) ? `${text}.0` : text.includes("e") ? plainSmallNumber(digits, exponent) : text;
  }
  return `${digits}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
}

/** Return a number with a point as Python writes it, a whole one too. */
function realText(value) {
  return Number.isInteger(value) && Math.abs(value) < EXACT ? `${value}.0` : numberText(value);
}

function plainSmallNumber(digits, exponent) {
  const bare = digits.replace(/[-.]/g, "");
  return `${digits.startsWith("-") ? "-" : ""}0.${"0".repeat(-exponent - 1)}${bare}`;
}

/** Return a value about as a grant spells it, a long one cut off. */
function valueText(value) {
  const kind = kindOf(value);
  if (kind === "string") {
    return codePointCount(value) > MAX_LENGTH ? `"${firstCharacters(value, MAX_LENGTH)}..."` : `"${value}"`;
  }
  if (kind === "array" || kind === "object") return kind === "array" ? "an array" : "an object";
  if (kind !== "number") return String(value);
  const isTooLong = typeof value === "bigint" && (value >= MAX_INTEGER || -value >= MAX_INTEGER);
  return isTooLong ? "a number that is too long to print" : numberText(value);
}

function firstValuesText(values) {
  const shown = values.slice(0, MAX_LISTED).map(valueText).join(", ") || "nothing";
  return values.length > MAX_LISTED ? `${shown}, ...` : shown;
}

/** Return a value as JSON in ASCII, the members of objects in the order of `namesOf`. */
function jsonText(value, namesOf = (members) => [...members.keys()]) {
  const kind = kindOf(value);
  if (kind === "array") return `[${value.map((part) => jsonText(part, namesOf)).join(",")}]`;
  if (kind === "object") {
    return `{${namesOf(value).map((name) => `${stringJson(name)}:${jsonText(value.get(name), namesOf)}`).join(",")}}`;
  }
  if (kind === "string") return stringJson(value);
  return kind === "number" ? numberText(value) : String(value);
}

function stringJson(text) {
  const escape = (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, escape);
}

module.exports = {
  kindOf, isContainer, codePointCount, compareTexts, copyArguments, requireText, isPrototypeOfObjects, isSameValue, valueText, firstCharacters,
  firstValuesText, jsonText, realText,
};
