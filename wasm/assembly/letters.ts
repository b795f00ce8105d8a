// What of Unicode the names of arguments need: letters, upper case, and which characters fold to ASCII.

import { folds, LETTERS, UPPERS } from "./tables";

/** Whether a table of lengths, which are in turn those of characters outside and inside, has a character inside. */
function isInTable(table: StaticArray<u8>, code: i32): bool {
  let place = 0;
  let isInside = false;
  for (let at = 0; at < table.length; isInside = !isInside) {
    if (table[at] == 0) {
      const ones = <i32>table[at + 1]; // as many lengths of 1
      if (code < place + ones) return isInside != ((code - place) % 2 != 0);
      place += ones;
      isInside = isInside != (ones % 2 == 0); // the loop turns it once more
      at += 2;
      continue;
    }
    let length = 0;
    let shift = 0;
    let byte: i32 = 0;
    do {
      byte = table[at];
      at += 1;
      length |= (byte & 0x7f) << shift;
      shift += 7;
    } while (byte & 0x80);
    place += length;
    if (code < place) return isInside;
  }
  return false;
}

export function isLetterCharacter(code: i32): bool {
  const lower = code | 32;
  return code < 128 ? lower >= 97 && lower <= 122 : isInTable(LETTERS, code);
}

export function isUpperCharacter(code: i32): bool {
  return code < 128 ? code >= 65 && code <= 90 : isInTable(UPPERS, code);
}

/** Return what a character is with its case folded, '' if that is not ASCII. */
export function foldToAscii(code: i32): string {
  if (code < 128) return String.fromCharCode(isUpperCharacter(code) ? code | 32 : code);
  const key = `${code}=`;
  const at = folds().indexOf(`;${key}`);
  return at < 0 ? "" : folds().substring(at + key.length + 1, folds().indexOf(";", at + 1));
}
