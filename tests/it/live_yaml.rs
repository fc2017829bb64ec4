//! The public YAML test suite through the program, each case as the content of a manifest.
//!
//! Without references a text must come out byte for byte, or as a clear error. With a placeholder in each string, the
//! output must read as the tree with the strings replaced, by two readers that are not ours. Never a panic.

use std::fs;

use libyaml_safer::{EventData, Parser, ScalarStyle};

use crate::support::fake_vault::{self, Table};
use crate::support::live;
use crate::support::program::{Program, Run};
use crate::support::server::Server;
use crate::support::tree::{Tree, differences};
use crate::support::{core_yaml, kube_yaml};

/// What a placeholder may become: strings that trip writers, the first of them harmless.
const VALUES: &[&str] = &[
    "word",
    "yes",
    "two\nlines\n",
    "it's \"q\": #no, [x] {y} & *z !t | > % @ `",
    " space around ",
    "",
    "\t0o17\u{85}\u{2028}\u{1f600}",
];

/// How documents of the suite become the content of a manifest; the second form makes the program parse it.
const HEADS: [&str; 2] = [
    "kind: X\ndoc:\n",
    "kind: X\nmetadata: {annotations: {avp.kubernetes.io/ignore: 'false'}}\ndoc:\n",
];

#[test]
#[ignore = "needs the suite's data, which tests/live/run names"]
fn texts_without_references_come_out_as_they_are() {
    let (mut complaints, mut same) = (Vec::new(), 0);
    for case in suite() {
        let wrapped = HEADS.iter().map(|head| wrap(head, &case.text));
        for text in wrapped.chain([case.text.clone()]) {
            let run = Program::manifuse(["generate", "-"])
                .env("AVP_TYPE", "vault")
                .env("AVP_AUTH_TYPE", "token")
                .env("VAULT_TOKEN", "t")
                .stdin(text.clone())
                .run();
            same += usize::from(run.code == Some(0));
            complaints.extend(
                unsound(&case.id, &run, &text).map(|what| format!("{}: {what}\n{text}", case.id)),
            );
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    assert!(same > 450, "only {same} texts came out");
}

/// No YAML, but Go's reader takes it (wrong indentation, a comment without a blank before it, `[-]`): an error is right.
const LAX: &[&str] = &["S98Z/0", "SU5Z/0", "X4QW/0", "Y79Y/3", "YJV2/0"];

/// Neither the text as it is nor a clear error; and an error only for what Kubernetes does not read as a manifest.
fn unsound(id: &str, run: &Run, text: &str) -> Option<String> {
    match run.code {
        Some(0) if run.stdout == text.as_bytes() => None,
        Some(0) => Some(format!(
            "changed to\n{}",
            String::from_utf8_lossy(&run.stdout)
        )),
        Some(1) if !run.stdout.is_empty() || run.stderr.trim().is_empty() => {
            Some("no clear error".to_owned())
        }
        Some(1) if is_manifest(text) && !LAX.contains(&id) => {
            Some(format!("refused: {}", run.stderr))
        }
        Some(1) => None,
        code => Some(format!("exit code {code:?}, stderr {}", run.stderr)),
    }
}

/// Whether Kubernetes reads it as at least one object, and all of it as objects.
fn is_manifest(text: &str) -> bool {
    let is_object = |document: &Tree| match document {
        Tree::Map(map) => matches!(map.get("kind"), Some(Tree::String(_))),
        _ => false,
    };
    kube_yaml::documents(text.as_bytes())
        .is_ok_and(|documents| !documents.is_empty() && documents.iter().all(is_object))
}

#[test]
#[ignore = "needs the suite's data, which tests/live/run names"]
fn placeholders_become_values() {
    let server = fake_vault::start(secret());
    let (mut complaints, mut rendered) = (Vec::new(), 0);
    for case in suite() {
        let text = wrap(HEADS[0], &case.text);
        for first in 0..VALUES.len() {
            let Some(manifest) = with_placeholders(&text, first) else {
                continue;
            };
            let Ok(before) = kube_yaml::documents(manifest.as_bytes()) else {
                continue;
            };
            let run = render(&server, &manifest);
            rendered += usize::from(run.code == Some(0));
            if run.code == Some(1) && LAX.contains(&case.id.as_str()) {
                continue;
            }
            let wrong = misread(&manifest, &before, &run);
            complaints.extend(wrong.map(|what| format!("{}: {what}\nfrom\n{manifest}", case.id)));
        }
    }
    assert!(
        complaints.is_empty(),
        "{} complaints\n{}",
        complaints.len(),
        complaints.join("\n\n")
    );
    assert!(rendered > 1000, "only {rendered} texts were rendered");
}

fn render(server: &Server, manifest: &str) -> Run {
    Program::manifuse(["generate", "-"])
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_TOKEN", "t")
        .env("VAULT_ADDR", server.url())
        .stdin(manifest)
        .run()
}

/// What the readers say against the output of a manifest that Kubernetes can read.
fn misread(manifest: &str, before: &[Tree], run: &Run) -> Option<String> {
    let output = String::from_utf8_lossy(&run.stdout);
    if run.code != Some(0) {
        return Some(format!("exit code {:?}, {}", run.code, run.stderr));
    }
    let after = match kube_yaml::documents(&run.stdout) {
        Ok(after) => after,
        Err(error) => return Some(format!("cannot be read: {error}\n{output}")),
    };
    let mut lines = differences(&replaced(before), &Tree::List(after));
    if let Ok(before) = core_yaml::documents(manifest.as_bytes()) {
        match core_yaml::documents(&run.stdout) {
            Ok(after) => lines.extend(differences(&replaced(&before), &Tree::List(after))),
            Err(error) => lines.push(format!("cannot be read as YAML 1.2: {error}")),
        }
    }
    (!lines.is_empty()).then(|| format!("{}\nin\n{output}", lines.join("\n")))
}

struct Case {
    id: String,
    text: String,
}

/// The cases of all files; the suite writes blanks and line ends as visible marks.
fn suite() -> Vec<Case> {
    let folder = live::variable("LIVE_YAML_SUITE");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut cases = Vec::new();
    for file in &files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let Tree::List(list) = kube_yaml::document(&fs::read(file).unwrap()).unwrap() else {
            panic!("{name} holds no list");
        };
        for (index, case) in list.iter().enumerate() {
            if let Tree::Map(case) = case
                && let Some(Tree::String(yaml)) = case.get("yaml")
            {
                cases.push(Case {
                    id: format!("{name}/{index}"),
                    text: unmarked(yaml),
                });
            }
        }
    }
    assert!(cases.len() > 390, "only {} cases", cases.len());
    cases
}

fn unmarked(yaml: &str) -> String {
    let mut text = yaml.replace('␣', " ").replace('»', "\t").replace('↵', "");
    text = text
        .replace('—', "")
        .replace('←', "\r")
        .replace('⇔', "\u{feff}");
    match text.split_once('∎') {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// The text as the content of `doc`, two columns further in.
fn wrap(head: &str, text: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| match line {
        "\n" => line.to_owned(),
        line => format!("  {line}"),
    });
    head.to_owned() + &lines.collect::<String>()
}

/// The manifest with a placeholder at the start of each scalar below `doc` but keys, by libyaml's marks.
fn with_placeholders(text: &str, first: usize) -> Option<String> {
    let starts = scalar_starts(text)?;
    let mut manifest = String::new();
    let mut done = 0;
    for (index, (start, end)) in starts.iter().enumerate() {
        manifest.push_str(&text[done..*start]);
        manifest.push_str(&placeholder(first + index));
        done = *end;
    }
    manifest.push_str(&text[done..]);
    (!starts.is_empty()).then_some(manifest)
}

fn placeholder(index: usize) -> String {
    format!("<path:secret/data/s#k{}>", index % VALUES.len())
}

/// Where placeholders go: the bytes they take the place of. `None` when libyaml cannot read the text.
fn scalar_starts(text: &str) -> Option<Vec<(usize, usize)>> {
    // libyaml-safer panics where a line end is missing, and on some tags.
    let text_with_end = format!("{text}\n");
    std::panic::catch_unwind(|| places(text, &text_with_end)).ok()?
}

fn places(text: &str, text_with_end: &str) -> Option<Vec<(usize, usize)>> {
    let mut input = text_with_end.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut places = Vec::new();
    // For each open collection: whether it is a mapping, and whether its next node is a key.
    let mut open: Vec<(bool, bool)> = Vec::new();
    loop {
        let event = parser.parse().ok()?;
        let is_key = open.last().is_some_and(|(map, key)| *map && *key);
        if let EventData::Scalar { style, .. } = &event.data
            && !is_key
        {
            let range = (
                byte(text, event.start_mark.index),
                byte(text, event.end_mark.index),
            );
            places.extend(place(text, *style, range));
        }
        match event.data {
            EventData::StreamEnd => break,
            EventData::SequenceStart { .. } => open.push((false, false)),
            EventData::MappingStart { .. } => open.push((true, true)),
            EventData::SequenceEnd | EventData::MappingEnd => {
                open.pop();
                turn(&mut open);
            }
            EventData::Scalar { .. } | EventData::Alias { .. } => turn(&mut open),
            _ => {}
        }
    }
    let content = text.find("\ndoc:").map_or(0, |position| position + 1);
    places.retain(|(start, _)| *start > content);
    Some(places)
}

/// After a key its value, after a value the next key.
fn turn(open: &mut [(bool, bool)]) {
    if let Some((true, key)) = open.last_mut() {
        *key = !*key;
    }
}

/// libyaml counts characters.
fn byte(text: &str, characters: u64) -> usize {
    let characters = usize::try_from(characters).unwrap();
    text.char_indices()
        .nth(characters)
        .map_or(text.len(), |(position, _)| position)
}

/// A plain scalar is replaced; of others the placeholder becomes the beginning.
fn place(text: &str, style: ScalarStyle, (start, end): (usize, usize)) -> Option<(usize, usize)> {
    match style {
        ScalarStyle::Plain => (start < end).then_some((start, end)),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Some((start + 1, start + 1)),
        _ => {
            let header = text[start..end].find('\n')? + start + 1;
            let content = text[header..end].find(|char: char| !char.is_whitespace())? + header;
            Some((content, content))
        }
    }
}

/// The documents with the values in the places where values go: not in keys, and not in lists in lists.
fn replaced(documents: &[Tree]) -> Tree {
    Tree::List(documents.iter().map(replaced_in).collect())
}

fn replaced_in(tree: &Tree) -> Tree {
    match tree {
        Tree::String(text) => Tree::String(filled(text)),
        Tree::Map(entries) => Tree::Map(
            entries
                .iter()
                .map(|(key, item)| (key.clone(), replaced_in(item)))
                .collect(),
        ),
        Tree::List(items) => Tree::List(
            items
                .iter()
                .map(|item| {
                    if matches!(item, Tree::List(_)) {
                        item.clone()
                    } else {
                        replaced_in(item)
                    }
                })
                .collect(),
        ),
        other => other.clone(),
    }
}

fn filled(text: &str) -> String {
    (0..VALUES.len()).fold(text.to_owned(), |text, index| {
        text.replace(&placeholder(index), VALUES[index])
    })
}

fn secret() -> Table {
    let data: serde_json::Map<String, serde_json::Value> = VALUES
        .iter()
        .enumerate()
        .map(|(index, value)| (format!("k{index}"), (*value).into()))
        .collect();
    let mut table = Table::default();
    table.push("secret/data/s");
    table.last().body = serde_json::json!({"data": {"data": data, "metadata": {"version": 1}}})
        .to_string()
        .into_bytes();
    table
}
