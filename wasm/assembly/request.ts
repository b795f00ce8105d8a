// What a host asks: a call, with both spellings of each path. Whatever it does not understand, it refuses.

import { emptyList } from "./lists";
import { compareDigits, doubleOf, isWhole, Kind, Value, wholeText } from "./value";

/** A path argument, as text and as the kernel resolves it; null is what lies outside of the root, or is not known. */
export class ResolvedPath {
  argument: string = "";
  given: string = "";
  normalized: string | null = null;
  resolvedInside: string | null = null;
  resolved: string | null = null;
  error: string = "";
  protectedReason: string = "";

  isFollowedElsewhere(): bool {
    if (this.normalized === null || this.resolvedInside === null) return this.normalized !== null || this.resolvedInside !== null;
    return this.normalized! != this.resolvedInside!;
  }

  /** Whether another entry for this path says the same of it. */
  isSame(other: ResolvedPath): bool {
    return (
      this.normalized == other.normalized && this.resolvedInside == other.resolvedInside && this.resolved == other.resolved &&
      this.error == other.error && this.protectedReason == other.protectedReason
    );
  }

  resolvedText(): string {
    return this.resolved === null ? "None" : this.resolved!;
  }

  /** Read a member; return whether it is one. */
  read(name: string, value: Value): bool {
    const isText = value.isText();
    if (name == "argument") this.argument = value.text;
    else if (name == "given") this.given = value.text;
    else if (name == "error") this.error = value.text;
    else if (name == "protected_reason") this.protectedReason = value.text;
    else if (name == "normalized") this.normalized = isText ? value.text : null;
    else if (name == "resolved_inside") this.resolvedInside = isText ? value.text : null;
    else if (name == "resolved") this.resolved = isText ? value.text : null;
    else return false;
    const mayBeNull = name == "normalized" || name == "resolved_inside" || name == "resolved";
    return isText || (mayBeNull && value.kind == Kind.Null);
  }

  static from(value: Value): ResolvedPath | null {
    const path = new ResolvedPath();
    if (!value.isMembers()) return null;
    for (let at = 0; at < value.names.length; at += 1) {
      if (!path.read(value.names[at], value.parts[at])) return null;
    }
    return path;
  }
}

/** A call to decide. */
export class Request {
  problem: string = ""; // why it is no request
  action: string = "";
  args: Value = Value.members();
  paths: ResolvedPath[] = emptyList<ResolvedPath>();
  cost: string = "1"; // digits
  approved: bool = false;
  hits: Value | null = null; // times of hits that others counted, in seconds, and now
  now: Value = Value.ofInteger("0");
  budget: Value | null = null; // what others counted

  constructor(value: Value) {
    if (!value.isMembers() || !value.has("action")) {
      this.problem = "a request is an object with an `action`";
    } else {
      for (let at = 0; at < value.names.length && !this.problem.length; at += 1) {
        if (!this.read(value.names[at], value.parts[at])) this.problem = `\`${value.names[at]}\` is no member of a request, or has another type`;
      }
    }
  }

  private read(name: string, value: Value): bool {
    if (name == "action") return this.readAction(value);
    if (name == "args") this.args = value;
    if (name == "args" || name == "budget") {
      if (name == "budget") this.budget = value;
      return value.isMembers();
    }
    if (name == "paths") return this.readPaths(value);
    if (name == "cost") return this.readCost(value);
    if (name == "approved") {
      this.approved = value.kind == Kind.True;
      return value.isBoolean();
    }
    if (name == "now") {
      this.now = value;
      return value.isNumber() && isFinite(doubleOf(value));
    }
    if (name == "hits") {
      this.hits = value;
      return value.isList();
    }
    return false;
  }

  private readAction(value: Value): bool {
    this.action = value.text;
    return value.isText();
  }

  private readCost(value: Value): bool {
    if (!isWhole(value)) return false;
    this.cost = wholeText(value);
    return compareDigits(this.cost, "1") >= 0;
  }

  private readPaths(value: Value): bool {
    if (!value.isList()) return false;
    for (let at = 0; at < value.parts.length; at += 1) {
      const path = ResolvedPath.from(value.parts[at]);
      if (path === null) return false;
      this.paths.push(path);
    }
    return true;
  }
}

/** What an operator sets beside the grants. */
export class Settings {
  problem: string = "";
  sensitive: string = "allow";
  requirePath: bool = false;
  undeclaredArgs: string = "allow";

  constructor(value: Value) {
    if (!value.isMembers()) this.problem = "settings are an object";
    for (let at = 0; value.isMembers() && at < value.names.length; at += 1) {
      if (!this.read(value.names[at], value.parts[at])) this.problem = `\`${value.names[at]}\` is no setting, or has another value`;
    }
  }

  private read(name: string, value: Value): bool {
    if (name == "sensitive") {
      this.sensitive = value.text;
      return value.is("allow") || value.is("ask") || value.is("deny");
    }
    if (name == "undeclared_args") {
      this.undeclaredArgs = value.text;
      return value.is("allow") || value.is("deny");
    }
    this.requirePath = value.kind == Kind.True;
    return name == "require_path" && value.isBoolean();
  }
}
