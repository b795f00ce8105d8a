// The parts of a pattern and their positions: one for each character, class or assertion, with those that follow.
//
// A set of positions is a bigint, in which each position has a bit.
"use strict";

class PatternNode {
  constructor(size, parts = [], isNullable = false) {
    this.size = size;
    this.parts = parts;
    this.isNullable = isNullable;
  }

  /** Return the positions that a match can begin with, if its own begin at `base`. */
  firstPositions(base) {
    return 1n << BigInt(base);
  }

  /** Note which positions follow its own; return those that a match, and what comes `after`, can begin with. */
  link(positions, base, after) {
    positions.follow[base] = after;
    positions.leaves[base] = this;
    return 1n << BigInt(base);
  }

  /** Return the part that matches the same texts read backwards. */
  reverse() {
    return this;
  }
}

/** One character. */
class CharacterSet extends PatternNode {
  constructor(bounds) {
    super(1);
    this.bounds = bounds;
  }
}

/** One of `^`, `$`, `\b` and `\B`. */
class Assertion extends PatternNode {
  constructor(kind) {
    super(1);
    this.kind = kind;
  }

  reverse() {
    return new Assertion(this.kind === "^" ? "$" : this.kind === "$" ? "^" : this.kind);
  }
}

function sumOfSizes(parts) {
  return parts.reduce((sum, part) => sum + part.size, 0);
}

/** One part after the other. */
class Series extends PatternNode {
  constructor(parts) {
    super(sumOfSizes(parts), parts, parts.every((part) => part.isNullable));
  }

  firstPositions(base) {
    let result = 0n;
    let at = base;
    for (const part of this.parts) {
      result |= part.firstPositions(at);
      if (!part.isNullable) break;
      at += part.size;
    }
    return result;
  }

  link(positions, base, after) {
    let at = base + this.size;
    let next = after;
    for (const part of [...this.parts].reverse()) {
      at -= part.size;
      next = part.link(positions, at, next);
    }
    return next;
  }

  reverse() {
    return new Series(this.parts.map((part) => part.reverse()).reverse());
  }
}

/** One part or another. */
class Choice extends PatternNode {
  constructor(parts) {
    super(sumOfSizes(parts), parts, parts.some((part) => part.isNullable));
  }

  firstPositions(base) {
    let at = base;
    return this.parts.reduce((result, part) => {
      const first = part.firstPositions(at);
      at += part.size;
      return result | first;
    }, 0n);
  }

  link(positions, base, after) {
    let at = base;
    return this.parts.reduce((result, part) => {
      const first = part.link(positions, at, after);
      at += part.size;
      return result | first;
    }, 0n);
  }

  reverse() {
    return new Choice(this.parts.map((part) => part.reverse()));
  }
}

/** A part several times, `maxCount` is undefined for no end: a counted one has positions for each time. */
class Repeat extends PatternNode {
  constructor(part, minCount, maxCount) {
    super(part.size * (maxCount ?? Math.max(minCount, 1)), [part], minCount === 0 || part.isNullable);
    this.minCount = minCount;
    this.maxCount = maxCount;
  }

  firstPositions(base) {
    const [part] = this.parts;
    const copies = part.isNullable ? this.size / part.size : 1;
    let result = 0n;
    for (let copy = 0; copy < copies; copy += 1) {
      result |= part.firstPositions(base + copy * part.size);
    }
    return result;
  }

  /** Link each repetition to the next, or out if there were enough; the last one of an open count to itself. */
  link(positions, base, after) {
    const [part] = this.parts;
    let at = base + this.size - part.size;
    let entry = this.maxCount === undefined ? part.firstPositions(at) | after : after;
    for (let copy = this.size / part.size - 1; copy >= 0; copy -= 1) {
      const inner = part.link(positions, at, entry);
      entry = copy < this.minCount ? inner : inner | after;
      at -= part.size;
    }
    return entry;
  }

  reverse() {
    return new Repeat(this.parts[0].reverse(), this.minCount, this.maxCount);
  }
}

module.exports = { CharacterSet, Assertion, Series, Choice, Repeat };
