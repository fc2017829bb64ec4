//! Says on a terminal that a run is still waiting, and for how long. Never in a pipe, and gone when the run goes on.

use std::io::Write;
use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;

/// How often the line is renewed. What takes less shows none.
pub(super) const INTERVAL: Duration = Duration::from_secs(2);

/// Waits for some work, and shows that it does if `terminal` is one.
pub(super) async fn show<T>(
    work: impl Future<Output = T>,
    interval: Duration,
    terminal: Option<&mut dyn Write>,
) -> T {
    let Some(terminal) = terminal else {
        return work.await;
    };
    let mut work = pin!(work);
    let mut waited = Duration::ZERO;
    let mut line = String::new();
    loop {
        if let Ok(done) = timeout(interval, &mut work).await {
            write(terminal, &format!("\r{:1$}\r", "", line.len()), &line);
            return done;
        }
        waited += interval;
        line = format!("fetching secrets for {waited:?}");
        write(terminal, &format!("\r{line}"), &line);
    }
}

/// A terminal that went away is no reason to fail.
fn write(terminal: &mut dyn Write, text: &str, line: &str) {
    if !line.is_empty() {
        let _ = terminal.write_all(text.as_bytes());
        let _ = terminal.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::io;
    use std::task::Poll;

    use super::*;

    struct Terminal<'a> {
        text: Vec<u8>,
        lines: &'a Cell<usize>,
    }

    impl Write for Terminal<'_> {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.lines.set(self.lines.get() + 1);
            self.text.write(text)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is shown by work that ends when so many lines have been shown.
    fn shown(until: usize) -> String {
        let lines = Cell::new(0);
        let mut terminal = Terminal {
            text: Vec::new(),
            lines: &lines,
        };
        let work = poll_fn(|_| match lines.get() {
            shown if shown < until => Poll::Pending,
            shown => Poll::Ready(shown),
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let interval = Duration::from_millis(1);
        let done = runtime.block_on(show(work, interval, Some(&mut terminal)));
        assert_eq!(done, until);
        String::from_utf8(terminal.text).unwrap()
    }

    #[test]
    fn a_short_wait_shows_nothing_and_a_long_one_a_line_that_goes_away() {
        assert_eq!(shown(0), "");
        let gone = " ".repeat("fetching secrets for 2ms".len());
        assert_eq!(
            shown(2),
            format!("\rfetching secrets for 1ms\rfetching secrets for 2ms\r{gone}\r")
        );
    }
}
