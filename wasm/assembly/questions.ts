// Parts of a decision that a host can ask for: which arguments are paths, what a budget says, and what vectors ask.

import { budgetJson } from "./decision";
import { Declarations } from "./declarations";
import { isGrantId } from "./grant";
import { emptyList } from "./lists";
import { LabelledText, PathArguments } from "./path-arguments";
import { Pattern, Steps } from "./patterns/pattern";
import { ResolvedPath } from "./request";
import { askRing } from "./ring";
import { Scopes } from "./scopes";
import { joinTexts, quoteText, shortenMessage, textOfBool } from "./text";
import { canonicalJson, Value, wholeText } from "./value";
import { valueOfWord } from "./words";

/** Return the answer to a question, as JSON; '' if it is none. */
export function answerOf(question: Value, nanoseconds: i64): string {
  const kind = question.get("kind");
  if (kind === null) return "";
  if (kind.is("path_arguments")) return answerPathArguments(declarationsOf(question), partOf(question, "args"));
  if (kind.is("rate")) return answerRate(question, nanoseconds);
  if (kind.is("arguments")) return answerArguments(question);
  if (kind.is("patterns")) return answerPatterns(question);
  if (kind.is("paths")) return answerPath(question);
  return kind.is("ids") ? `{"is_id":${textOfBool(isGrantId(partOf(question, "word").text))}}` : "";
}

function partOf(question: Value, name: string): Value {
  const part = question.get(name);
  return part === null ? Value.members() : part;
}

function declarationsOf(question: Value): Declarations {
  return new Declarations(partOf(question, "declarations"));
}

export function answerPathArguments(declarations: Declarations, args: Value): string {
  const all = new PathArguments(declarations);
  all.addAll(args);
  const parts = emptyList<string>();
  for (let at = 0; at < all.found.length; at += 1) parts.push(pathJson(all.found[at]));
  return `{"paths":[${joinTexts(parts, ",")}]}`;
}

function pathJson(found: LabelledText): string {
  const text = found.hasText ? quoteText(found.text, false) : "null";
  return `[${quoteText(found.label, false)},${text},${textOfBool(found.isPath)}]`;
}

function answerRate(question: Value, nanoseconds: i64): string {
  const takes = partOf(question, "op").is("take");
  const limit = wholeText(partOf(question, "limit"));
  const cost = wholeText(partOf(question, "cost"));
  const budget = askRing(partOf(question, "tool").text, partOf(question, "action").text, limit, cost, nanoseconds, takes);
  return budget.problem.length ? `{"error":${quoteText(budget.problem, false)}}` : budgetJson(budget);
}

function answerArguments(question: Value): string {
  const declarations = declarationsOf(question);
  const args = partOf(question, "args");
  const words = question.get("words");
  if (words === null) return `{"violation":${violationJson(declarations, args)}}`;
  const typed = Value.members();
  const all = Value.members();
  for (let at = 0; at < args.names.length; at += 1) {
    if (!words.has(args.names[at])) all.add(args.names[at], args.parts[at]);
  }
  for (let at = 0; at < words.names.length; at += 1) {
    const value = valueOfWord(declarations, words.names[at], words.parts[at].text);
    if (value === null) return '{"usage":true}';
    typed.add(words.names[at], value);
    all.add(words.names[at], value);
  }
  return `{"args":${quoteText(canonicalJson(typed), false)},"violation":${violationJson(declarations, all)}}`;
}

function violationJson(declarations: Declarations, args: Value): string {
  return quoteText(shortenMessage(declarations.violation(args)), false);
}

function answerPatterns(question: Value): string {
  const pattern = new Pattern(partOf(question, "pattern").text);
  if (pattern.error.length) return `{"refused":${quoteText(pattern.error, false)}}`;
  const values = partOf(question, "values").parts;
  const matches = emptyList<string>();
  for (let at = 0; at < values.length; at += 1) {
    const steps = new Steps();
    const isFound = pattern.matches(values[at].text, steps);
    matches.push(steps.limit.length ? quoteText(steps.limit, false) : textOfBool(isFound));
  }
  return `{"matches":[${joinTexts(matches, ",")}]}`;
}

function answerPath(question: Value): string {
  const words = emptyList<string>();
  const listed = partOf(question, "scopes").parts;
  for (let at = 0; at < listed.length; at += 1) words.push(listed[at].text);
  const path = ResolvedPath.from(partOf(question, "path"));
  if (path === null) return "";
  const scopes = new Scopes(words);
  const place = scopes.allowing(path);
  const scope = place < 0 ? "null" : quoteText(words[place], false);
  return `{"denied":${quoteText(scopes.violation(path), false)},"scope":${scope}}`;
}
