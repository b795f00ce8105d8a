// Texts as they are shown: escaped, quoted, and cut to a size.
"use strict";

const MAX_SHORT = 1000; // characters, of at most four bytes each
const MAX_MESSAGE_BYTES = 4000;
const MAX_WORD_BYTES = 200; // of one name in a list
const BARE = /^[\w@%+=:,./-]+$/;
const BLANK = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]"; // what Python strips
const BLANKS_AT_START = new RegExp(`^${BLANK}+`);
const BLANKS_AT_END = new RegExp(`${BLANK}+$`);
const LINE_END = /\r\n|[\n-\r\x1c-\x1e\x85\u2028\u2029]/;
const SYSTEM_ERRORS = { // in the words of the system, where Node has others
  EACCES: "permission denied", EIO: "input/output error", EISDIR: "is a directory", ELOOP: "too many levels of symbolic links",
  ENAMETOOLONG: "file name too long", ENFILE: "too many open files in system", ENOMEM: "cannot allocate memory",
};
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;

/** Return a message or a hint of at most 4 kB. */
function shortenMessage(text) {
  return text.length <= MAX_SHORT ? text : elideMiddle(text, MAX_MESSAGE_BYTES);
}

/** Return a text cut to a number of bytes: its start, how much was left out, its end. */
function elideMiddle(text, maxBytes) {
  const data = surrogatePassBytes(text);
  if (data.length <= maxBytes) return text;
  const start = data.subarray(0, Math.floor(maxBytes / 2));
  const end = data.subarray(data.length - Math.ceil(maxBytes / 4));
  const left = (data.length - start.length - end.length).toLocaleString("en-US");
  return `${textOfWholeCharacters(start)} ... ${left} bytes more ... ${textOfWholeCharacters(end)}`;
}

/** Return a text as UTF-8, in which half of a character has three bytes. */
function surrogatePassBytes(text) {
  if (text.isWellFormed()) return Buffer.from(text);
  const parts = [...text].map((char) => {
    const code = char.codePointAt(0);
    const isHalf = code >= 0xd800 && code <= 0xdfff;
    return isHalf ? Buffer.from([0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)]) : Buffer.from(char);
  });
  return Buffer.concat(parts);
}

function textOfWholeCharacters(data) {
  return data.toString("utf8").replace(/\ufffd/g, "");
}

/** Return words with commas between, as many as there is room for, and how many more there are. */
function joinWordsThatFit(words) {
  const shown = [];
  let length = 0;
  for (const word of words) {
    length += Math.min([...word].length, MAX_WORD_BYTES) + 2;
    if (length > MAX_MESSAGE_BYTES / 2) break;
    shown.push(elideMiddle(word, MAX_WORD_BYTES));
  }
  const more = words.length - shown.length;
  return shown.join(", ") + (more ? ` ... and ${more.toLocaleString("en-US")} more` : "");
}

/** Say in lower case what the system answered, in its own words. */
function systemErrorText(error) {
  return SYSTEM_ERRORS[error.code] ?? String(error.message).replace(/^[A-Z0-9]+: /, "").replace(/, .*/s, "").toLowerCase();
}

/** Return a text without blanks at its ends, those that Python strips. */
function stripBlanks(text) {
  return text.replace(BLANKS_AT_START, "").replace(BLANKS_AT_END, "");
}

/** Return the first line of a text without blanks around it; with ` ...` if the text was cut in that line. */
function firstLine(text, isCut) {
  const [line, ...others] = stripBlanks(text).split(LINE_END);
  return isCut && !others.length ? `${line} ...` : line.replace(BLANKS_AT_END, "");
}

/** Quote a word for a shell, but only if it needs that. */
function quoteWord(word) {
  return BARE.test(word) ? word : `'${word.replaceAll("'", `'"'"'`)}'`;
}

/** Whether a text has only characters that can be seen, and spaces. */
function isPrintable(text) {
  return !UNPRINTABLE.test(text);
}

/** Whether a word is shown unchanged: nothing in it acts on a terminal, or on who reads the log of a job. */
function isShownUnchanged(word) {
  return isPrintable(word) && word.isWellFormed() && !/##[A-Za-z0-9_.-]*\[/.test(word) && !/^[ \t]*::/.test(word);
}

module.exports = {
  firstLine, isPrintable, isShownUnchanged, joinWordsThatFit, quoteWord, shortenMessage, stripBlanks, surrogatePassBytes, systemErrorText,
};
