// The parts of a pattern and their positions: one for each character, class or assertion, with those that follow.

import { addBits, Bits, copyOfBits, emptyBits, setBit } from "./bits";
import { emptyList } from "../lists";

export const enum Part { Characters, Assertion, Series, Choice, Repeat }

export const enum Edge { Start, End, Border, Inside }

export const NO_END = -1;

/** The positions of a pattern: for each those that may come after it, and what is there. */
export class Positions {
  follow: Bits[] = emptyList<Bits>();
  leaves: Node[] = emptyList<Node>();

  constructor(size: i32, public words: i32) {
    const none = emptyBits(words);
    const nothing = Node.empty();
    for (let at = 0; at < size; at += 1) {
      this.follow.push(none);
      this.leaves.push(nothing);
    }
  }

  one(at: i32): Bits {
    const bits = emptyBits(this.words);
    setBit(bits, at);
    return bits;
  }
}

/** A part of a pattern, with its number of positions and whether it matches the empty text. */
export class Node {
  bounds: i32[] = emptyList<i32>(); // of characters: the even ones begin a range, the odd ones are one past its end
  edge: Edge = Edge.Start;
  minCount: i32 = 0;
  maxCount: i32 = NO_END;

  constructor(public part: Part, public size: i32, public parts: Node[], public isNullable: bool) {}

  static empty(): Node {
    return new Node(Part.Series, 0, emptyList<Node>(), true);
  }

  static characters(bounds: i32[]): Node {
    const made = new Node(Part.Characters, 1, emptyList<Node>(), false);
    made.bounds = bounds;
    return made;
  }

  static assertion(edge: Edge): Node {
    const made = new Node(Part.Assertion, 1, emptyList<Node>(), false);
    made.edge = edge;
    return made;
  }

  static series(parts: Node[]): Node {
    let isNullable = true;
    for (let at = 0; at < parts.length; at += 1) isNullable = isNullable && parts[at].isNullable;
    return new Node(Part.Series, sumOfSizes(parts), parts, isNullable);
  }

  static choice(parts: Node[]): Node {
    let isNullable = false;
    for (let at = 0; at < parts.length; at += 1) isNullable = isNullable || parts[at].isNullable;
    return new Node(Part.Choice, sumOfSizes(parts), parts, isNullable);
  }

  static repeat(part: Node, minCount: i32, maxCount: i32): Node {
    const copies = maxCount == NO_END ? max(minCount, 1) : maxCount;
    const made = new Node(Part.Repeat, part.size * copies, [part], minCount == 0 || part.isNullable);
    made.minCount = minCount;
    made.maxCount = maxCount;
    return made;
  }

  isStart(): bool {
    return this.part == Part.Assertion && this.edge == Edge.Start;
  }

  /** Return the positions that a match can begin with, if its own begin at `base`. */
  first(positions: Positions, base: i32): Bits {
    if (this.part <= Part.Assertion) return positions.one(base);
    const found = emptyBits(positions.words);
    if (this.part == Part.Repeat) {
      const part = this.parts[0];
      const copies = part.isNullable ? this.size / part.size : 1;
      for (let copy = 0; copy < copies; copy += 1) addBits(found, part.first(positions, base + copy * part.size));
      return found;
    }
    for (let at = 0; at < this.parts.length; at += 1) {
      addBits(found, this.parts[at].first(positions, base));
      if (this.part == Part.Series && !this.parts[at].isNullable) break;
      base += this.parts[at].size;
    }
    return found;
  }

  /** Note which positions follow its own; return those that a match, and what comes `after`, can begin with. */
  link(positions: Positions, base: i32, after: Bits): Bits {
    if (this.part == Part.Series) return this.linkSeries(positions, base, after);
    if (this.part == Part.Choice) return this.linkChoice(positions, base, after);
    if (this.part == Part.Repeat) return this.linkRepeat(positions, base, after);
    positions.follow[base] = after;
    positions.leaves[base] = this;
    return positions.one(base);
  }

  private linkSeries(positions: Positions, base: i32, after: Bits): Bits {
    let at = base + this.size;
    for (let index = this.parts.length - 1; index >= 0; index -= 1) {
      at -= this.parts[index].size;
      after = this.parts[index].link(positions, at, after);
    }
    return after;
  }

  private linkChoice(positions: Positions, base: i32, after: Bits): Bits {
    const found = emptyBits(positions.words);
    for (let index = 0; index < this.parts.length; index += 1) {
      addBits(found, this.parts[index].link(positions, base, after));
      base += this.parts[index].size;
    }
    return found;
  }

  /** Link each repetition to the next, or out if there were enough; the last one of an open count to itself. */
  private linkRepeat(positions: Positions, base: i32, after: Bits): Bits {
    const part = this.parts[0];
    let at = base + this.size - part.size;
    let entry = after;
    if (this.maxCount == NO_END) {
      entry = part.first(positions, at);
      addBits(entry, after);
    }
    for (let copy = this.size / part.size - 1; copy >= 0; copy -= 1) {
      entry = part.link(positions, at, entry);
      if (copy >= this.minCount) {
        entry = copyOfBits(entry);
        addBits(entry, after);
      }
      at -= part.size;
    }
    return entry;
  }

  /** Return the part that matches the same texts read backwards. */
  reverse(): Node {
    if (this.part == Part.Characters) return this;
    if (this.part == Part.Assertion) {
      return Node.assertion(this.edge == Edge.Start ? Edge.End : this.edge == Edge.End ? Edge.Start : this.edge);
    }
    const reversed = emptyList<Node>();
    for (let at = 0; at < this.parts.length; at += 1) reversed.push(this.parts[at].reverse());
    if (this.part == Part.Repeat) return Node.repeat(reversed[0], this.minCount, this.maxCount);
    return this.part == Part.Choice ? Node.choice(reversed) : Node.series(reversed.reverse());
  }
}

function sumOfSizes(parts: Node[]): i32 {
  let sum = 0;
  for (let at = 0; at < parts.length; at += 1) sum += parts[at].size;
  return sum;
}
