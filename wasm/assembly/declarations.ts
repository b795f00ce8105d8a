// The argument rule: fragments of JSON Schema, of which no restriction is ignored silently.

import { emptyList } from "./lists";
import { Pattern, Steps } from "./patterns/pattern";
import { Places } from "./places";
import { codePointCount, digitsOf, isOneOf, joinTexts } from "./text";
import {
  compareNumbers, comparisonKey, firstValuesText, isSameValue, isWhole, Kind, kindText, MAX_DEPTH, Value, valueText,
} from "./value";

const MAX_TYPES = 7;
const FEW = 16; // values of an `enum` that are compared one by one

/** What a grant says of one argument, prepared when the grant is loaded. */
export class Declaration {
  problem: string = ""; // why it cannot be enforced
  types: string[] = emptyList<string>();
  private pattern: Pattern | null = null;
  private items: Declaration | null = null;
  private listed: Places | null = null;

  constructor(public value: Value, depth: i32) {
    if (!value.isMembers() || depth > MAX_DEPTH) {
      this.problem = "has a declaration that is not an object";
    } else {
      this.types = typesOf(value.get("type"));
      for (let at = 0; at < value.names.length && !this.problem.length; at += 1) {
        this.prepare(value.names[at], value.parts[at], depth);
      }
    }
  }

  private prepare(keyword: string, value: Value, depth: i32): void {
    if (!this.isEnforceable(keyword, value)) {
      this.problem = `is declared with \`${keyword}\`, which cannot be enforced`;
    } else if (keyword == "pattern") {
      this.pattern = new Pattern(value.text);
      const why = this.pattern!.error;
      if (why.length) this.problem = `is declared with \`pattern\`, which cannot be enforced: ${why}`;
    } else if (keyword == "items") {
      this.items = new Declaration(value, depth + 1);
      if (this.items!.problem.length) this.problem = `(its items) ${this.items!.problem}`;
    } else if (keyword == "enum" && value.parts.length > FEW) {
      const listed = new Places();
      for (let at = 0; at < value.parts.length; at += 1) listed.add(comparisonKey(value.parts[at]), at);
      this.listed = listed;
    }
  }

  private isEnforceable(keyword: string, value: Value): bool {
    if (isAnnotation(keyword) || keyword == "const" || keyword == "items") return true;
    if (keyword == "type") return this.types.length > 0;
    if (keyword == "enum") return value.isList();
    if (isBound(keyword)) return value.isNumber();
    if (isLength(keyword)) return isWhole(value) && compareNumbers(value, Value.ofInteger("0")) >= 0;
    if (keyword == "format") return value.is("path") || value.is("not-path");
    return keyword == "pattern" && value.isText();
  }

  /** Say why a value does not meet this declaration, which has no problem; '' if it does. */
  violation(value: Value, depth: i32, steps: Steps): string {
    if (depth > MAX_DEPTH) return "is nested too deep";
    const why = this.violationOfKind(value);
    if (why.length || (value.kind == Kind.Null && this.types.includes("null"))) {
      return why; // null that the type names: the other keywords speak of other kinds
    }
    for (let at = 0; at < this.value.names.length; at += 1) {
      const found = this.violationOfKeyword(this.value.names[at], this.value.parts[at], value, depth, steps);
      if (found.length) return found;
    }
    return "";
  }

  private violationOfKind(value: Value): string {
    if (this.types.length && !isOfTypes(value, this.types)) {
      return `must be of type ${joinTexts(this.types, " or ")}, not ${kindText(value)}`;
    }
    const listed = this.value.get("enum");
    if (listed !== null && !this.isListed(value, listed)) return `must be one of \`enum\`: ${firstValuesText(listed.parts)}`;
    const wanted = this.value.get("const");
    if (wanted !== null && !isSameValue(value, wanted)) return `must be the \`const\` ${valueText(wanted)}`;
    return "";
  }

  private isListed(value: Value, listed: Value): bool {
    if (this.listed !== null) return this.listed!.find(comparisonKey(value)) >= 0;
    for (let at = 0; at < listed.parts.length; at += 1) {
      if (isSameValue(value, listed.parts[at])) return true;
    }
    return false;
  }

  private violationOfKeyword(keyword: string, bound: Value, value: Value, depth: i32, steps: Steps): string {
    if (isBound(keyword)) {
      return value.isNumber() && isWithinBound(keyword, compareNumbers(value, bound)) ? "" : unmetBoundText(keyword, bound);
    }
    if (isLength(keyword)) return fitsLength(keyword, value, bound) ? "" : unmetBoundText(keyword, bound);
    if (keyword == "pattern") return this.violationOfPattern(bound.text, value, steps);
    return keyword == "items" ? this.violationOfItems(value, depth, steps) : "";
  }

