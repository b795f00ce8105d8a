// Arguments from a command line: a word becomes the type that its grant declares.

import { Declarations } from "./declarations";
import { Decoder, Strictness } from "./json";
import { Condition, whenArgumentIsPath } from "./path-arguments";
import { hasLoneSurrogate } from "./text";
import { Kind, Value } from "./value";

/** Return the value of a word; null if it is no strict JSON, but other parsers may read it. */
export function valueOfWord(declarations: Declarations, name: string, word: string): Value | null {
  const condition = whenArgumentIsPath(declarations, name);
  const declaration = declarations.get(name);
  const hasTypes = declaration !== null && declaration.types.length > 0;
  const asText = Value.ofText(word);
  if (condition == Condition.Always || (hasTypes && declaration!.types.includes("string"))) return asText;
  const decoder = new Decoder(Strictness.Grant);
  const value = decoder.decodeText(word);
  if (hasLoneSurrogate(word) || decoder.error !== null) return isReadByLaxParser(word) ? null : asText;
  const isText = value.kind == Kind.Null || value.isText();
  return condition != Condition.Never && !hasTypes && isText ? asText : value;
}

function isReadByLaxParser(word: string): bool {
  let at = 0;
  while (at < word.length && isBlank(word.charCodeAt(at))) at += 1;
  if (word.charCodeAt(at) != 123 && word.charCodeAt(at) != 91) return false;
  const decoder = new Decoder(Strictness.Lax);
  decoder.decodeText(word.substring(at));
  return decoder.error === null || decoder.error!.kind == "too_deep";
}

function isBlank(unit: i32): bool {
  return unit == 0xfeff || unit == 32 || (unit >= 9 && unit <= 13);
}
