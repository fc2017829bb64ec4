//! Prints the rendered stream once everything has succeeded; the only room that writes to stdout.

use std::borrow::Cow;
use std::io::{self, BufWriter, Write};

/// Writes the slices of a stream, in order.
pub fn print(slices: &[Cow<'_, str>], out: &mut dyn Write) -> io::Result<()> {
    /// Standard output alone would be written to at each line end of each slice.
    const BUFFER: usize = 64 << 10;
    let mut out = BufWriter::with_capacity(BUFFER, out);
    for slice in slices {
        out.write_all(slice.as_bytes())?;
    }
    out.flush()
}
