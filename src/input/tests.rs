//! Walks and readings of real folders.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;
use crate::diagnostics::{Rendering, render};

struct Tree(tempfile::TempDir);

impl Tree {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        for (name, bytes) in files {
            let path = tree.0.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        tree
    }

    fn link(self, name: &str, target: &str) -> Self {
        symlink(target, self.0.path().join(name)).unwrap();
        self
    }

    fn read_all(&self, paths: &[&str], stdin: &[u8], limit: u64) -> Result<Inputs, Failure> {
        let paths: Vec<OsString> = paths.iter().map(OsString::from).collect();
        let selection = Selection {
            folder: self.0.path(),
            paths: &paths,
            stdin_name: "<stdin>",
            limit,
            allow_empty: false,
        };
        read(selection, &mut &stdin[..])
    }

    fn read(&self, path: &str) -> Result<Inputs, Failure> {
        self.read_all(&[path], b"", DEFAULT_LIMIT)
    }

    fn names(&self, path: &str) -> Vec<String> {
        let inputs = self.read(path).unwrap();
        inputs.sources.iter().map(|s| s.name().to_owned()).collect()
    }

    /// The lead and the rendered failures.
    fn failure(&self, path: &str) -> String {
        failure(&self.read(path).unwrap_err())
    }
}

fn failure(failure: &Failure) -> String {
    let lead = failure
        .lead
        .map_or(String::new(), |lead| format!("{lead}\n"));
    lead + &render(&failure.diagnostics, Rendering::PLAIN)
}

#[test]
fn walks_in_avps_order_with_avps_names() {
    let tree = Tree::new(&[
        ("d/.hid/h.yaml", b"1"),
        ("d/.dot.yaml", b"1"),
        ("d/.yaml", b"1"),
        ("d/B.yaml", b"1"),
        ("d/a.d/q.yaml", b"1"),
        ("d/a.yaml", b"1"),
        ("d/b/x.yml", b"1"),
        ("d/c.json", b"1"),
        ("d/A.YAML", b"1"),
        ("d/n.json.txt", b"1"),
        ("d/z.yaml/m.yaml", b"1"),
    ]);
    let order = [
        ".dot.yaml",
        ".hid/h.yaml",
        ".yaml",
        "B.yaml",
        "a.d/q.yaml",
        "a.yaml",
        "b/x.yml",
        "c.json",
        "z.yaml/m.yaml",
    ];
    assert_eq!(tree.names("d"), order.map(|name| format!("d/{name}")));
    assert_eq!(tree.names("./d/"), order.map(|name| format!("d/{name}")));
    assert_eq!(tree.names("d/a.yaml"), ["d/a.yaml"]);
    assert_eq!(tree.names(".").len(), order.len());
    assert_eq!(tree.names("d/../d/b"), ["d/../d/b/x.yml"]);
}

#[test]
fn several_paths_keep_their_order_and_stdin_its_place() {
    let tree = Tree::new(&[("b.yaml", b"b"), ("a.yaml", b"a")]);
    let inputs = tree
        .read_all(&["b.yaml", "-", "a.yaml"], b"from stdin", DEFAULT_LIMIT)
        .unwrap();
    let read: Vec<_> = inputs
        .sources
        .iter()
        .map(|s| (s.name(), s.text()))
        .collect();
    assert_eq!(
        read,
        [("b.yaml", "b"), ("<stdin>", "from stdin"), ("a.yaml", "a")]
    );
}

#[test]
fn links_to_files_are_read_and_links_out_are_told() {
    let tree = Tree::new(&[
        ("out/real.yaml", b"r"),
        ("d/a.yaml", b"a"),
        ("out/f/x.yaml", b"x"),
    ])
    .link("d/in.yaml", "a.yaml")
    .link("d/l.yaml", "../out/real.yaml")
    .link("d/folder", "../out/f")
    .link("d/loop", ".");
    assert_eq!(tree.names("d"), ["d/a.yaml", "d/in.yaml", "d/l.yaml"]);
    let warnings = tree.read("d").unwrap().warnings;
    assert_eq!(
        render(&warnings, Rendering::PLAIN),
        "warning[linked-file]: d/l.yaml is a link to a file outside the rendered folder\n"
    );
}

#[test]
fn broken_links_and_folders_behind_links_are_told_together() {
    let tree = Tree::new(&[("out/f/x.yaml", b"x"), ("d/a.yaml", b"a")])
        .link("d/b.yaml", "nowhere.yaml")
        .link("d/c.yaml", "../out/f")
        .link("d/e.yaml", "e.yaml")
        .link("d/f.yaml", "/dev/null");
    let text = tree.failure("d");
    let expected = "could not read YAML/JSON files:\n\
        error: could not read file: d/b.yaml from disk\n  = cause: no such file or directory\n\
        error: could not read file: d/c.yaml from disk\n  = cause: is a directory\n\
        error: could not read file: d/e.yaml from disk\n  = cause: too many levels of symbolic links\n\
        error: could not read file: d/f.yaml from disk\n  = cause: not a regular file\n";
    assert_eq!(text, expected);
}

