// The texts of all modules: see pack-texts.mjs, which writes BYTES and COUNT above.

import { digitsOf } from "./text";
import { readText } from "./utf8";

let texts: usize = 0;

/** Unpack the texts for this thread; nothing else works before. */
export function unpackTexts(): void {
  const places = new StaticArray<usize>(COUNT);
  let at = 0;
  for (let number = 0; number < COUNT; number += 1) {
    const start = at;
    while (BYTES[at]) at += 1;
    places[number] = changetype<usize>(readText(changetype<usize>(BYTES) + start, at - start));
    at += 1;
  }
  texts = changetype<usize>(places);
}

/** Return a text by its number. */
// @ts-ignore: decorator
@inline
export function t(number: i32): string {
  return changetype<string>(load<usize>(texts + (<usize>number << 2)));
}

/** Return a text, or a number as one. */
// @ts-ignore: decorator
@inline
export function str<T>(value: T): string {
  if (isString<T>()) return changetype<string>(value);
  return digitsOf(<i64>value);
}
