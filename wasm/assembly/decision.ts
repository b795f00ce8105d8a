// The decision: every rule in its order, and the first that denies decides.

import { containsObject } from "./declarations";
import { Grant } from "./grant";
import { emptyList } from "./lists";
import { LabelledText, PathArguments } from "./path-arguments";
import { Places } from "./places";
import { Request, Settings } from "./request";
import { askRing } from "./ring";
import { joinTexts, quoteText, shortenMessage, textOfBool, wordAt } from "./text";
import { numberText, Value } from "./value";
import { Budget, budgetOfHits } from "./window";

/** Why a decision fell, with its sentence and exit code. */
export const enum Reason {
  Allowed, ActionNotAllowed, ArgumentNotAllowed, PathOutsideScope, ApprovalRequired, RateLimited, GrantNotFound, GrantInvalid,
  StateUnavailable, SettingsInvalid, Usage,
}

const EXIT_CODES: StaticArray<u8> = [0, 10, 11, 12, 13, 14, 20, 21, 24, 27, 2];

/** An answer, and why. */
export class Decision {
  needsHuman: bool = false;
  budget: Budget | null = null;
  scopes: string[] = emptyList<string>(); // as JSON, for each path of the request

  constructor(public reason: Reason, public detail: string = "") {}

  isAllowed(): bool {
    return this.reason == Reason.Allowed;
  }

  json(): string {
    const sentence = sentenceOf(this.reason);
    const message = this.detail.length ? `${sentence}: ${shortenMessage(this.detail)}` : sentence;
    const isRetryable = this.reason == Reason.RateLimited && this.budget !== null && this.budget!.retryAfterSeconds !== null;
    const parts = [
      `{"allowed":${textOfBool(this.isAllowed())},"reason":"${wordOf(this.reason)}","exit_code":${EXIT_CODES[this.reason]}`,
      `,"message":`, quoteText(message, false),
      this.needsHuman ? ',"obligations":["human_approval"]' : ',"obligations":[]',
      `,"retryable":${textOfBool(isRetryable)},"scopes":[`, joinTexts(this.scopes, ","), `],"budget":`, budgetJson(this.budget), "}",
    ];
    return joinTexts(parts, "");
  }
}

export function budgetJson(budget: Budget | null): string {
  if (budget === null) return "null";
  const retry = budget.retryAfterSeconds === null ? "null" : numberText(budget.retryAfterSeconds!);
  const parts = [
    '{"limit":', numberText(budget.limit), ',"used":', numberText(budget.used), ',"remaining":', numberText(budget.remaining),
    ',"retry_after_seconds":', retry, ',"consumed":', numberText(budget.consumed), "}",
  ];
  return joinTexts(parts, "");
}

/** Decides one call; nanoseconds are those of the caller's clock, which never goes back. */
export class Decider {
  constructor(private grant: Grant, private request: Request, private settings: Settings) {}

  decide(nanoseconds: i64): Decision {
    const denial = this.denialBeforeRate();
    if (denial !== null) return denial;
    const budget = this.askBudget(nanoseconds);
    if (budget.problem.length) return new Decision(Reason.StateUnavailable, budget.problem);
    const isAllowed = budget.allows(this.request.cost);
    const decision = new Decision(isAllowed ? Reason.Allowed : Reason.RateLimited, isAllowed ? "" : budget.denialText());
    decision.needsHuman = isAllowed && this.grant.dataClass == "sensitive";
    decision.budget = budget;
    return this.withScopes(decision);
  }

  private askBudget(nanoseconds: i64): Budget {
    const grant = this.grant;
    const request = this.request;
    if (request.budget !== null) return Budget.from(request.budget!);
    if (request.hits !== null) return budgetOfHits(grant.perMinute, request);
    return askRing(grant.tool, request.action, grant.perMinute, request.cost, nanoseconds, true);
  }

  private denialBeforeRate(): Decision | null {
    if (!this.grant.actions.includes(this.request.action)) {
      return new Decision(Reason.ActionNotAllowed, `\`${this.request.action}\``);
    }
    let why = this.grant.declarations.violation(this.request.args);
    if (!why.length) why = this.undeclaredArgumentText();
    if (why.length) return new Decision(Reason.ArgumentNotAllowed, why);
    const denial = this.pathDenial();
    return denial !== null ? denial : this.approvalDenial();
  }

