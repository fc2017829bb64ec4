//! Asks people on the terminal, not on standard input and output, which hold manifests and files.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Write as _};

use age::secrecy::SecretString;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

/// A passphrase, which does not show. Fails where there is no terminal.
pub(super) fn passphrase(what: &str) -> io::Result<SecretString> {
    let terminal = open()?;
    let hidden = Hidden::new(&terminal)?;
    write!(&terminal, "{what}: ")?;
    let answer = read_line(&terminal);
    drop(hidden);
    writeln!(&terminal)?;
    Ok(SecretString::from(answer?.as_str()))
}

/// A line that shows.
pub(super) fn line(question: &str) -> io::Result<Zeroizing<String>> {
    let mut terminal = open()?;
    write!(terminal, "{question}")?;
    read_line(&terminal)
}

/// Shows a message, if there is somebody to see it.
pub(super) fn tell(message: &str) {
    let _ = open().and_then(|mut terminal| writeln!(terminal, "{message}"));
}

fn open() -> io::Result<File> {
    File::options().read(true).write(true).open("/dev/tty")
}

fn read_line(terminal: &File) -> io::Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::with_capacity(1024));
    BufReader::new(terminal).read_line(&mut line)?;
    Ok(Zeroizing::new(
        line.trim_end_matches(['\r', '\n']).to_owned(),
    ))
}

/// As long as it lives, the terminal does not show what is typed.
struct Hidden<'t> {
    terminal: &'t File,
    before: Termios,
}

impl<'t> Hidden<'t> {
    fn new(terminal: &'t File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal, OptionalActions::Flush, &hidden)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Hidden<'_> {
    fn drop(&mut self) {
        // Nothing is left to try if the terminal is gone.
        let _ = tcsetattr(self.terminal, OptionalActions::Flush, &self.before);
    }
}
