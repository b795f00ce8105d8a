// Numbers between decimal digits and doubles, exactly: as long divisions and multiplications by powers of two.
//
// The method is that of the decimal type of Go's strconv: no tables, and few lines; fast is only what is common.

import { emptyList } from "./lists";
import { digitsOf, joinTexts } from "./text";

const MAX_DIGITS = 800; // more cannot change which double is nearest, but for whether any is not 0
const MAX_SHIFT = 60;
const BIAS = -1023;
const MANTISSA_BITS = 52;

/** The number 0.d1d2d3... times ten to the power of `point`. */
class Decimal {
  digits: StaticArray<u8> = new StaticArray<u8>(MAX_DIGITS + 400);
  count: i32 = 0;
  point: i32 = 0;
  isCut: bool = false; // digits that are not 0 were dropped

  push(digit: u8): void {
    if (this.count < MAX_DIGITS) {
      this.digits[this.count] = digit;
      this.count += 1;
    } else if (digit) {
      this.isCut = true;
    }
  }

  trim(): void {
    while (this.count > 0 && this.digits[this.count - 1] == 0) this.count -= 1;
    if (this.count == 0) this.point = 0;
  }

  static ofInteger(value: u64): Decimal {
    const made = new Decimal();
    const text = digitsOf(value);
    for (let at = 0; at < text.length; at += 1) made.push(<u8>(text.charCodeAt(at) - 48));
    made.point = made.count;
    made.trim();
    return made;
  }

  /** Multiply by two to the power of `bits`. */
  shift(bits: i32): void {
    if (this.count == 0) return;
    for (; bits > 0; bits -= min(bits, MAX_SHIFT)) this.shiftLeft(min(bits, MAX_SHIFT));
    for (; bits < 0; bits += min(-bits, MAX_SHIFT)) this.shiftRight(min(-bits, MAX_SHIFT));
  }

  private shiftRight(bits: u64): void {
    let read = 0;
    let rest: u64 = 0;
    for (; rest >> bits == 0; read += 1) rest = rest * 10 + (read < this.count ? <u64>this.digits[read] : 0);
    const count = this.count;
    const mask = ((<u64>1) << bits) - 1;
    this.point -= read - 1;
    this.count = 0;
    while (read < count || rest > 0) {
      const next = read < count ? <u64>this.digits[read] : 0;
      read += 1;
      this.push(<u8>(rest >> bits));
      rest = (rest & mask) * 10 + next;
    }
    this.trim();
  }

  private shiftLeft(bits: u64): void {
    const reversed = emptyList<u8>();
    let carry: u64 = 0;
    for (let at = this.count - 1; at >= 0; at -= 1) {
      carry += (<u64>this.digits[at]) << bits;
      reversed.push(<u8>(carry % 10));
      carry /= 10;
    }
    for (; carry > 0; carry /= 10) reversed.push(<u8>(carry % 10));
    this.point += reversed.length - this.count;
    this.count = 0;
    for (let at = reversed.length - 1; at >= 0; at -= 1) this.push(reversed[at]);
    this.trim();
  }

  private roundsUpAt(count: i32): bool {
    if (count < 0 || count >= this.count) return false;
    if (this.digits[count] == 5 && count + 1 == this.count) {
      return this.isCut || (count > 0 && this.digits[count - 1] % 2 != 0);
    }
    return this.digits[count] >= 5;
  }

  /** Keep the first digits, the last of them rounded to the nearest. */
  round(count: i32): void {
    if (this.roundsUpAt(count)) {
      this.roundUp(count);
    } else {
      this.roundDown(count);
    }
  }

  roundDown(count: i32): void {
    if (count < 0 || count >= this.count) return;
    this.count = count;
    this.trim();
  }

  roundUp(count: i32): void {
    if (count < 0 || count >= this.count) return;
    for (let at = count - 1; at >= 0; at -= 1) {
      if (this.digits[at] < 9) {
        this.digits[at] += 1;
        this.count = at + 1;
        return;
      }
    }
    this.digits[0] = 1;
    this.count = 1;
    this.point += 1;
  }

  roundedInteger(): u64 {
    if (this.point > 20) return u64.MAX_VALUE;
    let value: u64 = 0;
    for (let at = 0; at < this.point; at += 1) value = value * 10 + (at < this.count ? <u64>this.digits[at] : 0);
    return this.roundsUpAt(this.point) ? value + 1 : value;
  }

  text(): string {
    const parts = emptyList<string>();
    for (let at = 0; at < this.count; at += 1) parts.push(String.fromCharCode(48 + this.digits[at]));
    return joinTexts(parts, "");
  }
}

/** Return the double that is nearest to a number as JSON writes it; an infinity if it is too large. */
export function parseDouble(text: string): f64 {
  const made = new Decimal();
  let at = text.charCodeAt(0) == 45 ? 1 : 0;
  const isNegative = at == 1;
  let sawPoint = false;
  let exponent = 0;
  for (; at < text.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit == 46) {
      sawPoint = true;
    } else if (unit >= 48 && unit <= 57) {
      if (unit == 48 && made.count == 0) {
        if (sawPoint) made.point -= 1;
        continue;
      }
      made.push(<u8>(unit - 48));
      if (!sawPoint) made.point += 1;
    } else {
      exponent = parseExponent(text, at + 1);
      break;
    }
  }
  if (made.count == 0) return isNegative ? -0.0 : 0.0;
  const point = <i64>made.point + <i64>exponent;
  made.trim();
  const value = point > 310 ? Infinity : point < -330 ? 0.0 : doubleOf(made, <i32>point);
  return isNegative ? -value : value;
}

