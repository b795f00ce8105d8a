// Which arguments of a call are paths: by names, by what the grant declares, by values.

import { Declarations } from "./declarations";
import { foldToAscii, isLetterCharacter, isUpperCharacter } from "./letters";
import { emptyList } from "./lists";
import { codePointsOf, isOneOf } from "./text";
import { Kind, MAX_DEPTH, Value } from "./value";

const MAX_NAME = 64; // characters: no path name is as long, even one with separators and its letters folded

/** When an argument is a path. */
export const enum Condition { Never, IfText, Always }

/** A text of a call, its label, and whether it is a path. `hasText` is false where a path should be and none is. */
export class LabelledText {
  constructor(public label: string, public text: string, public hasText: bool, public isPath: bool) {}
}

export function whenArgumentIsPath(declarations: Declarations, name: string): Condition {
  const declared = declarations.pathFormat(name);
  if (declared.length) return declared == "path" ? Condition.Always : Condition.Never;
  return conditionOfName(name);
}

/** Return when an argument is a path, by its name alone. */
function conditionOfName(name: string): Condition {
  const codes = codePointsOf(name);
  if (isPathName(foldedText(codes, 0, codes.length, true))) return Condition.Always;
  let end = codes.length;
  while (end > 0 && !isLetterCharacter(codes[end - 1])) end -= 1; // digits and separators
  let start = end;
  let inner = 0;
  while (start > 0 && isLetterCharacter(codes[start - 1])) {
    start -= 1;
    if (!isUpperCharacter(codes[start])) continue;
    if (start > 0 && !isUpperCharacter(codes[start - 1])) break;
    if (inner == 0 && start + 1 < end && !isUpperCharacter(codes[start + 1])) inner = start;
  }
  const isPath = isLastWord(codes, start, end) || (inner > 0 && isLastWord(codes, inner, end));
  return isPath ? Condition.IfText : Condition.Never;
}

function isLastWord(codes: i32[], from: i32, to: i32): bool {
  return isOneOf(foldedText(codes, from, to, false), "|path|paths|pathname|filepath|filepaths|file|files|filename|filenames|dir|dirs|directory|directories|folder|folders|");
}

/** Return characters with their case folded, '' if one of them folds to what no path name has. */
function foldedText(codes: i32[], from: i32, to: i32, dropsSeparators: bool): string {
  let folded = "";
  for (let at = from; at < to; at += 1) {
    if (dropsSeparators && (codes[at] == 95 || codes[at] == 45)) continue;
    const letters = foldToAscii(codes[at]);
    if (!letters.length || folded.length > MAX_NAME) return "";
    folded += letters;
  }
  return folded;
}

/** The texts of one call, in their order. */
export class PathArguments {
  found: LabelledText[] = emptyList<LabelledText>();

  constructor(private declarations: Declarations) {}

  /** Find each path in the arguments, nested ones too. */
  addAll(args: Value): void {
    for (let at = 0; at < args.names.length; at += 1) {
      const condition = whenArgumentIsPath(this.declarations, args.names[at]);
      this.addTexts(args.names[at], args.parts[at], condition, false);
      this.addNested(args.names[at], args.parts[at], 1, condition != Condition.Never);
    }
  }

  /** Whether a top-level argument of this name with this value is a path, so that the path rule checks it. */
  isPath(name: string, value: Value): bool {
    const condition = whenArgumentIsPath(this.declarations, name);
    this.found = emptyList<LabelledText>();
    this.addTexts(name, value, condition, false);
    return condition == Condition.Always || this.found.length > 0;
  }

  private add(label: string, text: string, isPath: bool): void {
    this.found.push(new LabelledText(label, text, true, isPath));
  }

  private addMissing(label: string): void {
    this.found.push(new LabelledText(label, "", false, true));
  }

  /** Add the paths of a value by its name, and other text in it unless an outer value did so (`isInner`). */
  private addTexts(label: string, value: Value, condition: Condition, isInner: bool): void {
    if (condition == Condition.Never || value.kind == Kind.Null) return;
    if (value.isText()) return this.add(label, value.text, true);
    const parts = value.isList() ? value.parts : [value];
    if (countOf(parts, (part) => part.isText()) == parts.length) {
      for (let at = 0; at < parts.length; at += 1) this.add(`${label}[${at}]`, parts[at].text, true);
      return;
    }
    if (condition == Condition.IfText && countOf(parts, (part) => part.isText() || part.isContainer()) == 0) {
      return; // `max_files`, `with_dir`
    }
    if (countOf(parts, (part) => part.isMembers() && holdsPath(part, 1)) < parts.length) this.addMissing(label);
    if (!isInner) this.addWithLabels(label, value, 1);
  }

  /** Add each text in a value, none of which is a path by its name alone. */
  private addWithLabels(label: string, value: Value, depth: i32): void {
    if (value.isText()) return this.add(label, value.text, false);
    if (!value.isContainer() || depth > MAX_DEPTH) return;
    for (let at = 0; at < value.parts.length; at += 1) {
      const part = value.parts[at];
      if (part.isText() || part.isContainer()) this.addWithLabels(labelOf(label, value, at), part, depth + 1);
    }
  }

  private addNested(label: string, value: Value, depth: i32, isInner: bool): void {
    if (!value.isContainer()) return;
    if (depth > MAX_DEPTH) return this.addMissing(label);
    for (let at = 0; at < value.parts.length; at += 1) {
      const part = value.parts[at];
      let condition = Condition.Never;
      if (value.isMembers() && value.names[at].length) condition = conditionOfName(value.names[at]);
      if (condition == Condition.Never && !part.isContainer()) continue; // of half a million numbers none needs a label
      const inner = labelOf(label, value, at);
      this.addTexts(inner, part, condition, isInner);
      this.addNested(inner, part, depth + 1, isInner || condition != Condition.Never);
    }
  }
}

function labelOf(label: string, value: Value, at: i32): string {
  return value.isMembers() ? `${label}.${value.names[at]}` : `${label}[${at}]`;
}

function countOf(parts: Value[], is: (part: Value) => bool): i32 {
  let count = 0;
  for (let at = 0; at < parts.length; at += 1) count += is(parts[at]) ? 1 : 0;
  return count;
}

/** Whether a member of an object, at any depth, is a path. */
function holdsPath(value: Value, depth: i32): bool {
  if (depth > MAX_DEPTH || !value.isContainer()) return false;
  for (let at = 0; at < value.parts.length; at += 1) {
    const part = value.parts[at];
    if (value.isMembers() && isText(part) && conditionOfName(value.names[at]) != Condition.Never) return true;
    if (holdsPath(part, depth + 1)) return true;
  }
  return false;
}

function isText(value: Value): bool {
  if (value.isText()) return true;
  return value.isList() && value.parts.length > 0 && countOf(value.parts, (part) => part.isText()) == value.parts.length;
}

function isPathName(word: string): bool {
  return isOneOf(word, "|path|paths|file|files|filepath|filename|targetpath|targetfile|notebookpath|source|src|destination|dest|oldpath|newpath|dir|directory|cwd|folder|workdir|workingdirectory|");
}
