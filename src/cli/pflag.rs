//! The rules by which AVP's command line library reads flags: `--flag v`, `--flag=v`, `-c v`, `-cv`, `-c=v`, in any
//! place before `--`; names are never shortened; a switch takes a value only behind `=`.

use std::ffi::OsStr;

use super::flags::{Generate, go_bool};

/// A flag besides `help`.
pub(super) struct Flag {
    /// Its letter.
    pub(super) short: Option<char>,
    /// Its name.
    pub(super) long: &'static str,
    /// What it sets.
    pub(super) takes: Takes,
}

/// What a flag takes, and what it sets.
#[derive(Clone, Copy)]
pub(super) enum Takes {
    /// A text. An empty one is as good as none.
    Text(fn(&mut Generate) -> &mut Option<String>),
    /// Nothing, or a truth value behind `=`.
    Bool(fn(&mut Generate) -> &mut Option<bool>),
    /// The flag that every command has.
    Help,
}

const HELP: Flag = Flag {
    short: Some('h'),
    long: "help",
    takes: Takes::Help,
};

/// Flags and positional arguments in any order, and whether help is asked for.
pub(super) fn parse(
    arguments: &[&OsStr],
    known: &'static [Flag],
) -> Result<(Generate, bool), String> {
    let mut parser = FlagParser {
        known,
        parsed: Generate::default(),
        help: false,
    };
    parser.all(arguments)?;
    Ok((parser.parsed, parser.help))
}

struct FlagParser {
    known: &'static [Flag],
    parsed: Generate,
    help: bool,
}

impl FlagParser {
    fn all(&mut self, arguments: &[&OsStr]) -> Result<(), String> {
        let mut rest = arguments.iter().copied();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                self.parsed.paths.extend(rest.map(OsStr::to_owned));
                return Ok(());
            }
            let is_flag = argument.len() > 1 && argument.as_encoded_bytes().starts_with(b"-");
            if !is_flag {
                self.parsed.paths.push(argument.to_owned());
                continue;
            }
            let text = argument.to_string_lossy();
            match text.strip_prefix("--") {
                Some(long) => self.long(long, &mut rest)?,
                None => self.short(&text[1..], &mut rest)?,
            }
        }
        Ok(())
    }

    fn find(&self, is: impl Fn(&Flag) -> bool) -> Option<&'static Flag> {
        self.known.iter().chain([&HELP]).find(|flag| is(flag))
    }

    fn long<'a>(
        &mut self,
        text: &str,
        rest: &mut impl Iterator<Item = &'a OsStr>,
    ) -> Result<(), String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() || name.starts_with('-') {
            return Err(format!("bad flag syntax: --{text}"));
        }
        let flag = self
            .find(|flag| flag.long == name)
            .ok_or_else(|| format!("unknown flag: --{name}"))?;
        let value = match (value, flag.takes) {
            (None, Takes::Text(_)) => {
                Some(next(rest).ok_or_else(|| format!("flag needs an argument: --{name}"))?)
            }
            (value, _) => value,
        };
        self.set(flag, value)
    }

    /// One or several letters; the first that takes a value takes the rest.
    fn short<'a>(
        &mut self,
        text: &str,
        rest: &mut impl Iterator<Item = &'a OsStr>,
    ) -> Result<(), String> {
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            let flag = self
                .find(|flag| flag.short == Some(letter))
                .ok_or_else(|| format!("unknown shorthand flag: '{letter}' in -{text}"))?;
            let glued = letters.as_str();
            if let Some(value) = glued.strip_prefix('=') {
                return self.set(flag, Some(value.to_owned()));
            }
            if matches!(flag.takes, Takes::Text(_)) {
                let missing = || format!("flag needs an argument: '{letter}' in -{text}");
                let value = if glued.is_empty() {
                    next(rest)
                } else {
                    Some(glued.to_owned())
                };
                return self.set(flag, Some(value.ok_or_else(missing)?));
            }
            self.set(flag, None)?;
        }
        Ok(())
    }

    fn set(&mut self, flag: &Flag, value: Option<String>) -> Result<(), String> {
        let on = |value: Option<String>| match value {
            None => Ok(true),
            Some(text) => go_bool(&text).map_err(|_| invalid_bool(flag, &text)),
        };
        match flag.takes {
            Takes::Text(place) => *place(&mut self.parsed) = value.filter(|text| !text.is_empty()),
            Takes::Bool(place) => *place(&mut self.parsed) = Some(on(value)?),
            Takes::Help => self.help = on(value)?,
        }
        Ok(())
    }
}

fn next<'a>(rest: &mut impl Iterator<Item = &'a OsStr>) -> Option<String> {
    rest.next()
        .map(|value| value.to_string_lossy().into_owned())
}

fn invalid_bool(flag: &Flag, text: &str) -> String {
    let name = match flag.short {
        Some(short) => format!("-{short}, --{}", flag.long),
        None => format!("--{}", flag.long),
    };
    format!(
        "invalid argument {text:?} for \"{name}\" flag: strconv.ParseBool: parsing {text:?}: invalid syntax"
    )
}