function parseExponent(text: string, at: i32): i32 {
  const sign = text.charCodeAt(at);
  let value = 0;
  for (let place = sign == 43 || sign == 45 ? at + 1 : at; place < text.length; place += 1) {
    value = min(value * 10 + text.charCodeAt(place) - 48, 100_000_000);
  }
  return sign == 45 ? -value : value;
}

function doubleOf(made: Decimal, point: i32): f64 {
  made.point = point;
  if (made.count <= 15 && point - made.count <= 22 && point - made.count >= -22) {
    let whole: u64 = 0;
    for (let at = 0; at < made.count; at += 1) whole = whole * 10 + made.digits[at];
    let power = 1.0; // exact up to 10**22
    for (let left = abs(point - made.count); left > 0; left -= 1) power *= 10.0;
    return point >= made.count ? <f64>whole * power : <f64>whole / power;
  }
  return doubleOfShifts(made);
}

function doubleOfShifts(made: Decimal): f64 {
  let exponent = 0;
  while (made.point > 0) {
    const bits = bitsForPowerOfTen(made.point);
    made.shift(-bits);
    exponent += bits;
  }
  while (made.point < 0 || (made.point == 0 && made.digits[0] < 5)) {
    const bits = bitsForPowerOfTen(-made.point);
    made.shift(bits);
    exponent -= bits;
  }
  exponent -= 1;
  if (exponent < BIAS + 1) {
    made.shift(exponent - BIAS - 1);
    exponent = BIAS + 1;
  }
  if (exponent - BIAS >= 2047) return Infinity;
  made.shift(1 + MANTISSA_BITS);
  let mantissa = made.roundedInteger();
  if (mantissa == (<u64>2) << MANTISSA_BITS) {
    mantissa >>= 1;
    exponent += 1;
    if (exponent - BIAS >= 2047) return Infinity;
  }
  if (!(mantissa & ((<u64>1) << MANTISSA_BITS))) exponent = BIAS;
  const bits = (mantissa & (((<u64>1) << MANTISSA_BITS) - 1)) | ((<u64>(exponent - BIAS)) << MANTISSA_BITS);
  return reinterpret<f64>(bits);
}

const BITS: StaticArray<i32> = [1, 3, 6, 9, 13, 16, 19, 23, 26];

function bitsForPowerOfTen(power: i32): i32 {
  return power >= BITS.length ? 27 : BITS[power];
}

function exactDecimal(mantissa: u64, exponent: i32): Decimal {
  const made = Decimal.ofInteger(mantissa);
  made.shift(exponent);
  return made;
}

/** Return the digits of the whole part of a positive double. */
export function wholeDigits(value: f64): string {
  const bits = reinterpret<u64>(value);
  const made = exactDecimal((bits & 0xfffffffffffff) | 0x10000000000000, <i32>(bits >> 52) + BIAS - MANTISSA_BITS);
  return made.text().substring(0, made.point) + "0".repeat(max(made.point - made.count, 0));
}

/** Return the shortest digits that give a positive double back, as Python prints it. */
export function doubleText(value: f64): string {
  const bits = reinterpret<u64>(value);
  let exponent = <i32>(bits >> 52);
  let mantissa = bits & 0xfffffffffffff;
  if (exponent == 0) {
    exponent = 1;
  } else {
    mantissa |= 0x10000000000000;
  }
  exponent += BIAS;
  const made = exactDecimal(mantissa, exponent - MANTISSA_BITS);
  roundShortest(made, mantissa, exponent);
  return layout(made.text(), made.point);
}

function layout(digits: string, point: i32): string {
  const exponent = point - 1;
  if (exponent >= -4 && exponent < 16) {
    if (point <= 0) return "0." + "0".repeat(-point) + digits;
    if (point >= digits.length) return digits + "0".repeat(point - digits.length) + ".0";
    return digits.substring(0, point) + "." + digits.substring(point);
  }
  const fraction = digits.length > 1 ? "." + digits.substring(1) : "";
  return digits.substring(0, 1) + fraction + (exponent < 0 ? "e-" : "e+") + digitsOf(abs(exponent), 2);
}

/** Drop digits as long as the number stays nearer to its double than to the doubles around. */
function roundShortest(made: Decimal, mantissa: u64, exponent: i32): void {
  const upper = exactDecimal(mantissa * 2 + 1, exponent - MANTISSA_BITS - 1);
  const isLowest = mantissa == (<u64>1) << MANTISSA_BITS && exponent > BIAS + 1; // those below are half as far apart
  const lower = isLowest
    ? exactDecimal(mantissa * 4 - 1, exponent - MANTISSA_BITS - 2)
    : exactDecimal(mantissa * 2 - 1, exponent - MANTISSA_BITS - 1);
  const isInclusive = mantissa % 2 == 0;
  let difference = 0;
  for (let up = 0; ; up += 1) {
    const middle = up - upper.point + made.point;
    if (middle >= made.count) return;
    const low = up - upper.point + lower.point;
    const l: i32 = low >= 0 && low < lower.count ? lower.digits[low] : 0;
    const m: i32 = middle >= 0 ? made.digits[middle] : 0;
    const u: i32 = up < upper.count ? upper.digits[up] : 0;
    const isDownFine = l != m || (isInclusive && low + 1 == lower.count);
    if (difference == 0 && m + 1 < u) {
      difference = 2;
    } else if (difference == 0 && m != u) {
      difference = 1;
    } else if (difference == 1 && (m != 9 || u != 0)) {
      difference = 2;
    }
    const isUpFine = difference > 0 && (isInclusive || difference > 1 || up + 1 < upper.count);
    if (isDownFine && isUpFine) return made.round(middle + 1);
    if (isDownFine) return made.roundDown(middle + 1);
    if (isUpFine) return made.roundUp(middle + 1);
  }
}
