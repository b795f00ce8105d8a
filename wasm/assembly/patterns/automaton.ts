// An automaton for a part of a pattern. A state is the set of positions that the next character may match.
//
// No state is kept: a step is a few operations on at most sixteen words, and a call leaves nothing behind.

import { emptyList } from "../lists";
import { Places } from "../places";
import { sortBy } from "../sort";
import { addBits, Bits, copyOfBits, countOfBits, dropBits, emptyBits, hasBit, isEmpty, keepBits, meets, setBit } from "./bits";
import { WORDS } from "./characters";
import { Edge, Node, Part, Positions } from "./nodes";

export const EDGE = -1; // stands for the place before the first and after the last character
const ANY = -2; // the characters around do not matter: all assertions count as if they held

const enum Status { Searching, Found, Dead }

/** A set of positions between two characters. */
export class State {
  constructor(public status: Status, public positions: Bits, public before: i32) {}

  isLast(): bool {
    return this.status != Status.Searching;
  }
}

class Change {
  constructor(public code: i32, public position: i32) {}
}

/** A part of a pattern, prepared to search for a match that ends anywhere. */
export class Automaton {
  start: State;
  private follow: Bits[];
  private edges: Bits[]; // by Edge
  private waiting: Bits; // they depend on the characters on both sides
  private assertions: Bits;
  private again: Bits;
  private size: i32;
  private words: i32;
  private cuts: i32[] = emptyList<i32>(); // code points at which a class begins
  private classOfCut: i32[] = emptyList<i32>();
  private accepted: Bits[] = emptyList<Bits>(); // by class: the positions that match its characters

  /** A match may begin anywhere, too, unless `isAnchored`. With `goesOn` the search continues after a match. */
  constructor(node: Node, isAnchored: bool, private goesOn: bool) {
    const words = (node.size + 2 + 63) >> 6; // one more for the match, and one for letters, digits and `_`
    const positions = new Positions(node.size, words);
    const first = node.link(positions, 0, positions.one(node.size));
    this.size = node.size;
    this.words = words;
    this.follow = positions.follow;
    this.edges = [emptyBits(words), emptyBits(words), emptyBits(words), emptyBits(words)];
    this.waiting = emptyBits(words);
    this.assertions = emptyBits(words);
    this.again = emptyBits(words);
    this.start = new State(Status.Searching, first, EDGE);
    this.noteAssertions(positions.leaves);
    if (!isAnchored) {
      addBits(this.again, first);
      dropBits(this.again, this.edges[Edge.Start]);
    }
    this.divideCodePoints(positions.leaves);
    if (this.endsIn(first)) this.start = new State(Status.Found, first, EDGE);
  }

  private noteAssertions(leaves: Node[]): void {
    for (let at = 0; at < leaves.length; at += 1) {
      if (leaves[at].part == Part.Assertion) setBit(this.edges[leaves[at].edge], at);
    }
    addBits(this.waiting, this.edges[Edge.Border]);
    addBits(this.waiting, this.edges[Edge.Inside]);
    for (let edge = 0; edge < 4; edge += 1) addBits(this.assertions, this.edges[edge]);
  }

  /** Divide the code points where a set begins or ends; those that all sets treat alike are one class. */
  private divideCodePoints(leaves: Node[]): void {
    const changes = emptyList<Change>();
    for (let at = 0; at < leaves.length; at += 1) {
      const bounds = leaves[at].bounds;
      for (let bound = 0; bound < bounds.length; bound += 1) changes.push(new Change(bounds[bound], at));
    }
    if (!isEmpty(this.waiting)) {
      for (let at = 0; at < WORDS.length; at += 1) changes.push(new Change(WORDS[at], this.size + 1));
    }
    sortBy(changes, (a: Change, b: Change) => a.code - b.code);
    const known = new Places();
    const accepted = emptyBits(this.words);
    this.noteClass(accepted, known);
    for (let at = 0; at < changes.length; at += 1) {
      accepted[changes[at].position >> 6] ^= (<u64>1) << (changes[at].position & 63);
      if (at + 1 < changes.length && changes[at + 1].code == changes[at].code) continue;
      this.cuts.push(changes[at].code);
      this.noteClass(accepted, known);
    }
  }

  private noteClass(accepted: Bits, known: Places): void {
    const key = String.UTF16.decodeUnsafe(changetype<usize>(accepted), this.words << 3);
    if (known.add(key, this.accepted.length)) this.accepted.push(copyOfBits(accepted));
    this.classOfCut.push(known.find(key));
  }

  classOf(code: i32): i32 {
    let low = 0;
    let high = this.cuts.length;
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

  private isWord(following: i32): i32 {
    return following == EDGE ? EDGE : hasBit(this.accepted[following], this.size + 1) ? 1 : 0;
  }

  private endsIn(positions: Bits): bool {
    return !this.goesOn && hasBit(positions, this.size);
  }

  /** Whether a match ends at a state, before a character of this class, or before EDGE. */
  isMatchEnd(state: State, following: i32): bool {
    if (state.isLast()) return state.status == Status.Found;
    return hasBit(this.passAssertions(state.positions, state.before, this.isWord(following)), this.size);
  }

  /** Return the steps that one character takes from a state. */
  weightOf(state: State): i32 {
    if (state.isLast()) return 0;
    const has = meets(state.positions, this.waiting) || meets(state.positions, this.edges[Edge.Start]);
    const active = has ? this.passAssertions(state.positions, ANY, ANY) : state.positions;
    return countOfBits(active) - (hasBit(active, this.size) ? 1 : 0);
  }

  /** Move a state behind a character of this class. */
  step(state: State, following: i32): void {
    const accepted = this.accepted[following];
    const word = this.isWord(following);
    let positions = state.positions;
    if (state.before == EDGE || meets(positions, this.waiting)) {
      positions = this.passAssertions(positions, state.before, word);
      if (this.endsIn(positions)) {
        state.status = Status.Found;
        return;
      }
    }
    const next = copyOfBits(this.again);
    for (let at = 0; at < this.words; at += 1) {
      for (let bits = positions[at] & accepted[at]; bits; bits &= bits - 1) {
        const position = (at << 6) + <i32>ctz(bits);
        if (position < this.size) addBits(next, this.follow[position]);
      }
    }
    dropBits(next, this.edges[Edge.Start]);
    state.before = word;
    state.positions = next;
    if (this.endsIn(next)) state.status = Status.Found;
    if (!this.goesOn && isEmpty(next)) state.status = Status.Dead;
  }

  /** Add the positions behind the assertions that hold here. */
  private passAssertions(positions: Bits, before: i32, following: i32): Bits {
    const reached = copyOfBits(positions);
    const left = copyOfBits(positions);
    keepBits(left, this.assertions);
    for (let at = 0; at < this.words; at += 1) {
      while (left[at]) {
        const position = (at << 6) + <i32>ctz(left[at]);
        left[at] &= left[at] - 1;
        if (!this.isMet(position, before, following)) continue;
        const more = copyOfBits(this.follow[position]);
        dropBits(more, reached);
        addBits(reached, more);
        keepBits(more, this.assertions);
        addBits(left, more);
        if (!isEmpty(more)) at = -1; // they may be in words before this one
        if (at < 0) break;
      }
    }
    return reached;
  }

  private isMet(position: i32, before: i32, following: i32): bool {
    if (before == ANY) return true;
    if (hasBit(this.edges[Edge.Start], position)) return before == EDGE;
    if (hasBit(this.edges[Edge.End], position)) return following == EDGE;
    return (before > 0 != following > 0) == hasBit(this.edges[Edge.Border], position);
  }
}
