// Which arguments of a call are paths: by names, by what the grant declares, by values; and what a path is as text.
"use strict";

const { declaredPathFormat } = require("./arguments");
const { MAX_DEPTH } = require("./json");
const { firstCharacters, isContainer } = require("./values");

const PATH_NAMES = new Set([
  "path", "paths", "file", "files", "filepath", "filename", "targetpath", "targetfile", "notebookpath", "source",
  "src", "destination", "dest", "oldpath", "newpath", "dir", "directory", "cwd", "folder", "workdir",
  "workingdirectory",
]);
const LAST_WORDS = new Set([
  "path", "paths", "pathname", "filepath", "filepaths", "file", "files", "filename", "filenames", "dir", "dirs",
  "directory", "directories", "folder", "folders",
]);
const [NEVER, IF_TEXT, ALWAYS] = [0, 1, 2]; // when an argument is a path
const MAX_LABEL = 400; // characters of an argument's label: each text in a long one would have a copy of the whole
const NOT_ASCII = /[^\u0000-\u007f]/;
const LETTER = /\p{L}/u;
const UPPER = /\p{Uppercase}/u;

/** Fold case, so that two texts that differ in it alone become equal (Unicode's full folding). */
function foldCase(text) {
  return NOT_ASCII.test(text) ? [...text].map(foldCharacter).join("") : text.toLowerCase();
}

function foldCharacter(char) {
  // by capitals, of which `ß` and ligatures have several; twice, as the capital `ẞ` is one letter
  return char === "ı" ? char : char.toUpperCase().toLowerCase().toUpperCase().toLowerCase();
}

/** Return when a top-level argument is a path, by its name and declaration. */
function whenArgumentIsPath(declarations, name) {
  const declared = declaredPathFormat(declarations, name);
  if (declared) return declared === "path" ? ALWAYS : NEVER;
  return conditionOfName(name);
}

const conditions = new Map(); // by name: callers use few
const MAX_NAMES = 1000;

/** Return when an argument is a path, by its name alone. */
function conditionOfName(name) {
  let found = conditions.get(name);
  if (found === undefined) {
    found = findConditionOfName(name);
    if (conditions.size < MAX_NAMES && name.length <= MAX_DEPTH) conditions.set(name, found);
  }
  return found;
}

function findConditionOfName(name) {
  if (PATH_NAMES.has(foldCase(name).replace(/[_-]/g, ""))) return ALWAYS;
  return lastWords(name).some((word) => LAST_WORDS.has(foldCase(word))) ? IF_TEXT : NEVER;
}

/** Return the last word of a name, split in two ways: `URLPath` may be one word, or `URL` and `Path`. */
function lastWords(name) {
  const chars = [...name];
  let end = chars.length;
  while (end && !LETTER.test(chars[end - 1])) end -= 1; // digits and separators
  let start = end;
  let inner = 0;
  while (start && LETTER.test(chars[start - 1])) {
    start -= 1;
    if (UPPER.test(chars[start])) {
      if (start && !UPPER.test(chars[start - 1])) break;
      if (!inner && start + 1 < end && !UPPER.test(chars[start + 1])) inner = start;
    }
  }
  return [chars.slice(start, end).join(""), chars.slice(inner || start, end).join("")];
}

/** Whether a top-level argument of this name with this value is a path, so that the path rule checks it. */
function isPathArgument(declarations, name, value) {
  const condition = whenArgumentIsPath(declarations, name);
  return condition === ALWAYS || !textsOfValue(name, value, condition, false).next().done;
}

/**
 * Yield [argument, path, whether it is one] for each path in the arguments, nested ones too.
 *
 * The path is null if a value should be a path and is not: a number, an object without a path, a value nested too
 * deep. Text inside such a value comes too: it may name files that govern grants.
 */
function* pathArguments(declarations, args) {
  for (const [name, value] of args) {
    const condition = whenArgumentIsPath(declarations, name);
    const label = joinLabel(name, "");
    if (condition !== NEVER) yield* textsOfValue(label, value, condition, false);
    if (isContainer(value)) yield* nestedPaths(label, value, 1, condition !== NEVER);
  }
}

