// Texts of the source as bytes: the compiler stores each literal in two bytes a character, with 20 bytes before it.
//
// Inside of functions and classes a literal `"x"` becomes `t(N)`, and `${value}` in a template `str(value)`; the texts
// themselves are in one table, which `assembly/texts.ts` unpacks when a thread begins. Line numbers stay.

const ESCAPES = { n: "\n", r: "\r", t: "\t", f: "\f", b: "\b" };

export class TextPacker {
  constructor() {
    this.numbers = new Map();
  }

  /** Return source with its literals replaced; `texts` is the path of texts.ts from there. */
  pack(source, texts) {
    this.source = source;
    this.at = 0;
    return `import { str, t } from "${texts}"; ${this.packCode(false)}`;
  }

  /** Return the table as source. */
  table() {
    const bytes = [...this.numbers.keys()].flatMap((text) => [...Buffer.from(text), 0]);
    return `const BYTES: StaticArray<u8> = [${bytes}];\nconst COUNT = ${this.numbers.size};\n`;
  }

  /** Pack code to its end: in a template that is the brace that closes it. */
  packCode(isInTemplate) {
    const { source } = this;
    let depth = isInTemplate ? 1 : 0;
    let packed = "";
    while (this.at < source.length) {
      const char = source[this.at];
      const comment = /^(\/\/.*|\/\*[^]*?\*\/)/.exec(source.slice(this.at, this.at + 2) === "//" || source.startsWith("/*", this.at) ? source.slice(this.at) : "");
      if (comment) {
        packed += comment[0];
        this.at += comment[0].length;
      } else if (char === '"' || char === "'") {
        packed += this.packString(char, depth);
      } else if (char === "`") {
        packed += this.packTemplate(depth);
      } else {
        if (char === "{") depth += 1;
        if (char === "}" && --depth === 0 && isInTemplate) return packed;
        packed += char;
        this.at += 1;
      }
    }
    return packed;
  }

  packString(quote, depth) {
    const start = this.at;
    const text = this.readUntil([quote]);
    this.at += 1;
    return depth === 0 || text === "" ? this.source.slice(start, this.at) : this.numberOf(text);
  }

  packTemplate(depth) {
    const parts = [];
    for (;;) {
      const text = this.readUntil(["`", "${"]);
      if (text) parts.push(this.numberOf(text));
      if (this.source[this.at] === "`") break;
      this.at += 2;
      parts.push(`str(${this.packCode(true)})`); // its `}` is skipped as a quote is
    }
    this.at += 1;
    if (depth === 0) throw new Error("a template outside of a function");
    return `(${parts.join("+")})`;
  }

  /** Read a text behind its quote, up to one of the ends. */
  readUntil(ends) {
    let text = "";
    this.at += 1;
    while (!ends.some((end) => this.source.startsWith(end, this.at))) {
      const isEscape = this.source[this.at] === "\\";
      this.at += isEscape ? 1 : 0;
      const char = this.source[this.at];
      text += isEscape ? ESCAPES[char] ?? char : char;
      this.at += 1;
    }
    return text;
  }

  numberOf(text) {
    if (!this.numbers.has(text)) this.numbers.set(text, this.numbers.size);
    return `t(${this.numbers.get(text)})`;
  }
}
