// Decode JSON as strictly as a grant: no duplicate key, no lone surrogate, no number that is read in two ways.
//
// An object becomes a Map, which keeps the order of all names. An integer that a double cannot hold becomes a bigint.
"use strict";

const { MAX_DEPTH, MalformedError, Scanner } = require("./json-scanner");

const MAX_BYTES = 1 << 20;

/**
 * Decode one JSON value.
 * @param {Uint8Array} bytes
 * @param {number} [maxBytes]
 */
function decodeJson(bytes, maxBytes = MAX_BYTES) {
  if (bytes.length > maxBytes) {
    throw new MalformedError("too_large", `larger than ${maxBytes} bytes`);
  }
  const text = decodeUtf8(bytes);
  if (text.startsWith("\ufeff")) {
    throw new MalformedError("byte_order_mark", "starts with a byte order mark");
  }
  const value = new Scanner(text).scanDocument();
  checkTree(value);
  return value;
}

function decodeUtf8(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    const byte = firstWrongByte(bytes) + 1;
    throw new MalformedError("not_utf8", `byte ${byte}: not UTF-8`, { byte });
  }
}

/** Return the index of the first sequence that is not UTF-8: a decoder of the platform does not say it. */
function firstWrongByte(bytes) {
  let at = 0;
  while (at < bytes.length) {
    const length = lengthOfSequence(bytes[at]);
    if (length === 0 || !hasTail(bytes, at, length)) {
      return at;
    }
    at += length;
  }
  return at;
}

/** Return how many bytes a character has that begins with this one, 0 if none does. */
function lengthOfSequence(first) {
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

function hasTail(bytes, at, length) {
  for (let index = 1; index < length; index += 1) {
    const byte = bytes[at + index];
    const [low, high] = index > 1 ? [0x80, 0xbf] : secondByteRange(bytes[at]);
    if (byte === undefined || byte < low || byte > high) {
      return false;
    }
  }
  return true;
}

function secondByteRange(first) {
  if (first === 0xe0) return [0xa0, 0xbf];
  if (first === 0xed) return [0x80, 0x9f];
  if (first === 0xf0) return [0x90, 0xbf];
  return first === 0xf4 ? [0x80, 0x8f] : [0x80, 0xbf];
}

/** Refuse what only shows in the decoded value, depth by depth: lone surrogates, and containers nested too deep. */
function checkTree(value) {
  let level = [value];
  for (let depth = 0; level.length; depth += 1) {
    const next = [];
    let hasContainer = false;
    for (const part of level) {
      if (typeof part === "string" && !part.isWellFormed()) {
        throw new MalformedError("lone_surrogate", "a lone surrogate in a string");
      }
      if (part !== null && typeof part === "object") {
        hasContainer = true;
        if (part instanceof Map) {
          for (const [name, inner] of part) next.push(name, inner);
        } else {
          for (const inner of part) next.push(inner);
        }
      }
    }
    if (depth === MAX_DEPTH && hasContainer) {
      throw new MalformedError("too_deep", `nested deeper than ${MAX_DEPTH}`);
    }
    level = next;
  }
}

module.exports = { MAX_BYTES, MAX_DEPTH, MalformedError, decodeJson };
