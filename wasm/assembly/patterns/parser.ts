// Parse a pattern of ECMAScript with the flag `u`, strictly: everything outside of that grammar is refused.
//
// Also refused, by name: backreferences, lookbehind, lookahead elsewhere than at the very start, and `\p{...}`, whose
// tables differ between versions of Unicode.

import { isDigit } from "../json";
import { emptyList } from "../lists";
import { integerOf, textOf } from "../text";
import { boundsOfDot, CharacterReader, isLetter } from "./characters";
import { Edge, NO_END, Node, Part } from "./nodes";

const MAX_POSITIONS = 1000;
const MAX_DEPTH = 64; // groups in each other
const MAX_LENGTH = 1 << 16; // characters of a pattern

const enum Opening { Plain, Holds, HoldsNot }

/** An open group, and the branches and items that were read before it. */
class Group {
  constructor(public start: i32, public opening: Opening, public branches: Node[], public items: Node[]) {}
}

/** Parses one pattern: `error` says why it is refused. */
export class PatternParser extends CharacterReader {
  body: Node = Node.empty();
  isAnchored: bool = false; // a match can only begin where the value begins
  lookaheads: Node[] = emptyList<Node>();
  holds: bool[] = emptyList<bool>(); // whether each lookahead must match
  private names: string[] = emptyList<string>();
  private open: Group[] = emptyList<Group>();
  private branches: Node[] = emptyList<Node>(); // of the innermost open group
  private items: Node[] = emptyList<Node>(); // of its last branch
  private firstLookahead: i32 = 0;
  private minCount: i32 = 0;
  private maxCount: i32 = 0;

  parse(): void {
    if (this.text.length > MAX_LENGTH) {
      this.error = "a pattern of more than 65,536 characters";
      return;
    }
    while (this.at < this.text.length && !this.error.length) this.readPart();
    if (this.error.length) return;
    if (this.open.length) return this.fail("a group that is not closed", this.open[this.open.length - 1].start);
    if (this.lookaheads.length && this.branches.length) {
      return this.fail("a lookahead in one of several alternatives", this.firstLookahead);
    }
    this.isAnchored = !this.branches.length && this.items.length > 0 && this.items[0].isStart();
    this.body = this.makeChoice();
    let size = this.body.size;
    for (let at = 0; at < this.lookaheads.length; at += 1) size += max(this.lookaheads[at].size, 1);
    if (size > MAX_POSITIONS) this.fail("more than 1,000 positions, counts unrolled", 0);
  }

  private readPart(): void {
    const code = this.text[this.at];
    this.at += 1;
    if (code == 40) {
      this.openGroup();
    } else if (code == 41) {
      this.closeGroup();
    } else if (code == 124) {
      this.branches.push(this.makeSeries());
      this.items = emptyList<Node>();
    } else {
      const atom = this.readAtom(code);
      if (!this.error.length) this.items.push(this.readQuantifier(atom));
    }
  }

  private makeSeries(): Node {
    const parts = withPositions(this.items);
    return parts.length == 1 ? parts[0] : Node.series(parts);
  }

  private makeChoice(): Node {
    const branches = this.branches.concat([this.makeSeries()]);
    if (branches.length == 1) return branches[0];
    const parts = withPositions(branches);
    if (!parts.length) return Node.empty();
    if (parts.length < branches.length) parts.push(Node.empty());
    return Node.choice(parts);
  }

  private openGroup(): void {
    const start = this.at - 1;
    if (this.open.length == MAX_DEPTH) return this.fail(`more than ${MAX_DEPTH} groups in each other`);
    const opening = this.skip(63) ? this.readOpening(start) : Opening.Plain;
    this.open.push(new Group(start, opening, this.branches, this.items));
    this.branches = emptyList<Node>();
    this.items = emptyList<Node>();
  }

  private readOpening(start: i32): Opening {
    if (this.skip(58)) return Opening.Plain;
    const isHeld = this.skip(61);
    if (isHeld || this.skip(33)) {
      if (this.open.length || this.branches.length || !areStarts(this.items)) {
        this.fail("lookahead elsewhere than at the very start, which is not supported", start);
      }
      this.firstLookahead = start;
      return isHeld ? Opening.Holds : Opening.HoldsNot;
    }
    if (!this.skip(60)) {
      this.fail("a group that begins with an unknown `(?`", start);
    } else if (this.peek() == 61 || this.peek() == 33) {
      this.fail("lookbehind, which is not supported", start);
    } else {
      this.readName(start);
    }
    return Opening.Plain;
  }

