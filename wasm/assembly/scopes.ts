// Scopes, and why a path is denied under them.

import { emptyList } from "./lists";
import { isLetter } from "./patterns/characters";
import { isDigit } from "./json";
import { Places } from "./places";
import { ResolvedPath } from "./request";

const FEW = 16; // scopes that are looked at one by one

function isSpace(unit: i32): bool {
  if (unit < 0x80) return (unit >= 9 && unit <= 13) || (unit >= 28 && unit <= 32);
  if (unit >= 0x2000) return unit <= 0x200a || unit == 0x2028 || unit == 0x2029 || unit == 0x202f || unit == 0x205f || unit == 0x3000;
  return unit == 0x85 || unit == 0xa0 || unit == 0x1680;
}

function hasSpaceAtEnd(text: string): bool {
  return text.length > 0 && (isSpace(text.charCodeAt(0)) || isSpace(text.charCodeAt(text.length - 1)));
}

function hasControl(text: string): bool {
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit < 32 || (unit >= 0x7f && unit <= 0x9f)) return true;
  }
  return false;
}

function hasScheme(text: string): bool {
  if (!isLetter(text.charCodeAt(0))) return false;
  for (let at = 1; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit == 58) return at > 1;
    if (!isLetter(unit) && !isDigit(unit) && unit != 43 && unit != 46 && unit != 45) return false;
  }
  return false;
}

/** Return why a path is denied by its spelling alone, '' if it is not. */
export function pathSyntaxProblemText(given: string): string {
  if (!given.length) return "is empty";
  if (hasControl(given)) return "holds a control character";
  if (given.startsWith("~")) return "starts with `~`, which is not expanded";
  if (hasScheme(given)) return "is a URL, not a path";
  if (given.includes("\\")) return "holds a backslash";
  return hasSpaceAtEnd(given) ? "starts or ends with a space" : "";
}

/** Return a scope as it is compared, without one trailing `/`; '' if it can never match. */
function normalizeScope(scope: string): string {
  const trimmed = scope.endsWith("/") ? scope.substring(0, scope.length - 1) : scope;
  if (hasSpaceAtEnd(trimmed)) return "";
  for (let at = 0; at < trimmed.length; at += 1) {
    if ("*?[]{}\\".includes(trimmed.charAt(at))) return "";
  }
  return isNormal(trimmed) ? trimmed : "";
}

/** Whether all parts of a path lead down. */
function isNormal(path: string): bool {
  const closed = `/${path}/`;
  return !closed.includes("//") && !closed.includes("/./") && !closed.includes("/../");
}

/** The scopes of a grant, prepared when it is loaded. */
export class Scopes {
  private prefixes: string[] = emptyList<string>();
  private places: Places = new Places();

  constructor(public words: string[]) {
    for (let at = 0; at < words.length; at += 1) {
      const prefix = normalizeScope(words[at]);
      this.prefixes.push(prefix);
      if (prefix.length) this.places.add(prefix, at);
    }
  }

  isEmpty(): bool {
    return this.words.length == 0;
  }

  /** Return the place of the first scope that a path relative to the root equals or lies below, -1 if there is none. */
  find(relative: string | null): i32 {
    if (relative === null) return -1;
    const place = this.words.length > FEW ? this.findOfMany(relative) : this.findOfFew(relative);
    return place >= 0 && isNormal(relative) ? place : -1; // a host that passes what it was given passes `..` too
  }

  private findOfFew(relative: string): i32 {
    for (let at = 0; at < this.prefixes.length; at += 1) {
      const prefix = this.prefixes[at];
      if (!prefix.length || !relative.startsWith(prefix)) continue;
      if (relative.length == prefix.length || relative.charCodeAt(prefix.length) == 47) return at;
    }
    return -1;
  }

  /** Look the path and what is above it up: a call may have many paths as well. */
  private findOfMany(relative: string): i32 {
    let first = i32.MAX_VALUE;
    for (let end = relative.indexOf("/"); ; end = relative.indexOf("/", end + 1)) {
      const above = end < 0 ? relative : relative.substring(0, end);
      const place = this.places.find(above);
      if (place >= 0) first = min(first, place);
      if (end < 0) break;
    }
    return first == i32.MAX_VALUE ? -1 : first;
  }

  /** Return why a path is denied, '' if it is allowed. */
  violation(path: ResolvedPath): string {
    if (path.protectedReason.length) return path.protectedReason;
    if (this.isEmpty()) return "";
    const problem = pathSyntaxProblemText(path.given);
    const error = problem.length ? problem : path.error;
    if (error.length) return error;
    if (this.find(path.normalized) < 0) {
      if (path.normalized !== null || path.resolved === null || path.given.startsWith("/")) return "is in no scope";
      return `is \`${path.resolved!}\` from the working directory, which is in no scope`;
    }
    if (path.isFollowedElsewhere() && this.find(path.resolvedInside) < 0) {
      return `leads to \`${path.resolvedText()}\`, which is in no scope`;
    }
    return "";
  }

  /** Return the place of the scope that allows a path, -1 if none does or needs to. */
  allowing(path: ResolvedPath): i32 {
    return this.violation(path).length ? -1 : this.find(path.resolvedInside);
  }
}
