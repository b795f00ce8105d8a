// Search a value for a pattern of ECMAScript with the flag `u`, in time linear in the value.
//
// Bounds: a value of more than 64 KiB, or that takes more than 300,000 steps, does not match. The steps are the sum,
// over its characters, of the active positions, including those behind an assertion.
"use strict";

const { Automaton, DEAD, FOUND } = require("./automaton");
const { PatternError } = require("./characters");
const { parsePattern } = require("./parser");

const MAX_BYTES = 1 << 16; // of a value, in UTF-8
const MAX_STEPS = 300_000;
const MAX_STEPS_OF_CALL = 10 * MAX_STEPS; // of all values: an array may hold any number of them
const PIECE = 16; // characters after which the limit is tested
const MAX_PATTERNS = 64; // that are kept
const MAX_TEXT = 1 << 18; // characters of all of them

/** A value that takes too much work for its pattern; the message names the bound. */
class PatternLimitError extends Error {}

/** The steps of the current value, and of the values before it in the same call. */
class StepLimit {
  constructor() {
    this.taken = 0;
    this.before = 0;
  }

  beginValue() {
    this.before += this.taken;
    this.taken = 0;
    if (this.before > MAX_STEPS_OF_CALL) {
      throw new PatternLimitError("within 3,000,000 steps for all values of the call");
    }
  }

  throwIfExceeded() {
    if (this.taken > MAX_STEPS) {
      throw new PatternLimitError("within 300,000 steps");
    }
  }
}

class Pattern {
  constructor(text) {
    const { lookaheads, body, isAnchored } = parsePattern(text);
    // if a match may begin anywhere, all parts are tried at once, from the end of the value backwards
    this.isForward = isAnchored || !lookaheads.length;
    this.nodes = [...lookaheads, { node: body, holds: true }];
    this.parts = undefined;
  }

  /** Whether a value holds a match; throw PatternLimitError if that takes too much work. */
  search(value, steps = new StepLimit()) {
    steps.beginValue();
    if (value.length > 2 * MAX_BYTES || utf8Length(value) > MAX_BYTES) {
      throw new PatternLimitError("within 65,536 bytes");
    }
    this.parts ??= this.buildAutomata();
    return this.isForward ? this.searchForwards(value, steps) : this.searchBackwards(value, steps);
  }

  buildAutomata() {
    const last = this.nodes.length - 1;
    return this.nodes.map(({ node, holds }, index) => ({
      automaton: this.isForward
        ? new Automaton(node, { isAnchored: index < last })
        : new Automaton(node.reverse(), { goesOn: true }),
      holds,
    }));
  }

  searchForwards(value, steps) {
    return this.parts.every(({ automaton, holds }) => hasMatch(automaton, value, steps) === holds);
  }

  /** Whether at some place each lookahead has its wanted result and the rest matches. */
  searchBackwards(value, steps) {
    const { parts } = this;
    let states = parts.map(({ automaton }) => automaton.start);
    const isEndForAll = (column) =>
      parts.every(({ automaton, holds }, at) => automaton.isMatchEnd(states[at], column?.[at]) === holds);
    for (const char of [...value].reverse()) {
      const column = parts.map(({ automaton }) => automaton.classOf(char.codePointAt(0)));
      if (isEndForAll(column)) return true;
      for (const state of states) steps.taken += (state.weight ?? 0) || 1;
      states = states.map((state, at) => parts[at].automaton.next(state, column[at]));
      steps.throwIfExceeded();
    }
    return isEndForAll(undefined);
  }
}

function hasMatch(automaton, value, steps) {
  let state = automaton.start;
  let inPiece = 0;
  for (let at = 0; at < value.length; inPiece += 1) {
    if (inPiece === PIECE) {
      inPiece = 0;
      steps.throwIfExceeded();
      if (state === FOUND || state === DEAD) return state === FOUND;
    }
    const code = value.codePointAt(at);
    at += code > 0xffff ? 2 : 1;
    if (state !== FOUND && state !== DEAD) {
      steps.taken += state.weight;
      state = automaton.next(state, automaton.classOf(code));
    }
  }
  steps.throwIfExceeded();
  return automaton.isMatchEnd(state, undefined);
}

function utf8Length(text) {
  return Buffer.byteLength(text, "utf8"); // a lone surrogate counts three, as U+FFFD does
}

const cache = new Map();
let cachedText = 0;

/** Return a compiled pattern, from a cache; throw PatternError if it is refused. */
function compilePattern(text) {
  let compiled = cache.get(text);
  if (compiled === undefined) {
    compiled = compileOrRefuse(text);
    if (cache.size >= MAX_PATTERNS || cachedText + text.length > MAX_TEXT) {
      cache.clear();
      cachedText = 0;
    }
    cache.set(text, compiled);
    cachedText += text.length;
  }
  if (compiled instanceof PatternError) throw compiled;
  return compiled;
}

function compileOrRefuse(text) {
  try {
    return new Pattern(text);
  } catch (error) {
    if (error instanceof PatternError) return error;
    throw error;
  }
}

module.exports = { PatternError, PatternLimitError, StepLimit, compilePattern };