  private readName(start: i32): void {
    const name = this.readThroughOrEmpty(62);
    if (!isGroupName(name) || this.names.includes(name)) {
      this.fail("a group name that is invalid, is used twice, or has other than ASCII letters", start);
    }
    this.names.push(name);
  }

  private closeGroup(): void {
    if (!this.open.length) return this.fail("an unmatched `)`");
    const group = this.open.pop();
    const node = this.makeChoice();
    this.branches = group.branches;
    this.items = group.items;
    if (group.opening == Opening.Plain) {
      this.items.push(this.readQuantifier(node));
    } else {
      this.lookaheads.push(node);
      this.holds.push(group.opening == Opening.Holds);
      this.refuseCount("a lookahead");
    }
  }

  private readAtom(code: i32): Node {
    if (code == 92) {
      if (this.skip(98)) return Node.assertion(Edge.Border);
      return this.skip(66) ? Node.assertion(Edge.Inside) : Node.characters(this.readEscapeAsBounds());
    }
    if (code == 91) return Node.characters(this.readClass());
    if (code == 94) return Node.assertion(Edge.Start);
    if (code == 36) return Node.assertion(Edge.End);
    if (code == 46) return Node.characters(boundsOfDot());
    if (code == 125 || code == 93) this.fail(`a \`${String.fromCharCode(code)}\` without a backslash`);
    if (isCount(code)) this.fail(`nothing before \`${String.fromCharCode(code)}\``);
    return Node.characters([code, code + 1]);
  }

  private refuseCount(what: string): void {
    if (isCount(this.peek())) {
      this.at += 1;
      this.fail(`a count after ${what}`);
    }
  }

  private readQuantifier(node: Node): Node {
    const code = this.peek();
    if (!isCount(code)) return node;
    if (node.part == Part.Assertion && this.text[this.at - 1] != 41) this.refuseCount("an assertion");
    const start = this.at;
    this.at += 1;
    this.minCount = code == 43 ? 1 : 0;
    this.maxCount = code == 63 ? 1 : NO_END;
    if (code == 123) this.readCounts();
    this.skip(63); // lazy: it does not matter here which match is found first
    if (!node.size || this.maxCount == 0) return Node.empty();
    const copies = this.maxCount == NO_END ? max(this.minCount, 1) : this.maxCount;
    if (node.size * copies > MAX_POSITIONS) this.fail("a count that makes more than 1,000 positions", start);
    return this.error.length ? node : Node.repeat(node, this.minCount, this.maxCount);
  }

  private readCounts(): void {
    const start = this.at - 1;
    const least = this.readNumber();
    const most = this.skip(44) ? this.readNumber() : least;
    if (!least.length || !this.skip(125)) return this.fail("a `{` that begins no count", start);
    this.minCount = clipCount(least);
    this.maxCount = most.length ? clipCount(most) : NO_END;
    if (most.length && (most.length < least.length || (most.length == least.length && most < least))) {
      this.fail("a count that ends below its start", start);
    }
  }

  /** Read digits, and return them without leading zeros. */
  private readNumber(): string {
    const from = this.at;
    while (isDigit(this.peek())) this.at += 1;
    let first = from;
    while (first + 1 < this.at && this.text[first] == 48) first += 1;
    return textOf(this.text, first, this.at);
  }
}

function withPositions(nodes: Node[]): Node[] {
  const found = emptyList<Node>();
  for (let at = 0; at < nodes.length; at += 1) {
    if (nodes[at].size) found.push(nodes[at]);
  }
  return found;
}

function areStarts(nodes: Node[]): bool {
  for (let at = 0; at < nodes.length; at += 1) {
    if (!nodes[at].isStart()) return false;
  }
  return true;
}

function isGroupName(name: string): bool {
  for (let at = 0; at < name.length; at += 1) {
    const unit = name.charCodeAt(at);
    if (!isLetter(unit) && unit != 95 && unit != 36 && !(at > 0 && isDigit(unit))) return false;
  }
  return name.length > 0;
}

function isCount(code: i32): bool {
  return code == 42 || code == 43 || code == 63 || code == 123;
}

function clipCount(digits: string): i32 {
  return digits.length <= 4 ? <i32>integerOf(digits) : MAX_POSITIONS + 1;
}
