// An automaton for a part of a pattern; its states are built on demand.
//
// A state is the set of positions that the next character may match, as the bits of a bigint. The number of steps
// depends on the pattern and the value alone, not on what is cached from earlier values.
"use strict";

const { WORDS } = require("./characters");
const { Assertion } = require("./nodes");

const MAX_CACHED = 2000; // moves of an automaton, and characters whose class is cached
const EDGE = -1; // stands for the place before the first and after the last character
const ASCII = 128;

const FOUND = { name: "a match was found" };
const DEAD = { name: "no match is possible any more" };

/**
 * A part of a pattern, prepared to search for a match that ends anywhere.
 *
 * A match may begin anywhere, too, unless `isAnchored`. With `goesOn` the search continues after a match:
 * `isMatchEnd` says whether one ends at a state.
 */
class Automaton {
  constructor(node, { isAnchored = false, goesOn = false } = {}) {
    const positions = { follow: new Array(node.size), leaves: new Array(node.size) };
    this.match = 1n << BigInt(node.size); // one position more: the match is complete
    const first = node.link(positions, 0, this.match);
    this.follow = positions.follow;
    this.noteAssertions(positions.leaves);
    this.again = isAnchored ? 0n : first & ~this.starts;
    this.end = goesOn ? 0n : this.match;
    this.divideCodePoints(positions.leaves);
    this.states = new Map();
    this.kept = 0;
    this.start = first & this.end ? FOUND : this.makeState(first, EDGE);
  }

  noteAssertions(leaves) {
    const kinds = { "^": 0n, $: 0n, "\\b": 0n, "\\B": 0n };
    leaves.forEach((leaf, position) => {
      if (leaf instanceof Assertion) kinds[leaf.kind] |= 1n << BigInt(position);
    });
    this.starts = kinds["^"];
    this.ends = kinds.$;
    this.borders = kinds["\\b"];
    this.waiting = this.borders | kinds["\\B"]; // they depend on the characters on both sides
    this.assertions = this.starts | this.ends | this.waiting;
    this.word = this.waiting ? this.match << 1n : 0n; // the bit of a letter, digit or `_`
  }

  /** Divide the code points where a set begins or ends; those that all sets treat alike are one class, a number. */
  divideCodePoints(leaves) {
    const changes = new Map();
    const change = (bounds, bits) => {
      for (const bound of bounds) changes.set(bound, (changes.get(bound) ?? 0n) ^ bits);
    };
    leaves.forEach((leaf, position) => {
      if (!(leaf instanceof Assertion)) change(leaf.bounds, 1n << BigInt(position));
    });
    change(WORDS, this.word);
    this.cuts = [...changes.keys()].sort((a, b) => a - b);
    this.accepted = [0n]; // by class: the positions that match its characters
    this.classOfCut = [0];
    const known = new Map([[0n, 0]]);
    let accepted = 0n;
    for (const cut of this.cuts) {
      accepted ^= changes.get(cut);
      if (!known.has(accepted)) {
        known.set(accepted, known.size);
        this.accepted.push(accepted);
      }
      this.classOfCut.push(known.get(accepted));
    }
    this.asciiClasses = Array.from({ length: ASCII }, (_, code) => this.findClass(code));
  }

  classOf(code) {
    return code < ASCII ? this.asciiClasses[code] : this.findClass(code);
  }

  findClass(code) {
    let [low, high] = [0, this.cuts.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (code < this.cuts[middle]) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return this.classOfCut[low];
  }

  /** Whether a match ends at a state, before a character of this class, or undefined at the end of the value. */
  isMatchEnd(state, following) {
    if (state === FOUND || state === DEAD) return state === FOUND;
    const behind = following === undefined ? EDGE : this.isWord(following);
    return (this.passAssertions(state.positions, state.before, behind) & this.match) !== 0n;
  }

  /** Return the state behind a character of this class. */
  next(state, following) {
    if (state === FOUND || state === DEAD) return state;
    return state.moves[following] ?? this.addMove(state, following);
  }

  addMove(state, following) {
    const found = this.step(state, following);
    this.kept += 1;
    if (this.kept > MAX_CACHED) {
      for (const other of [this.start, ...this.states.values()]) {
        if (other.moves) other.moves = [];
      }
      this.states.clear();
      this.kept = 0;
    }
    state.moves[following] = found;
    return found;
  }

  step(state, following) {
    const accepted = this.accepted[following];
    let { positions } = state;
    if (positions & this.waiting || state.before === EDGE) {
      positions = this.passAssertions(positions, state.before, this.isWord(following));
      if (positions & this.end) return FOUND;
    }
    let next = this.again;
    for (const position of bitsOf(positions & accepted)) {
      next |= this.follow[position];
    }
    next &= ~this.starts;
    if (next & this.end) return FOUND;
    return next || !this.end ? this.makeState(next, this.isWord(following)) : DEAD;
  }

  isWord(following) {
    return this.accepted[following] & this.word ? 1 : 0;
  }

  makeState(positions, before) {
    const key = `${before} ${positions.toString(32)}`;
    let state = this.states.get(key);
    if (state === undefined) {
      const hasAssertions = positions & (this.waiting | this.starts);
      const active = hasAssertions ? this.passAssertions(positions, undefined, undefined) : positions;
      state = { positions, before, moves: [], weight: bitsOf(active & ~this.match).length };
      this.states.set(key, state);
    }
    return state;
  }

  /** Add the positions behind the assertions that hold here, behind all assertions for undefined. */
  passAssertions(positions, before, following) {
    let reached = positions;
    let assertions = positions & this.assertions;
    while (assertions) {
      const [position] = bitsOf(assertions);
      const bit = 1n << BigInt(position);
      assertions ^= bit;
      if (before === undefined || following === undefined || this.isMet(bit, before, following)) {
        const more = this.follow[position] & ~reached;
        reached |= more;
        assertions |= more & this.assertions;
      }
    }
    return reached;
  }

  isMet(assertion, before, following) {
    if (assertion & this.starts) return before === EDGE;
    if (assertion & this.ends) return following === EDGE;
    return (before > 0) !== (following > 0) === ((assertion & this.borders) !== 0n);
  }
}

/** Return the numbers of the bits of a set, the lowest first. */
function bitsOf(set) {
  const found = [];
  const text = set.toString(16);
  for (let at = text.length - 1; at >= 0; at -= 1) {
    const digit = Number.parseInt(text[at], 16);
    for (let bit = 0; bit < 4; bit += 1) {
      if (digit >> bit & 1) found.push(4 * (text.length - 1 - at) + bit);
    }
  }
  return found;
}

module.exports = { Automaton, FOUND, DEAD };
