// Places of texts: a tree in which each node asks for one bit (PATRICIA).
//
// No choice of texts makes it slow, which hashes without a secret cannot promise. Bits are numbered from the first unit
// on, 32 for each. A unit counts as one more than it is, and what is behind the end as 0.

const MAX_LENGTH = 1 << 26; // units before a bit, whose number is an i32

/** A text. One link goes to nodes with later bits; a link that goes to none of them ends the search there. */
class Node {
  zero: Node = changetype<Node>(0); // for texts whose bit is 0
  one: Node = changetype<Node>(0);

  constructor(public text: string, public place: i32, public bit: i32) {
    this.zero = this;
    this.one = this;
  }

  next(text: string): Node {
    return hasBit(text, this.bit) ? this.one : this.zero;
  }
}

/** Places of texts, each of which has one. */
export class Places {
  private top: Node = new Node("", -1, -1); // it has no bit, and goes on to `zero`

  /** Return the place of a text, -1 if it has none. */
  find(text: string): i32 {
    const near = this.nodeNear(text);
    return near.text == text ? near.place : -1;
  }

  /** Give a text a place, unless it has one; return whether it had none. */
  add(text: string, place: i32): bool {
    const near = this.nodeNear(text);
    if (near.text != text) {
      this.insert(new Node(text, place, firstDifference(text, near.text)));
    } else if (near.place >= 0) {
      return false;
    } else {
      near.place = place; // the empty text
    }
    return true;
  }

  /** Return the only node that can have a text. */
  private nodeNear(text: string): Node {
    let above: Node;
    let node = this.top;
    do {
      above = node;
      node = node.next(text);
    } while (above.bit < node.bit);
    return node;
  }

  private insert(made: Node): void {
    let above = this.top;
    let node = above.zero;
    while (above.bit < node.bit && node.bit < made.bit) {
      above = node;
      node = node.next(made.text);
    }
    if (hasBit(made.text, made.bit)) made.zero = node;
    else made.one = node;
    if (hasBit(made.text, above.bit)) above.one = made;
    else above.zero = made;
  }
}

function hasBit(text: string, bit: i32): bool {
  return ((text.charCodeAt(bit >> 5) + 1) << (bit & 31)) < 0; // behind its end, and for -1, the code is -1
}

function firstDifference(text: string, other: string): i32 {
  let at = 0;
  while (text.charCodeAt(at) == other.charCodeAt(at)) at += 1;
  if (at >= MAX_LENGTH) unreachable();
  return (at << 5) + clz((text.charCodeAt(at) + 1) ^ (other.charCodeAt(at) + 1));
}