  private violationOfPattern(pattern: string, value: Value, steps: Steps): string {
    let limit = "";
    if (value.isText()) {
      if (this.pattern!.matches(value.text, steps)) return "";
      if (steps.limit.length) limit = ` ${steps.limit}`;
    }
    return `must match \`pattern\` ${pattern}${limit}`;
  }

  private violationOfItems(value: Value, depth: i32, steps: Steps): string {
    if (!value.isList()) return "must be an array";
    for (let at = 0; at < value.parts.length; at += 1) {
      const why = this.items!.violation(value.parts[at], depth + 1, steps);
      if (why.length) return `(an item) ${why}`;
    }
    return "";
  }
}

function typesOf(value: Value | null): string[] {
  const found = emptyList<string>();
  if (value === null) return found;
  const words = value.isList() ? value.parts : [value];
  for (let at = 0; at < words.length; at += 1) {
    if (words.length > MAX_TYPES || !words[at].isText() || !isType(words[at].text)) return emptyList<string>();
    found.push(words[at].text);
  }
  return found;
}

function isOfTypes(value: Value, types: string[]): bool {
  const kind = kindText(value);
  for (let at = 0; at < types.length; at += 1) {
    if (types[at] == "integer" ? isWhole(value) : types[at] == kind) return true;
  }
  return false;
}

function isWithinBound(keyword: string, order: i32): bool {
  if (keyword == "minimum") return order >= 0;
  if (keyword == "maximum") return order <= 0;
  return keyword == "exclusiveMinimum" ? order > 0 : order < 0;
}

function fitsLength(keyword: string, value: Value, bound: Value): bool {
  const isOfText = keyword.endsWith("Length");
  if (isOfText ? !value.isText() : !value.isList()) return false;
  const size = isOfText ? codePointCount(value.text) : value.parts.length;
  const order = compareNumbers(Value.ofInteger(digitsOf(size)), bound);
  return keyword.startsWith("min") ? order >= 0 : order <= 0;
}

function unmetBoundText(keyword: string, bound: Value): string {
  return `must meet \`${keyword}\` ${valueText(bound)}`;
}

/** Whether a value is an object, or an array that holds one. */
export function containsObject(value: Value): bool {
  if (!value.isList()) return value.isMembers();
  for (let at = 0; at < value.parts.length; at += 1) {
    if (containsObject(value.parts[at])) return true;
  }
  return false;
}

/** What a grant says of its arguments. */
export class Declarations {
  private each: Declaration[] = emptyList<Declaration>();

  constructor(public value: Value) {
    for (let at = 0; at < value.names.length; at += 1) {
      this.each.push(new Declaration(value.parts[at], 0));
    }
  }

  get(name: string): Declaration | null {
    const at = this.value.placeOf(name);
    return at < 0 ? null : this.each[at];
  }

  has(name: string): bool {
    return this.value.has(name);
  }

  /** Whether the declaration of an argument lists its values, and so the members of each. */
  listsValues(name: string): bool {
    const declaration = this.value.get(name);
    return declaration !== null && (declaration.has("const") || declaration.has("enum"));
  }

  /** Return `path` or `not-path` where the declaration of an argument says so, '' where it does not. */
  pathFormat(name: string): string {
    const declaration = this.value.get(name);
    let items = declaration;
    while (items !== null && items.isMembers()) {
      const format = items.get("format");
      if (format !== null && format.is("path")) return "path"; // of items too: a list of lists is denied as no path
      items = items.get("items");
    }
    if (declaration === null) return "";
    const word = declaration.get("format");
    return word !== null && word.is("not-path") ? "not-path" : "";
  }

  /** Say which argument does not match its declaration, and why; '' if all match. */
  violation(args: Value): string {
    const steps = new Steps(); // of all values of the call
    for (let at = 0; at < args.names.length; at += 1) {
      const declaration = this.get(args.names[at]);
      if (declaration === null) continue;
      const why = declaration.problem.length ? declaration.problem : declaration.violation(args.parts[at], 0, steps);
      if (why.length) return `\`${args.names[at]}\` ${why}`;
    }
    return "";
  }
}

function isType(word: string): bool {
  return isOneOf(word, "|string|number|integer|boolean|array|object|null|");
}

function isAnnotation(word: string): bool {
  return isOneOf(word, "|title|description|default|examples|$comment|deprecated|readOnly|writeOnly|");
}

function isBound(word: string): bool {
  return isOneOf(word, "|minimum|maximum|exclusiveMinimum|exclusiveMaximum|");
}

function isLength(word: string): bool {
  return isOneOf(word, "|minLength|maxLength|minItems|maxItems|");
}
