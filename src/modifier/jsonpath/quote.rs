//! Quoted text in a template, with Go's escapes.

/// The text between the quotes of `quoted`, or `None` where an escape is wrong.
pub(super) fn unquote(quoted: &str) -> Option<Vec<u8>> {
    let quote = quoted.chars().next()?;
    let inner = quoted.strip_prefix(quote)?.strip_suffix(quote)?;
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(rest.next()?, quote, &mut rest, &mut text)?,
            c if c == quote => return None,
            c => push(c, &mut text),
        }
    }
    Some(text)
}

fn escape(c: char, quote: char, rest: &mut std::str::Chars<'_>, text: &mut Vec<u8>) -> Option<()> {
    let byte = match c {
        'a' => 7,
        'b' => 8,
        't' => b'\t',
        'n' => b'\n',
        'v' => 11,
        'f' => 12,
        'r' => b'\r',
        '\\' => b'\\',
        'x' => u8::try_from(digits(rest, 2, 16)?).ok()?,
        '0'..='7' => u8::try_from(c.to_digit(8)? * 64 + digits(rest, 2, 8)?).ok()?,
        'u' => return unicode(digits(rest, 4, 16)?, text),
        'U' => return unicode(digits(rest, 8, 16)?, text),
        '\'' | '"' if c == quote => u8::try_from(c).ok()?,
        _ => return None,
    };
    text.push(byte);
    Some(())
}

fn unicode(code: u32, text: &mut Vec<u8>) -> Option<()> {
    push(char::from_u32(code)?, text);
    Some(())
}

fn push(c: char, text: &mut Vec<u8>) {
    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn digits(rest: &mut std::str::Chars<'_>, count: usize, radix: u32) -> Option<u32> {
    (0..count).try_fold(0_u32, |number, _| {
        let digit = rest.next()?.to_digit(radix)?;
        number.checked_mul(radix)?.checked_add(digit)
    })
}