  private undeclaredArgumentText(): string {
    if (this.settings.undeclaredArgs == "allow") return "";
    const args = this.request.args;
    for (let at = 0; at < args.names.length; at += 1) {
      const name = args.names[at];
      if (!this.grant.declarations.has(name) && !this.countsAsDeclared(name, args.parts[at])) {
        return `\`${name}\` is not declared in \`args\`, and the setting \`undeclared_args\` is \`deny\``;
      }
      if (containsObject(args.parts[at]) && !this.grant.declarations.listsValues(name)) {
        return `\`${name}\` holds an object, whose members nothing declares, and \`undeclared_args\` is \`deny\``;
      }
    }
    return "";
  }

  private countsAsDeclared(name: string, value: Value): bool {
    if (name == "path" || name == "paths") return true;
    return !this.grant.scopes.isEmpty() && new PathArguments(this.grant.declarations).isPath(name, value);
  }

  private pathDenial(): Decision | null {
    const request = this.request;
    const resolved = new Places();
    for (let at = 0; at < request.paths.length; at += 1) {
      const path = request.paths[at];
      const key = keyOf(path.argument, path.given);
      // nested arguments name a path twice
      if (!resolved.add(key, at) && !path.isSame(request.paths[resolved.find(key)])) {
        return new Decision(Reason.Usage, `\`${path.given}\` leads to two places in \`paths\``);
      }
    }
    const all = new PathArguments(this.grant.declarations);
    all.addAll(request.args);
    let namesPath = false;
    for (let at = 0; at < all.found.length; at += 1) {
      const text = all.found[at];
      const why = this.whyPathIsDenied(text, resolved);
      namesPath = namesPath || (text.hasText && (text.isPath || why.length > 0));
      if (!why.length) continue;
      const label = text.hasText ? `\`${text.text}\`` : `argument \`${text.label}\``;
      return this.withScopes(new Decision(Reason.PathOutsideScope, `${label} ${why}`));
    }
    if (!this.settings.requirePath || namesPath) return null;
    return new Decision(Reason.PathOutsideScope, "no path was given, and one is required");
  }

  private whyPathIsDenied(text: LabelledText, resolved: Places): string {
    const scopes = this.grant.scopes;
    if (!text.hasText) return scopes.isEmpty() ? "" : "is neither a path nor an array of paths";
    const place = resolved.find(keyOf(text.label, text.text));
    // INVARIANT: each path in the arguments was resolved; a request in which one was not is denied here
    if (place < 0) return "was not resolved";
    const path = this.request.paths[place];
    return text.isPath ? scopes.violation(path) : path.protectedReason;
  }

  private approvalDenial(): Decision | null {
    const settings = this.settings;
    if (this.grant.dataClass != "sensitive" || settings.sensitive == "allow") return null;
    const isAsked = settings.sensitive == "ask";
    if (isAsked && this.request.approved) return null;
    const decision = new Decision(Reason.ApprovalRequired, isAsked ? "" : "the setting `sensitive` is `deny`, so no human is asked");
    decision.needsHuman = isAsked;
    return this.withScopes(decision);
  }

  private withScopes(decision: Decision): Decision {
    for (let at = 0; at < this.request.paths.length; at += 1) {
      const place = this.grant.scopes.allowing(this.request.paths[at]);
      decision.scopes.push(place < 0 ? "null" : quoteText(this.grant.fsScope[place], false));
    }
    return decision;
  }
}

function keyOf(label: string, text: string): string {
  return `${label.length}:${label}${text}`;
}

function wordOf(reason: Reason): string {
  return wordAt("|allowed|action_not_allowed|argument_not_allowed|path_outside_scope|approval_required|rate_limited|grant_not_found|grant_invalid|state_unavailable|settings_invalid|usage|", reason);
}

function sentenceOf(reason: Reason): string {
  return wordAt("|allowed|action not allowed|argument not allowed|path not within fsScope|approval required|rate limit exceeded|grant not found|grant invalid|rate state unavailable|settings invalid|usage|", reason);
}
