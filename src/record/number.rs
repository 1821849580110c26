//! Small parsers from bytes to numbers. Each takes the whole slice or says no; none allocates.

/// A run of decimal digits as a number; `None` when empty, when another byte stands among them, or past `i64::MAX`.
#[inline]
pub fn integer(text: &[u8]) -> Option<i64> {
    if text.is_empty() {
        return None;
    }
    if let Some((first, last)) = text.split_last_chunk()
        && first.len() <= 8
    {
        return Some(digits(first)? * 100_000_000 + eight_digits(last)?);
    }
    digits(text)
}

/// The same one by one; nothing is zero.
#[inline]
fn digits(text: &[u8]) -> Option<i64> {
    let small = text.len() <= 18;
    let mut number: i64 = 0;
    for byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = match small {
            true => number * 10 + i64::from(digit),
            false => number.checked_mul(10)?.checked_add(i64::from(digit))?,
        };
    }
    Some(number)
}

/// Decimal digits with an optional leading minus or plus.
pub fn signed(text: &[u8]) -> Option<i64> {
    match text {
        [b'-', digits @ ..] => integer(digits).map(|number| -number),
        [b'+', digits @ ..] => integer(digits),
        digits => integer(digits),
    }
}

/// Eight bytes of which each is this one.
pub const fn eight(byte: u8) -> u64 {
    u64::from_le_bytes([byte; 8])
}

/// The beginning of the step of that width that a number is in.
pub const fn floor(number: i64, width: i64) -> i64 {
    number.div_euclid(width).saturating_mul(width)
}

/// The highest bit of each byte that is above nine. What carries into another byte does so above the first of these, so that
/// the lowest of the bits is right, and so is whether there is any.
#[inline(always)]
pub const fn no_digits(values: u64) -> u64 {
    (values.wrapping_add(eight(0x76)) | values) & eight(0x80)
}

/// The one to eight digits at the front of a text, as a number, and how many they are, read at once. Left to other readers are
/// texts of less than eight bytes; behind eight digits more may stand.
#[inline(always)] // A load, an addition, three multiplications.
pub fn leading(text: &[u8]) -> Option<(i64, usize)> {
    let digits = u64::from_le_bytes(*text.first_chunk()?) ^ eight(b'0');
    let len = no_digits(digits).trailing_zeros() as usize / 8;
    (len > 0).then(|| (of_digits(digits << (64 - 8 * len)), len))
}

/// Eight digits and nothing else.
#[inline(always)]
fn eight_digits(text: &[u8; 8]) -> Option<i64> {
    let digits = u64::from_le_bytes(*text) ^ eight(b'0');
    (no_digits(digits) == 0).then(|| of_digits(digits))
}

/// The number of eight digits, each the value of a byte, the first in the lowest: neighbours become pairs, pairs fours, fours
/// the whole.
#[inline(always)]
pub fn of_digits(digits: u64) -> i64 {
    let pairs = digits.wrapping_mul(10).wrapping_add(digits >> 8);
    let odd = (pairs & 0xFF_0000_00FF).wrapping_mul(100 + (1_000_000 << 32));
    let even = (pairs >> 16 & 0xFF_0000_00FF).wrapping_mul(1 + (10_000 << 32));
    (odd.wrapping_add(even) >> 32) as i64
}

/// Two decimal digits.
#[inline]
pub fn two(text: &[u8]) -> Option<u32> {
    let [tens, ones] = *text else { return None };
    let (tens, ones) = (tens.wrapping_sub(b'0'), ones.wrapping_sub(b'0'));
    (tens <= 9 && ones <= 9).then(|| u32::from(tens) * 10 + u32::from(ones))
}

/// Two characters, the first of which may be a space instead of a zero.
pub fn two_padded(text: &[u8]) -> Option<u32> {
    match text {
        [b' ', one] => integer(&[*one]).map(|number| number as u32),
        _ => two(text),
    }
}

/// A decimal with an optional fraction, times 10 to the power of `places`: seconds to microseconds with 6. Digits
/// past the last place are cut. A leading minus is taken.
pub fn scaled(text: &[u8], places: u32) -> Option<i64> {
    if let [b'-', rest @ ..] = text {
        return scaled(rest, places).map(|number| -number);
    }
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let fraction = match &text[digits..] {
        [] if digits > 0 => 0,
        [b'.', fraction @ ..] if digits + fraction.len() > 0 => self::fraction(fraction, places)?,
        _ => return None,
    };
    let whole = if digits == 0 { 0 } else { integer(&text[..digits])? };
    whole.checked_mul(power(places)?)?.checked_add(fraction)
}

/// The digits after a decimal point, times 10 to the power of `places`.
#[inline]
pub fn fraction(digits: &[u8], places: u32) -> Option<i64> {
    if let (Ok(six), 6) = (digits.try_into(), places) {
        return micros(six);
    }
    let (taken, cut) = digits.split_at(digits.len().min(places as usize));
    let number = if taken.is_empty() { 0 } else { integer(taken)? };
    cut.iter().all(u8::is_ascii_digit).then_some(())?;
    number.checked_mul(power(places - taken.len() as u32)?)
}

/// Six digits, as most servers write them behind the point of a second: without a loop.
#[inline]
fn micros(digits: &[u8; 6]) -> Option<i64> {
    let digits = digits.map(|byte| byte.wrapping_sub(b'0'));
    let number = digits.iter().fold(0, |number, digit| number * 10 + i64::from(*digit));
    digits.iter().all(|digit| *digit <= 9).then_some(number)
}

/// 10 to the power of so many; `None` past `i64::MAX`.
#[inline]
fn power(places: u32) -> Option<i64> {
    const POWERS: [i64; 19] = {
        let mut powers = [1; 19];
        let mut places = 1;
        while places < powers.len() {
            powers[places] = powers[places - 1] * 10;
            places += 1;
        }
        powers
    };
    POWERS.get(places as usize).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers() {
        assert_eq!(integer(b"0"), Some(0));
        assert_eq!(integer(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(integer(b"9223372036854775808"), None);
        assert_eq!(integer(b""), None);
        assert_eq!(integer(b"1a"), None);
        assert_eq!(signed(b"-1"), Some(-1));
        assert_eq!(two_padded(b" 9"), Some(9));
        assert_eq!(two(b"7x"), None);
    }

    #[test]
    fn digits_at_the_front() {
        for (text, expected) in [
            (&b"7 Lock_ti"[..], Some((7, 1))),
            (b"365116  Lock", Some((365_116, 6))),
            (b"12345678", Some((12_345_678, 8))),
            (b"123456789", Some((12_345_678, 8))),
            (b"00000019.", Some((19, 8))),
            (b"1\xFF\xFF\xFF\xFF\xFF\xFF\xFF", Some((1, 1))),
            (b"12/4:6789", Some((12, 2))),
            (b"x1234567", None),
            (b"1234567", None),
        ] {
            assert_eq!(leading(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn decimals_in_smaller_units() {
        assert_eq!(scaled(b"0.002", 6), Some(2_000));
        assert_eq!(scaled(b"12", 6), Some(12_000_000));
        assert_eq!(scaled(b"1.23456789", 6), Some(1_234_567));
        assert_eq!(scaled(b".5", 3), Some(500));
        assert_eq!(scaled(b"-0.5", 3), Some(-500));
        assert_eq!(scaled(b"-", 6), None);
        assert_eq!(scaled(b"1.2.3", 6), None);
        assert_eq!(scaled(b"99999999999999999", 6), None);
    }
}