/** Yield the paths of a value by its name, and other text in it unless an outer value did so (`isInner`). */
function* textsOfValue(label, value, condition, isInner) {
  if (condition === NEVER || value === null) return;
  if (typeof value === "string") {
    yield [label, value, true];
    return;
  }
  const parts = Array.isArray(value) ? value : [value];
  if (parts.every((part) => typeof part === "string")) {
    for (let index = 0; index < parts.length; index += 1) yield [joinLabel(label, `[${index}]`), parts[index], true];
    return;
  }
  if (condition === IF_TEXT && !parts.some((part) => typeof part === "string" || isContainer(part))) {
    return; // `max_files`, `with_dir`
  }
  if (!parts.every((part) => part instanceof Map && holdsPath(part, 1))) yield [label, null, true];
  if (!isInner) yield* textsWithLabels(label, value, 1);
}

/** Whether a member of an object, at any depth, is a path. */
function holdsPath(value, depth) {
  if (depth > MAX_DEPTH) return false;
  if (value instanceof Map) {
    return [...value].some(([name, part]) => (conditionOfName(name) !== NEVER && isText(part)) || holdsPath(part, depth + 1));
  }
  return Array.isArray(value) && value.some((part) => holdsPath(part, depth + 1));
}

function isText(value) {
  const isTexts = Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === "string");
  return typeof value === "string" || isTexts;
}

/** Yield each text in a value, none of which is a path by its name alone. */
function* textsWithLabels(label, value, depth) {
  if (typeof value === "string") {
    yield [label, value, false];
  } else if (isContainer(value) && depth <= MAX_DEPTH) {
    for (const [inner, part] of labelledParts(label, value)) yield* textsWithLabels(inner, part, depth + 1);
  }
}

function* nestedPaths(label, value, depth, isInner) {
  if (!isContainer(value)) return;
  if (depth > MAX_DEPTH) {
    yield [label, null, true];
    return;
  }
  const names = value instanceof Map ? [...value.keys()] : [];
  let index = 0;
  for (const [inner, part] of labelledParts(label, value)) {
    const condition = names.length && names[index] ? conditionOfName(names[index]) : NEVER;
    index += 1;
    if (names.length) yield* textsOfValue(inner, part, condition, isInner);
    yield* nestedPaths(inner, part, depth + 1, isInner || condition !== NEVER);
  }
}

function* labelledParts(label, value) {
  if (value instanceof Map) {
    for (const [name, part] of value) yield [joinLabel(label, `.${name}`), part];
    return;
  }
  for (let index = 0; index < value.length; index += 1) yield [joinLabel(label, `[${index}]`), value[index]];
}

/** Return the label of a part; two parts may have the same, as a text leads to one place whatever its label. */
function joinLabel(label, step) {
  const whole = label + step;
  return whole.length <= MAX_LABEL ? whole : firstCharacters(whole, MAX_LABEL);
}

/** Return a path that begins at a directory as an absolute one that leads to the same; an empty one stays empty. */
function absolutePath(path, directory) {
  return path === "" || path.startsWith("/") ? path : `${directory}/${path}`;
}

/** Collapse `.`, `..` and empty components of an absolute path as text. */
function collapsePath(path) {
  const parts = [];
  for (const part of path.split("/")) {
    if (part === "..") {
      parts.pop();
    } else if (part !== "" && part !== ".") {
      parts.push(part);
    }
  }
  return `/${parts.join("/")}`;
}

/** Return a collapsed path relative to the root: '' for the root itself, undefined outside of it. */
function relativeToRoot(path, root) {
  if (path === root) return "";
  const prefix = root === "/" ? "/" : `${root}/`;
  return path.startsWith(prefix) ? path.slice(prefix.length) : undefined;
}

module.exports = { absolutePath, collapsePath, foldCase, isPathArgument, pathArguments, relativeToRoot };
