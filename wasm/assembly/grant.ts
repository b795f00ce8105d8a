// Grants: the bytes of a file, strictly, and which words can name one.

import { emptyList } from "./lists";
import { joinTexts } from "./text";
import { Decoder, Malformed, Strictness } from "./json";
import { compareDigits, isWhole, Value, wholeText } from "./value";
import { Declarations } from "./declarations";
import { Scopes } from "./scopes";

const MAX_ID_LENGTH = 128;

/** What one tool may do. */
export class Grant {
  tool: string = "";
  actions: string[] = emptyList<string>();
  perMinute: string = "1"; // digits: it may be larger than any integer here
  dataClass: string = "internal";
  fsScope: string[] = emptyList<string>();
  scopes: Scopes = new Scopes(emptyList<string>());
  declarations: Declarations = new Declarations(Value.members());

  constructor(public id: string) {}
}

function isIdCharacter(unit: i32, isFirst: bool): bool {
  const lower = unit | 32;
  if ((unit >= 48 && unit <= 57) || (lower >= 97 && lower <= 122 && unit < 128)) return true;
  return !isFirst && (unit == 46 || unit == 95 || unit == 45);
}

/** Whether a word can name a grant at all. */
export function isGrantId(word: string): bool {
  if (word.length < 1 || word.length > MAX_ID_LENGTH) return false;
  if (word == "hooks.toml") return false; // the rules of agents' hooks
  for (let at = 0; at < word.length; at += 1) {
    if (!isIdCharacter(word.charCodeAt(at), at == 0)) return false;
  }
  return true;
}

/** Decodes one grant file; `error` says why it is none. */
export class GrantDecoder {
  error: Malformed | null = null;
  private problems: string[] = emptyList<string>();

  decode(id: string, place: usize, size: i32): Grant {
    const grant = new Grant(id);
    const decoder = new Decoder(Strictness.Grant);
    const document = decoder.decode(place, size);
    this.error = decoder.error;
    if (this.error !== null) return grant;
    if (!document.isMembers()) {
      this.error = new Malformed("not_an_object", "a grant is a JSON object");
      return grant;
    }
    this.read(grant, document);
    if (this.problems.length) this.error = new Malformed("shape", joinTexts(this.problems, "; "));
    return grant;
  }

  private read(grant: Grant, document: Value): void {
    if (!document.has("tool")) this.problems.push("`tool` is missing");
    if (!document.has("actions")) this.problems.push("`actions` is missing");
    if (!document.has("rate")) this.problems.push("`rate` is missing");
    grant.tool = this.text(document.get("tool"));
    const args = document.get("args");
    if (args !== null && !args.isMembers()) {
      this.problems.push("`args` must be an object");
    } else if (args !== null) {
      grant.declarations = new Declarations(args);
    }
    grant.dataClass = this.kindOfData(document.get("dataClass"));
    grant.actions = this.texts(document.get("actions"), "actions");
    grant.fsScope = this.texts(document.get("fsScope"), "fsScope");
    grant.scopes = new Scopes(grant.fsScope);
    grant.perMinute = this.perMinute(document.get("rate"));
  }

  private text(value: Value | null): string {
    if (value === null) return "";
    if (!value.isText() || !value.text.length) this.problems.push("`tool` must be a string that is not empty");
    return value.text;
  }

  private kindOfData(value: Value | null): string {
    if (value === null) return "internal";
    if (!value.is("public") && !value.is("internal") && !value.is("sensitive")) {
      this.problems.push("`dataClass` must be public, internal or sensitive");
    }
    return value.text;
  }

  private texts(value: Value | null, name: string): string[] {
    const found = emptyList<string>();
    if (value === null) return found;
    let isFine = value.isList();
    for (let at = 0; isFine && at < value.parts.length; at += 1) {
      isFine = value.parts[at].isText();
      found.push(value.parts[at].text);
    }
    if (!isFine) this.problems.push(`\`${name}\` must be an array of strings`);
    return found;
  }

  private perMinute(rate: Value | null): string {
    if (rate === null) return "1";
    const number = rate.get("perMinute");
    if (number !== null && isWhole(number)) {
      const digits = wholeText(number);
      if (compareDigits(digits, "1") >= 0) return digits;
    }
    this.problems.push('`rate` must be {"perMinute": N}, N an integer of at least 1');
    return "1";
  }
}