#[test]
fn nothing_found_says_why() {
    let tree = Tree::new(&[("d/x.txt", b""), ("f.yaml.tpl", b""), ("real/a.yaml", b"a")])
        .link("root", "real");
    assert_eq!(
        tree.failure("d/"),
        "error: no YAML or JSON files were found in d/\n  \
           = help: files are taken whose names end in .yaml, .yml or .json\n"
    );
    assert_eq!(
        tree.failure("f.yaml.tpl"),
        "error: no YAML or JSON files were found in f.yaml.tpl\n  \
           = help: files are taken whose names end in .yaml, .yml or .json\n"
    );
    assert_eq!(
        tree.failure("nosuch"),
        "error: there is no file or folder \"nosuch\"\n"
    );
    assert_eq!(
        tree.failure("nosuch.yaml"),
        "could not read YAML/JSON files:\nerror: there is no file or folder \"nosuch.yaml\"\n"
    );
    assert_eq!(
        tree.failure("root"),
        "error: no YAML or JSON files were found in root\n  \
           = help: root is a link; root/ looks into the folder behind it\n"
    );
    assert_eq!(tree.names("root/"), ["root/a.yaml"]);
    assert_eq!(tree.failure(""), "error: there is no file or folder \"\"\n");
}

#[test]
fn text_that_is_not_utf8_is_told_with_its_place() {
    let tree = Tree::new(&[
        ("d/1.yaml", b"kind: X\nv: \xc3\xa9\xff<path"),
        ("d/2.yaml", b"kind: X\n"),
        ("d/3.yaml", b"\xff\xfek\0i\0"),
    ]);
    assert_eq!(
        tree.failure("d"),
        "could not read YAML/JSON files:\n\
         error: this is not UTF-8 text\n --> d/1.yaml:2:5\n  = help: save the file as UTF-8\n\
         error: this is not UTF-8 text\n --> d/3.yaml:1:1\n  \
           = help: it looks like UTF-16; save the file as UTF-8\n"
    );
}

#[test]
fn the_limit_counts_all_inputs() {
    let tree = Tree::new(&[
        ("a.yaml", b"12345"),
        ("b.yaml", b"12345"),
        ("c.yaml", b"12345"),
    ]);
    assert!(tree.read_all(&["."], b"", 15).is_ok());
    let text = failure(&tree.read_all(&["."], b"", 9).unwrap_err());
    assert_eq!(
        text,
        "error: all inputs up to b.yaml have more than 9 bytes\n  \
           = help: --input-limit sets how many bytes are read, e.g. --input-limit 4GiB\n"
    );
    let text = failure(&tree.read_all(&["-"], b"123", 2).unwrap_err());
    assert!(
        text.starts_with("error: all inputs up to <stdin> have more than 2 bytes\n"),
        "{text}"
    );
}

#[test]
fn empty_stdin_is_an_error_unless_allowed() {
    let tree = Tree::new(&[]);
    for stdin in [&b""[..], b" \n\t\r\n"] {
        let text = failure(&tree.read_all(&["-"], stdin, 99).unwrap_err());
        assert_eq!(
            text,
            "error: standard input is empty\n  = help: the command before the pipe may have failed; \
             if nothing is right, say --allow-empty\n"
        );
        let selection = Selection {
            folder: tree.0.path(),
            paths: &["-".into()],
            stdin_name: "<stdin>",
            limit: 99,
            allow_empty: true,
        };
        assert_eq!(read(selection, &mut &*stdin).unwrap().sources.len(), 1);
    }
}

#[test]
fn our_files_and_encrypted_data_in_folders_are_passed_over() {
    let sops = b"db: ENC[AES256_GCM,data:eA==]\nsops:\n    mac: x\n";
    let tree = Tree::new(&[
        ("d/a.yaml", b"kind: X\n"),
        ("d/.sops.yaml", b"creation_rules: []\n"),
        ("d/secrets.enc.yaml", sops),
    ]);
    let inputs = tree.read("d").unwrap();
    assert_eq!(inputs.passed_over, ["d/.sops.yaml", "d/secrets.enc.yaml"]);
    assert_eq!(inputs.sources.len(), 1);
    assert_eq!(tree.names("d/secrets.enc.yaml"), ["d/secrets.enc.yaml"]);
}

#[test]
fn a_failing_stdin_is_told() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
        }
    }
    let selection = Selection {
        folder: Path::new("."),
        paths: &["-".into()],
        stdin_name: "<stdin>",
        limit: 9,
        allow_empty: false,
    };
    assert_eq!(
        failure(&read(selection, &mut Broken).unwrap_err()),
        "error: could not read standard input\n  = cause: connection reset\n"
    );
}

#[test]
fn unreadable_files_fail_and_unreadable_folders_are_told() {
    let tree = Tree::new(&[("d/a.yaml", b"a"), ("d/locked/b.yaml", b"b")]);
    let locked = tree.0.path().join("d/locked");
    let mode = |bits| fs::set_permissions(&locked, fs::Permissions::from_mode(bits)).unwrap();
    mode(0o000);
    // An administrator may read everything; then there is nothing to tell.
    let readable = fs::read_dir(&locked).is_ok();
    let inputs = tree.read("d").unwrap();
    mode(0o755);
    let told = render(&inputs.warnings, Rendering::PLAIN);
    let expected = "warning[unreadable-folder]: the folder d/locked could not be read and is left out: permission denied\n";
    assert_eq!(told, if readable { "" } else { expected });
    assert_eq!(inputs.sources.len(), if readable { 2 } else { 1 });
}
