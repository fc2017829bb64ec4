//! Samples as rows of a Markdown table: the median, the spread, and how many times more than manifuse.

use std::fmt;
use std::time::Duration;

use crate::measure::Sample;

/// The first two lines of the table.
pub(crate) const HEAD: &str = "\
| workload | program | time (least to most) | CPU (least to most) | memory | requests | time, times ours | CPU, times ours |
|---|---|---|---|---|---|---|---|";

/// One program's figures on one workload.
pub(crate) struct Row {
    workload: &'static str,
    program: &'static str,
    wall: Spread,
    processor: Spread,
    memory: u64,
    requests: usize,
    times: (f64, f64),
}

impl Row {
    /// The row of `own` samples, compared with `ours`. Both must hold at least one.
    pub(crate) fn new(
        workload: &'static str,
        program: &'static str,
        own: &[Sample],
        ours: &[Sample],
    ) -> Self {
        let wall = |samples: &[Sample]| Spread::of(samples, |sample| sample.wall);
        let processor = |samples: &[Sample]| Spread::of(samples, |sample| sample.processor);
        let ratio =
            |own: Spread, ours: Spread| own.median.as_secs_f64() / ours.median.as_secs_f64();
        Self {
            workload,
            program,
            wall: wall(own),
            processor: processor(own),
            memory: own.iter().map(|sample| sample.memory).max().unwrap_or(0),
            requests: own.iter().map(|sample| sample.requests).max().unwrap_or(0),
            times: (
                ratio(wall(own), wall(ours)),
                ratio(processor(own), processor(ours)),
            ),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            workload,
            program,
            wall,
            processor,
            memory,
            requests,
            times: (slower, dearer),
        } = self;
        let memory = *memory / (1 << 20);
        write!(
            f,
            "| {workload} | {program} | {wall} | {processor} | {memory} MiB | {requests} | {slower:.1} | {dearer:.1} |"
        )
    }
}

/// The middle and the ends of some durations.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    least: Duration,
    /// The middle one; of an even number the later of the two.
    pub(crate) median: Duration,
    most: Duration,
}

impl Spread {
    /// Of at least one sample.
    pub(crate) fn of(samples: &[Sample], figure: impl Fn(&Sample) -> Duration) -> Self {
        let mut all: Vec<Duration> = samples.iter().map(figure).collect();
        all.sort();
        Self {
            least: all[0],
            median: all[all.len() / 2],
            most: all[all.len() - 1],
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, least, most] =
            [self.median, self.least, self.most].map(|time| time.as_secs_f64() * 1e3);
        let digits = usize::from(median < 100.0);
        write!(
            f,
            "{median:.digits$} ms ({least:.digits$} to {most:.digits$})"
        )
    }
}
