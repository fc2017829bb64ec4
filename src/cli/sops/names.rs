//! sops's own command line, for when the program is called by that name: flags with one dash or two, flags before the
//! command, and the older form in which a flag says what is to be done (`sops -d FILE`).

use std::ffi::{OsStr, OsString};

use clap::{CommandFactory, Parser};

use super::flags::SopsCommand;

/// The name.
pub(in crate::cli) const NAME: &str = "sops";

/// The command line by that name.
#[derive(Debug, Parser)]
#[command(
    name = "sops",
    version = concat!("3.13.2 (manifuse ", env!("CARGO_PKG_VERSION"), ")"),
    about = "Reads and writes encrypted files. This is manifuse by the name of sops",
    term_width = 100
)]
pub(in crate::cli) struct Sops {
    #[command(subcommand)]
    pub(in crate::cli) command: SopsCommand,
}

/// Commands of sops that are not here.
const NOT_HERE: [&str; 3] = ["completion", "keyservice", "publish"];

/// What the flags of the older form mean.
const LEGACY: [(&str, &str); 6] = [
    ("--decrypt", "decrypt"),
    ("-d", "decrypt"),
    ("--encrypt", "encrypt"),
    ("-e", "encrypt"),
    ("--rotate", "rotate"),
    ("-r", "rotate"),
];

/// Puts arguments into the order that clap reads: the command first, then flags with two dashes, then the rest.
pub(in crate::cli) fn arranged(arguments: &[OsString]) -> Vec<OsString> {
    let (name, rest) = match arguments {
        [name, rest @ ..] => (name.clone(), rest),
        [] => (NAME.into(), &[][..]),
    };
    let root = Sops::command();
    let mut flags = Vec::new();
    let mut command = None;
    let mut rest = rest.iter();
    let mut behind = Vec::new();
    let mut set = Vec::new();
    while let Some(argument) = rest.next() {
        let argument = with_two_dashes(argument);
        let legacy = LEGACY.iter().find(|(flag, _)| argument == *flag);
        if let Some((_, meaning)) = legacy {
            command = Some(OsString::from(meaning));
        } else if argument == "--set" {
            command = Some("set".into());
            set = rest
                .next()
                .map(|both| path_and_value(both))
                .unwrap_or_default();
        } else if is_flag(&argument) {
            let takes = takes_value(&root, &argument);
            flags.push(argument);
            if takes {
                flags.extend(rest.next().cloned());
            }
        } else {
            let is_command = command.is_none()
                && (root.find_subcommand(&argument).is_some() || argument == "help");
            if is_command {
                command = Some(argument);
            } else {
                behind.push(argument);
            }
            if command.as_ref().is_some_and(|command| command == "groups") {
                // Flags belong to what is done with them.
                flags.splice(0..0, rest.next().cloned());
            }
            // From here on flags and other words stand as the user wrote them.
            behind.extend(rest.by_ref().map(|argument| with_two_dashes(argument)));
        }
    }
    if let (None, Some((word, next))) = (&command, behind.split_first()) {
        // Nobody edits two files, or a new one of such a name: it is a command, mistyped or not there.
        let has_another = next.first().is_some_and(|next| !is_flag(next));
        let is_command = has_another || NOT_HERE.iter().any(|name| word == name);
        command = Some(if is_command {
            word.clone()
        } else {
            "edit".into()
        });
    }
    [name]
        .into_iter()
        .chain(command)
        .chain(flags)
        .chain(behind)
        .chain(set)
        .collect()
}

fn is_flag(argument: &OsStr) -> bool {
    argument.as_encoded_bytes().starts_with(b"-") && argument != "-"
}

/// What stands in the one argument of the older `--set`.
fn path_and_value(both: &OsStr) -> Vec<OsString> {
    let split = both.to_str().and_then(|both| both.split_once("] "));
    match split {
        Some((path, value)) => vec![format!("{path}]").into(), value.into()],
        None => vec![both.to_owned(), OsString::new()],
    }
}

/// sops takes `-output-type` for `--output-type`.
fn with_two_dashes(argument: &OsStr) -> OsString {
    match argument.to_str() {
        Some(text) if text.len() > 2 && text.starts_with('-') && !text.starts_with("--") => {
            format!("-{text}").into()
        }
        _ => argument.to_owned(),
    }
}

/// Whether the next argument belongs to a flag.
fn takes_value(root: &clap::Command, flag: &OsStr) -> bool {
    let Some(name) = flag.to_str().and_then(|flag| flag.strip_prefix('-')) else {
        return false;
    };
    let is_flag = |known: &&clap::Arg| match name.strip_prefix('-') {
        Some(name) => known.get_long() == Some(name),
        None => known.get_short().is_some() && known.get_short() == name.parse().ok(),
    };
    let all = root
        .get_subcommands()
        .flat_map(clap::Command::get_arguments);
    all.filter(is_flag)
        .any(|known| known.get_action().takes_values() && !known.is_require_equals_set())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_forms_become_commands() {
        for (given, expected) in [
            ("-d f.yaml", "decrypt f.yaml"),
            (
                "--decrypt --output-type json f.yaml",
                "decrypt --output-type json f.yaml",
            ),
            (
                "--output-type json -d f.yaml",
                "decrypt --output-type json f.yaml",
            ),
            (
                "-d --extract [\"d\"] f.yaml",
                "decrypt --extract [\"d\"] f.yaml",
            ),
            (
                "decrypt -output-type=json f.yaml",
                "decrypt --output-type=json f.yaml",
            ),
            (
                "--config c.yaml decrypt -i f.yaml",
                "decrypt --config c.yaml -i f.yaml",
            ),
            ("-e --age age1x f.yaml", "encrypt --age age1x f.yaml"),
            ("filestatus f.yaml", "filestatus f.yaml"),
            ("-d decrypt", "decrypt decrypt"),
            ("decryt f.yaml", "decryt decryt f.yaml"),
            ("publish f.yaml", "publish publish f.yaml"),
            ("keyservice --net tcp", "keyservice keyservice --net tcp"),
            ("f.yaml --age a", "edit f.yaml --age a"),
            ("f.yaml", "edit f.yaml"),
            ("-s --age a f.yaml", "edit -s --age a f.yaml"),
            ("-r -i f.yaml", "rotate -i f.yaml"),
            ("-i --rotate --add-age a f", "rotate -i --add-age a f"),
            ("-p fp -e f", "encrypt -p fp f"),
            ("--config c groups add -f f", "groups add --config c -f f"),
            ("set f.yaml [\"a\"] 1", "set f.yaml [\"a\"] 1"),
            ("exec-env f.env printenv", "exec-env f.env printenv"),
        ] {
            let words = |text: &str| -> Vec<OsString> {
                let words = ["sops"].into_iter().chain(text.split(' '));
                words.map(OsString::from).collect()
            };
            assert_eq!(arranged(&words(given)), words(expected), "{given}");
        }
    }

    #[test]
    fn the_older_set_holds_path_and_value_in_one_argument() {
        for (both, path, value) in [
            ("[\"a\"][0] \"b c\"", "[\"a\"][0]", "\"b c\""),
            ("[\"a\"] [1] ", "[\"a\"]", "[1] "),
            ("[\"a\"]1", "[\"a\"]1", ""),
        ] {
            let given = ["sops", "--ignore-mac", "--set", both, "f.yaml"];
            let expected = ["sops", "set", "--ignore-mac", "f.yaml", path, value];
            assert_eq!(arranged(&given.map(OsString::from)), expected, "{both}");
        }
    }
}
