// Search a value for a pattern of ECMAScript with the flag `u`, in time linear in the value.
//
// Bounds: a value of more than 64 KiB, or that takes more than 300,000 steps, does not match. The steps are the sum,
// over its characters, of the active positions, including those behind an assertion.

import { mark, release } from "rt/stub";
import { emptyList } from "../lists";
import { widthAt } from "../text";
import { utf8Length } from "../utf8";
import { Automaton, EDGE, State } from "./automaton";
import { copyOfBits } from "./bits";
import { PatternParser } from "./parser";

const MAX_BYTES = 1 << 16; // of a value, in UTF-8
const MAX_STEPS = 300_000;
const MAX_STEPS_OF_CALL = 10 * MAX_STEPS; // of all values: an array may hold any number of them
const PIECE = 16; // characters after which the limit is tested

/** The steps of the current value, and of the values before it in the same call. `limit` says which one was broken. */
export class Steps {
  limit: string = "";
  taken: i32 = 0;
  private before: i32 = 0;

  beginValue(): void {
    this.before += this.taken;
    this.taken = 0;
    this.limit = this.before > MAX_STEPS_OF_CALL ? "within 3,000,000 steps for all values of the call" : "";
  }

  isExceeded(): bool {
    if (this.taken > MAX_STEPS) this.limit = "within 300,000 steps";
    return this.limit.length > 0;
  }
}

/** A pattern; `error` says why it is refused. */
export class Pattern {
  error: string;
  private isForward: bool;
  private parts: Automaton[] = emptyList<Automaton>();
  private holds: bool[];

  constructor(text: string) {
    const parser = new PatternParser(text);
    parser.parse();
    this.error = parser.error;
    // if a match may begin anywhere, all parts are tried at once, from the end of the value backwards
    this.isForward = parser.isAnchored || !parser.lookaheads.length;
    this.holds = parser.holds.concat([true]);
    const nodes = parser.lookaheads.concat([parser.body]);
    for (let at = 0; at < nodes.length && !this.error.length; at += 1) {
      const isLookahead = at + 1 < nodes.length;
      this.parts.push(this.isForward ? new Automaton(nodes[at], isLookahead, false) : new Automaton(nodes[at].reverse(), false, true));
    }
  }

  /** Whether a value holds a match; `steps.limit` says if that took too much work. */
  matches(value: string, steps: Steps): bool {
    steps.beginValue();
    if (steps.limit.length) return false;
    if (value.length > MAX_BYTES || utf8Length(value) > MAX_BYTES) {
      steps.limit = "within 65,536 bytes";
      return false;
    }
    return this.isForward ? this.matchesForwards(value, steps) : this.matchesBackwards(value, steps);
  }

  private matchesForwards(value: string, steps: Steps): bool {
    for (let at = 0; at < this.parts.length; at += 1) {
      const isFound = hasMatch(this.parts[at], value, steps);
      if (steps.limit.length || isFound != this.holds[at]) return false;
    }
    return true;
  }

  /** Whether at some place each lookahead has its wanted result and the rest matches. */
  private matchesBackwards(value: string, steps: Steps): bool {
    const states = emptyList<State>();
    for (let at = 0; at < this.parts.length; at += 1) states.push(ownState(this.parts[at]));
    const place = mark();
    for (let end = value.length; end > 0; ) {
      end -= end > 1 && widthAt(value, end - 2) == 2 ? 2 : 1;
      const code = value.codePointAt(end);
      if (this.isEndForAll(states, code)) return true;
      for (let at = 0; at < this.parts.length; at += 1) {
        steps.taken += max(this.parts[at].weightOf(states[at]), 1); // a part without positions left costs a step too
      }
      for (let at = 0; at < this.parts.length; at += 1) moveInPlace(this.parts[at], states[at], code);
      release(place);
      if (steps.isExceeded()) return false;
    }
    return this.isEndForAll(states, EDGE);
  }

  private isEndForAll(states: State[], code: i32): bool {
    for (let at = 0; at < this.parts.length; at += 1) {
      const following = code == EDGE ? EDGE : this.parts[at].classOf(code);
      if (this.parts[at].isMatchEnd(states[at], following) != this.holds[at]) return false;
    }
    return true;
  }
}

function ownState(automaton: Automaton): State {
  const start = automaton.start;
  return new State(start.status, copyOfBits(start.positions), start.before);
}

/** Move a state; its set stays in the place that it has, so that the memory behind it can be used again. */
function moveInPlace(automaton: Automaton, state: State, code: i32): void {
  const own = state.positions;
  automaton.step(state, automaton.classOf(code));
  for (let word = 0; word < own.length; word += 1) own[word] = state.positions[word];
  state.positions = own;
}

function hasMatch(automaton: Automaton, value: string, steps: Steps): bool {
  const state = ownState(automaton);
  const place = mark();
  let inPiece = 0;
  for (let at = 0; at < value.length; inPiece += 1) {
    if (inPiece == PIECE) {
      inPiece = 0;
      if (steps.isExceeded() || state.isLast()) return automaton.isMatchEnd(state, EDGE);
    }
    const code = value.codePointAt(at);
    at += code > 0xffff ? 2 : 1;
    if (state.isLast()) continue;
    steps.taken += automaton.weightOf(state);
    moveInPlace(automaton, state, code);
    release(place);
  }
  return !steps.isExceeded() && automaton.isMatchEnd(state, EDGE);
}
