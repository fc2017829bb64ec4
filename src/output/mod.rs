//! Prints the rendered stream once everything has succeeded; the only room that writes to stdout.

use std::borrow::Cow;
use std::io::{self, Write};

/// Writes the slices of a stream, in order.
pub fn print(slices: &[Cow<'_, str>], out: &mut dyn Write) -> io::Result<()> {
    for slice in slices {
        out.write_all(slice.as_bytes())?;
    }
    out.flush()
}
