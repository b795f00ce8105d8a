// The argument rule: fragments of JSON Schema, of which no restriction is ignored silently.
"use strict";

const { MAX_DEPTH } = require("./json");
const { PatternError, PatternLimitError, StepLimit, compilePattern } = require("./patterns");
const { codePointCount, firstValuesText, isSameValue, kindOf, valueText } = require("./values");

const TYPES = ["string", "number", "integer", "boolean", "array", "object", "null"];
const ANNOTATIONS = new Set([
  "title", "description", "default", "examples", "$comment", "deprecated", "readOnly", "writeOnly",
]);
const OF_ANY_KIND = new Set(["type", "enum", "const"]); // keywords that are looked at first
const BOUNDS = new Map([
  ["minimum", (value, bound) => value >= bound],
  ["maximum", (value, bound) => value <= bound],
  ["exclusiveMinimum", (value, bound) => value > bound],
  ["exclusiveMaximum", (value, bound) => value < bound],
]);
const LENGTHS = new Map([["minLength", "string"], ["maxLength", "string"], ["minItems", "array"], ["maxItems", "array"]]);

/** Return `path` or `not-path` where the declaration of an argument says so, '' where it does not. */
function declaredPathFormat(declarations, name) {
  let items = declarations.get(name);
  const word = items instanceof Map ? items.get("format") : undefined;
  while (items instanceof Map) {
    if (items.get("format") === "path") return "path"; // of items too: a list of lists is denied as no path
    items = items.get("items");
  }
  return word === "not-path" ? "not-path" : "";
}

/** Say which argument does not match its declaration, and why; '' if all match. */
function argumentViolationText(declarations, given) {
  const steps = new StepLimit(); // of all values of the call
  for (const [name, value] of given) {
    if (declarations.has(name)) {
      const declaration = declarations.get(name);
      const why = declarationProblemText(declaration, 0) || findViolation(declaration, value, 0, steps);
      if (why) return `\`${name}\` ${why}`;
    }
  }
  return "";
}

/** Whether a value is an object, or an array that holds one. */
function containsObject(value) {
  return value instanceof Map || (Array.isArray(value) && value.some(containsObject));
}

/** Whether the declaration of an argument lists its values, and so the members of each. */
function hasEnumOrConst(declarations, name) {
  const declaration = declarations.get(name);
  return declaration instanceof Map && (declaration.has("const") || declaration.has("enum"));
}

/** Return the names of the declared types; none if there is no valid `type`. */
function declaredTypes(declaration) {
  const value = declaration instanceof Map ? declaration.get("type") : undefined;
  const words = Array.isArray(value) ? value : [value];
  return words.length > 0 && words.length <= TYPES.length && words.every((word) => TYPES.includes(word)) ? words : [];
}

/** Say why a declaration cannot be enforced, '' if it can. */
function declarationProblemText(declaration, depth) {
  if (!(declaration instanceof Map) || depth > MAX_DEPTH) return "has a declaration that is not an object";
  for (const [keyword, value] of declaration) {
    if (!isEnforceable(keyword, value, declaration)) return `is declared with \`${keyword}\`, which cannot be enforced`;
    if (keyword === "pattern") {
      const why = patternProblemText(value);
      if (why) return `is declared with \`pattern\`, which cannot be enforced: ${why}`;
    }
    if (keyword === "items") {
      const why = declarationProblemText(value, depth + 1);
      if (why) return `(its items) ${why}`;
    }
  }
  return "";
}

function isEnforceable(keyword, value, declaration) {
  if (ANNOTATIONS.has(keyword) || keyword === "const" || keyword === "items") return true;
  if (keyword === "type") return declaredTypes(declaration).length > 0;
  if (keyword === "enum") return Array.isArray(value);
  if (BOUNDS.has(keyword)) return kindOf(value) === "number";
  if (LENGTHS.has(keyword)) return isCount(value);
  if (keyword === "format") return value === "path" || value === "not-path";
  return keyword === "pattern" && typeof value === "string";
}

function isCount(value) {
  return (typeof value === "bigint" || Number.isInteger(value)) && value >= 0;
}

function patternProblemText(pattern) {
  try {
    compilePattern(pattern);
    return "";
  } catch (error) {
    if (error instanceof PatternError) return error.message;
    throw error;
  }
}

function findViolation(declaration, value, depth, steps) {
  if (!(declaration instanceof Map) || depth > MAX_DEPTH) return "is nested too deep";
  if (Number.isNaN(value)) return "is not a JSON value, so it cannot meet its declaration";
  const types = declaredTypes(declaration);
  const why = findValueViolation(declaration, types, value);
  if (why || (value === null && types.includes("null"))) {
    return why; // null that the type names: the other keywords speak of other kinds
  }
  for (const [keyword, bound] of declaration) {
    const found = OF_ANY_KIND.has(keyword) ? "" : findKeywordViolation(keyword, bound, value, depth, steps);
    if (found) return found;
  }
  return "";
}

function findValueViolation(declaration, types, value) {
  if (types.length && !types.some((word) => isOfType(value, word))) {
    return `must be of type ${types.join(" or ")}, not ${kindOf(value)}`;
  }
  if (declaration.has("enum") && !declaration.get("enum").some((listed) => isSameValue(value, listed))) {
    return `must be one of \`enum\`: ${firstValuesText(declaration.get("enum"))}`;
  }
  if (declaration.has("const") && !isSameValue(value, declaration.get("const"))) {
    return `must be the \`const\` ${valueText(declaration.get("const"))}`;
  }
  return "";
}

function isOfType(value, word) {
  const kind = kindOf(value);
  return word === "integer" ? kind === "number" && (typeof value === "bigint" || Number.isInteger(value)) : kind === word;
}

function findKeywordViolation(keyword, bound, value, depth, steps) {
  const kind = kindOf(value);
  if (BOUNDS.has(keyword)) {
    return kind === "number" && BOUNDS.get(keyword)(value, bound) ? "" : unmetBoundText(keyword, bound);
  }
  if (LENGTHS.has(keyword)) {
    return kind === LENGTHS.get(keyword) && fitsLength(keyword, value, bound) ? "" : unmetBoundText(keyword, bound);
  }
  if (keyword === "pattern") return findPatternViolation(bound, value, steps);
  if (keyword === "items") {
    if (kind !== "array") return "must be an array";
    for (const part of value) {
      const why = findViolation(bound, part, depth + 1, steps);
      if (why) return `(an item) ${why}`;
    }
  }
  return "";
}

function fitsLength(keyword, value, bound) {
  const size = typeof value === "string" ? codePointCount(value) : value.length;
  return keyword.startsWith("min") ? size >= bound : size <= bound;
}

function unmetBoundText(keyword, bound) {
  return `must meet \`${keyword}\` ${valueText(bound)}`;
}

function findPatternViolation(pattern, value, steps) {
  let limit = "";
  try {
    if (typeof value === "string" && compilePattern(pattern).search(value, steps)) return "";
  } catch (error) {
    if (!(error instanceof PatternLimitError)) throw error;
    limit = ` ${error.message}`;
  }
  return `must match \`pattern\` ${pattern}${limit}`;
}

module.exports = { argumentViolationText, containsObject, declaredPathFormat, hasEnumOrConst };
