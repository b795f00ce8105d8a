// Parse a pattern of ECMAScript with the flag `u`, strictly: everything outside of that grammar is refused.
//
// Also refused, by name: backreferences, lookbehind, lookahead elsewhere than at the very start, and `\p{...}`, whose
// tables differ between versions of Unicode.
"use strict";

const { CharacterReader, DIGIT, DOT, PatternError } = require("./characters");
const { Assertion, CharacterSet, Choice, Repeat, Series } = require("./nodes");

const MAX_POSITIONS = 1000;
const MAX_DEPTH = 64; // groups in each other
const MAX_LENGTH = 1 << 16; // characters of a pattern
const EMPTY = new Series([]);
const GROUP_NAME = /^[A-Za-z_$][A-Za-z_$0-9]*$/;
const COUNTS = new Set("*+?{");
const OPENINGS = [":", "=", "!", "<=", "<!", "<"];
const SYNTAX_CHARACTERS = new Set("\\[^$.*+?{}]");

/** Return {lookaheads: [{node, holds}], body, isAnchored}; throw PatternError. */
function parsePattern(text) {
  const parser = new Parser(text);
  if (parser.text.length > MAX_LENGTH) {
    throw new PatternError("a pattern of more than 65,536 characters");
  }
  return parser.parse();
}

class Parser extends CharacterReader {
  constructor(text) {
    super(text);
    this.names = new Set();
    this.open = [];
    this.branches = []; // of the innermost open group
    this.items = []; // of its last branch
    this.lookaheads = [];
    this.firstLookahead = 0;
  }

  parse() {
    while (this.at < this.text.length) {
      this.readPart();
    }
    if (this.open.length) {
      this.fail("a group that is not closed", this.open.at(-1).start);
    }
    if (this.lookaheads.length && this.branches.length) {
      this.fail("a lookahead in one of several alternatives", this.firstLookahead);
    }
    const [first] = this.items;
    const isAnchored = !this.branches.length && first instanceof Assertion && first.kind === "^";
    const body = this.makeChoice();
    const size = this.lookaheads.reduce((sum, { node }) => sum + (node.size || 1), body.size);
    if (size > MAX_POSITIONS) {
      this.fail("more than 1,000 positions, counts unrolled", 0);
    }
    return { body, lookaheads: this.lookaheads, isAnchored };
  }

  readPart() {
    const char = this.text[this.at];
    this.at += 1;
    if (char === "(") {
      this.openGroup();
    } else if (char === ")") {
      this.closeGroup();
    } else if (char === "|") {
      this.branches.push(this.makeSeries());
      this.items = [];
    } else {
      this.items.push(this.readQuantifier(this.readAtom(char)));
    }
  }

  makeSeries() {
    const parts = this.items.filter((part) => part.size);
    if (parts.length === 1) return parts[0];
    return parts.length ? new Series(parts) : EMPTY;
  }

  makeChoice() {
    const branches = [...this.branches, this.makeSeries()];
    if (branches.length === 1) return branches[0];
    const parts = branches.filter((part) => part.size);
    if (!parts.length) return EMPTY;
    return new Choice(parts.length < branches.length ? [...parts, EMPTY] : parts);
  }

  openGroup() {
    const start = this.at - 1;
    if (this.open.length === MAX_DEPTH) {
      this.fail(`more than ${MAX_DEPTH} groups in each other`);
    }
    let opening = "";
    if (this.skipWord("?")) {
      opening = OPENINGS.find((word) => this.skipWord(word)) ?? "?";
      this.checkOpening(opening, start);
    }
    this.open.push({ start, opening, branches: this.branches, items: this.items });
    this.branches = [];
    this.items = [];
  }

  checkOpening(opening, start) {
    if (opening === "<=" || opening === "<!") {
      this.fail("lookbehind, which is not supported", start);
    }
    if (opening === "?") {
      this.fail("a group that begins with an unknown `(?`", start);
    }
    if (opening === "=" || opening === "!") {
      const isAtStart = this.items.every((item) => item instanceof Assertion && item.kind === "^");
      if (this.open.length || this.branches.length || !isAtStart) {
        this.fail("lookahead elsewhere than at the very start, which is not supported", start);
      }
      this.firstLookahead = start;
    }
    if (opening === "<") {
      const name = this.readThroughOrEmpty(">");
      if (!GROUP_NAME.test(name) || this.names.has(name)) {
        this.fail("a group name that is invalid, is used twice, or has other than ASCII letters", start);
      }
      this.names.add(name);
    }
  }

  closeGroup() {
    if (!this.open.length) {
      this.fail("an unmatched `)`");
    }
    const group = this.open.pop();
    const node = this.makeChoice();
    this.branches = group.branches;
    this.items = group.items;
    if (group.opening === "=" || group.opening === "!") {
      this.lookaheads.push({ node, holds: group.opening === "=" });
      this.refuseCount("a lookahead");
    } else {
      this.items.push(this.readQuantifier(node));
    }
  }

  readAtom(char) {
    if (!SYNTAX_CHARACTERS.has(char)) return makeSet(char.codePointAt(0));
    if (char === "\\") {
      if (this.skipWord("b")) return new Assertion("\\b");
      return this.skipWord("B") ? new Assertion("\\B") : makeSet(this.readEscape());
    }
    if (char === "[") return makeSet(this.readClass());
    if (char === "^" || char === "$") return new Assertion(char);
    if (char === ".") return makeSet(DOT);
    return this.fail(char === "}" || char === "]" ? `a \`${char}\` without a backslash` : `nothing before \`${char}\``);
  }

  refuseCount(what) {
    if (COUNTS.has(this.peek())) {
      this.at += 1;
      this.fail(`a count after ${what}`);
    }
  }

  readQuantifier(node) {
    const char = this.peek();
    if (!COUNTS.has(char)) return node;
    if (node instanceof Assertion && this.text[this.at - 1] !== ")") {
      this.refuseCount("an assertion");
    }
    const start = this.at;
    this.at += 1;
    const [min, max] = char === "{" ? this.readCounts() : { "*": [0, undefined], "+": [1, undefined], "?": [0, 1] }[char];
    this.skipWord("?"); // lazy: it does not matter here which match is found first
    if (!node.size || max === 0) return EMPTY;
    if (node.size * (max ?? Math.max(min, 1)) > MAX_POSITIONS) {
      this.fail("a count that makes more than 1,000 positions", start);
    }
    return new Repeat(node, min, max);
  }

  readCounts() {
    const start = this.at - 1;
    const min = this.readNumber();
    const max = this.skipWord(",") ? this.readNumber() : min;
    if (!min || !this.skipWord("}")) {
      this.fail("a `{` that begins no count", start);
    }
    if (!max) return [clipCount(min), undefined];
    if (max.length < min.length || (max.length === min.length && max < min)) {
      this.fail("a count that ends below its start", start);
    }
    return [clipCount(min), clipCount(max)];
  }

  /** Read digits, and return them without leading zeros. */
  readNumber() {
    let digits = "";
    while (DIGIT.test(this.peek())) {
      digits += this.peek();
      this.at += 1;
    }
    return digits.replace(/^0+/, "") || digits.slice(0, 1);
  }
}

function makeSet(bounds) {
  return new CharacterSet(typeof bounds === "number" ? [bounds, bounds + 1] : bounds);
}

function clipCount(digits) {
  return digits.length <= String(MAX_POSITIONS).length ? Number(digits) : MAX_POSITIONS + 1;
}

module.exports = { parsePattern };
