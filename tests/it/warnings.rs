//! `docs/warnings.md` lists every warning of the table, and each of its examples gives the line shown.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use manifuse::diagnostics::{Level, WARNINGS};

use crate::support::program::{Program, Run};

const PAGE: &str = include_str!("../../docs/warnings.md");
const SETTINGS: &str = "backends:\n  ci: {type: env, prefix: APP_}\n";

/// A run with the backend of the page's examples.
fn run(warn: &str, prepare: impl FnOnce(Program) -> Program, path: &str) -> Run {
    let program = Program::manifuse(["generate", "-c", "manifuse.yaml", "--warn", warn, path])
        .env("APP_USER", "alice")
        .env("APP_PORT", "8080")
        .env("APP_CUT", "aGVsbG8=!!")
        .file("manifuse.yaml", SETTINGS);
    prepare(program).run()
}

/// The sections of the page by their titles.
fn sections() -> BTreeMap<&'static str, &'static str> {
    let sections = PAGE.split("\n## ").skip(1);
    sections
        .filter_map(|section| section.split_once('\n'))
        .collect()
}

/// The text of a fenced block.
fn block<'t>(section: &'t str, kind: &str) -> &'t str {
    let fence = format!("```{kind}\n");
    let (_, rest) = section
        .split_once(&fence)
        .unwrap_or_else(|| panic!("no {kind} in {section}"));
    rest.split_once("```").unwrap().0
}

fn linked(program: Program) -> Program {
    let program = program
        .file("shop.yaml", "kind: X\n")
        .file("k8s/web.yaml", "kind: X\n");
    symlink("../shop.yaml", program.folder().join("k8s/shop.yaml")).unwrap();
    program
}

fn locked(program: Program) -> Program {
    let program = program
        .file("k8s/private/a.yaml", "kind: X\n")
        .file("k8s/web.yaml", "kind: X\n");
    let folder = program.folder().join("k8s/private");
    fs::set_permissions(folder, fs::Permissions::from_mode(0o000)).unwrap();
    program
}

fn ignored(program: Program) -> Program {
    program
        .file("app.yaml", "kind: X\n")
        .env("AVP_TYPE", "sops")
        .env("ARGOCD_ENV_AZURE_CLIENT_CERTIFICATE_PASSWORD", "CANARY")
        .env("ARGOCD_ENV_VAULT_TOKN", "CANARY")
        .env("MANIFUSE_TIMEOT", "5s")
}

fn odd(program: Program) -> Program {
    program
        .file("app.yaml", "kind: X\n")
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "userpass")
        .env("AVP_USERNAME", "shop")
        .env("AVP_PASSWORD", "CANARY\n")
}

/// Runs a section's example at this level.
fn example(name: &str, level: &str, section: &str) -> Run {
    let warn = format!("all=off,{name}={level}");
    match name {
        "linked-file" => run(&warn, linked, "k8s"),
        "unreadable-folder" => run(&warn, locked, "k8s"),
        "ignored-setting" => run(&warn, ignored, "app.yaml"),
        "odd-setting" => run(&warn, odd, "app.yaml"),
        "policy" => run(
            &warn,
            |program| {
                program
                    .file("app.yaml", block(section, "yaml warned"))
                    .file("manifuse.yaml", block(section, "yaml"))
            },
            "app.yaml",
        ),
        _ => run(
            &warn,
            |program| program.file("app.yaml", block(section, "yaml warned")),
            "app.yaml",
        ),
    }
}

#[test]
fn the_page_lists_the_table() {
    let rows = WARNINGS.iter().map(|(_, name, level, about)| {
        let off = if *level == Level::Off {
            " (off by default)"
        } else {
            ""
        };
        format!("| [`{name}`](#{name}) | {about}{off} |")
    });
    let listed: Vec<_> = PAGE
        .lines()
        .filter(|line| line.starts_with("| [`"))
        .collect();
    assert_eq!(listed, rows.collect::<Vec<_>>());
    let names: Vec<_> = WARNINGS.iter().map(|(_, name, ..)| *name).collect();
    assert_eq!(sections().keys().copied().collect::<Vec<_>>(), names);
}

#[test]
fn each_example_gives_the_line_shown() {
    for (name, section) in sections() {
        let shown = block(section, "text");
        if name == "unreadable-folder" && can_read_everything() {
            continue;
        }
        let on = example(name, "on", section);
        assert_eq!((on.code, on.stderr.as_str()), (Some(0), shown), "{name}");
        assert!(
            shown
                .lines()
                .all(|line| line.starts_with(&format!("warning[{name}]: "))),
            "{shown}"
        );
        let off = example(name, "off", section);
        assert_eq!((off.code, off.stderr.as_str()), (Some(0), ""), "{name}");
        assert_eq!(off.stdout, on.stdout, "{name}");
        let failed = example(name, "error", section);
        assert_eq!((failed.code, failed.stdout.len()), (Some(1), 0), "{name}");
        assert!(
            failed.stderr.starts_with(&format!("error[{name}]: ")),
            "{}",
            failed.stderr
        );
    }
}

/// Whether permissions mean nothing to us, as for root.
fn can_read_everything() -> bool {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o000)).unwrap();
    fs::read_dir(folder.path()).is_ok()
}

#[test]
fn by_default_all_but_one_are_told() {
    for (name, section) in sections() {
        let manifest = match name {
            "linked-file" | "unreadable-folder" | "ignored-setting" | "odd-setting" | "policy" => {
                continue;
            }
            _ => block(section, "yaml warned"),
        };
        let told = run(
            "list-items=on",
            |program| program.file("app.yaml", manifest),
            "app.yaml",
        )
        .stderr;
        assert_eq!(
            told.contains(&format!("warning[{name}]: ")),
            name != "secret-in-metadata",
            "{told}"
        );
    }
}

#[test]
fn where_there_is_nothing_to_say_nothing_is_said() {
    let manifest = "\
kind: ConfigMap
metadata:
  annotations: {checksum: <path:APP_#USER | sha256sum>}
data:
  port: <path:APP_#PORT | jsonParse>
  block: |
    <path:APP_#PORT | jsonParse>
  html: <b>a</b> <https://example.org> <!-- a #b --> # <path:a#b>
  routes: /static/<path:name>
  links: <file:///etc/hosts#x> <path>
  types: Map<String, List<path>> <env:X> <T:From<u8>>
  open: a < b, x <path
  list: [[<b>]]
... # the end
---
kind: X
metadata: {annotations: {avp.kubernetes.io/ignore: 'true'}}
a: 1
a: 2
...
text: behind
---
kind: List
items:
  - {kind: Secret, metadata: {annotations: {a: b}}, data: {a: YWxpY2U=}}
";
    let told = run(
        "all=on",
        |program| program.file("app.yaml", manifest),
        "app.yaml",
    );
    assert_eq!((told.code, told.stderr.as_str()), (Some(0), ""));
}

#[test]
fn the_flag_may_stand_several_times_and_goes_on_where_the_variable_ends() {
    let manifest = "kind: X\na: 1\na: 2\nb: <cii:APP_#USER>\n";
    for (variable, flags, told) in [
        ("", &["all=off"][..], &[][..]),
        (
            "",
            &["all=off", "duplicate-key=on"],
            &["warning[duplicate-key]"],
        ),
        (
            "all=off",
            &["misspelt-backend=on"],
            &["warning[misspelt-backend]"],
        ),
        (
            "duplicate-key=off",
            &["all=error", "misspelt-backend=off"],
            &["error[duplicate-key]"],
        ),
    ] {
        let flags = flags.iter().flat_map(|flag| ["--warn", flag]);
        let arguments = ["generate", "-c", "manifuse.yaml", "app.yaml"];
        let run = Program::manifuse(arguments.into_iter().chain(flags))
            .file("manifuse.yaml", SETTINGS)
            .file("app.yaml", manifest)
            .env("MANIFUSE_WARN", variable)
            .run();
        let heads = run
            .stderr
            .lines()
            .filter_map(|line| line.split(": ").next());
        let heads: Vec<_> = heads.filter(|head| head.contains('[')).collect();
        assert_eq!(heads, told, "{variable} {}", run.stderr);
    }
}

#[test]
fn items_of_any_list_are_told() {
    for (kind, item) in [
        ("List", "kind: Secret, "),
        ("SecretList", ""),
        ("ConfigMapList", "kind: Secret, "),
    ] {
        let manifest =
            format!("kind: {kind}\nitems:\n  - {{{item}data: {{a: PHBhdGg6QVBQXyNVU0VSPg==}}}}\n");
        let told = run(
            "all=on",
            |program| program.file("app.yaml", manifest),
            "app.yaml",
        )
        .stderr;
        assert!(
            told.starts_with("warning[list-items]: app.yaml:3:"),
            "{kind}: {told}"
        );
    }
}

#[test]
fn a_wrong_name_is_told_with_a_near_one() {
    let told = run("list-item=off", |program| program, "app.yaml");
    assert_eq!(told.code, Some(2));
    assert!(
        told.stderr
            .contains("there is no warning list-item; did you mean list-items?"),
        "{}",
        told.stderr
    );
}

#[test]
fn a_warning_that_fails_the_run_fetches_nothing() {
    let manifest = "kind: X\na: 1\na: <path:APP_#NOBODY>\n";
    let told = run(
        "duplicate-key=error",
        |program| program.file("app.yaml", manifest),
        "app.yaml",
    );
    assert_eq!(
        told.stderr,
        "error[duplicate-key]: the same key twice: the last one counts\n --> app.yaml:3:1\n"
    );
}

#[test]
fn twenty_thousand_warnings_are_readable() {
    let manifest = "kind: X\na: 1\na: 2\nb: <path:APP_#USER>\n---\n".repeat(20_000);
    let told = run(
        "all=on",
        |program| program.file("app.yaml", manifest),
        "app.yaml",
    )
    .stderr;
    assert_eq!(told.lines().count(), 11, "{told}");
    assert!(
        told.ends_with(
            "warning[duplicate-key]: and 19990 more (help: --error-format json tells all of them)\n"
        ),
        "{told}"
    );
}

#[test]
fn a_line_end_is_told_where_the_login_sends_it() {
    let tail = "ends in a line end, which is sent with it (help: store it without)\n";
    let password = "AVP_PASSWORD: \"CANARY\\n\"\n";
    let named = "backends: {a: {type: vault, auth: {type: approle, roleId: \"CANARY\\n\", secretId: CANARY}}}\n";
    let login = |kind| format!("AVP_TYPE: vault\nAVP_AUTH_TYPE: {kind}\nVAULT_TOKEN: CANARY\n");
    for (file, variable, told) in [
        (
            login("userpass") + password,
            ("AVP_USERNAME", "shop\n"),
            vec![
                "the environment variable AVP_USERNAME",
                "AVP_PASSWORD in c.yaml",
            ],
        ),
        (
            login("token") + password,
            ("AVP_ROLE_ID", "CANARY\n"),
            vec![],
        ),
        (
            named.to_owned(),
            ("AVP_SECRET_ID", "CANARY\n"),
            vec!["c.yaml:1:51: backends.a.auth.roleId in c.yaml"],
        ),
        ("AVP_TYPE: sops\n".to_owned() + password, ("A", ""), vec![]),
        (
            login("jwt"),
            ("AVP_JWT", "CANARY\r\n"),
            vec!["the environment variable AVP_JWT"],
        ),
        (login("jwt"), ("AVP_JWT_PATH", "file\n"), vec![]),
    ] {
        let run = Program::manifuse(["generate", "-c", "c.yaml", "-"])
            .file("c.yaml", file)
            .env(variable.0, variable.1)
            .stdin("kind: X\n")
            .run();
        let told = told
            .iter()
            .map(|who| format!("warning[odd-setting]: {who} {tail}"));
        assert_eq!((run.code, run.stderr), (Some(0), told.collect::<String>()));
    }
    let run = Program::manifuse(["generate", "-"])
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_TOKEN", "CANARY\n")
        .stdin("kind: X\n")
        .run();
    assert_eq!(run.code, Some(2));
    assert!(
        !run.stderr.contains("odd-setting"),
        "refused: {}",
        run.stderr
    );
}

/// A backend of the settings goes by its own name: its type is another one, which has none of its settings.
#[test]
fn a_type_in_place_of_a_backend_is_told() {
    let run = |settings: &str| {
        Program::manifuse(["generate", "-c", "manifuse.yaml", "-"])
            .file("manifuse.yaml", settings)
            .file("a/.gpg-id", "")
            .env("PASSWORD_STORE_DIR", "a")
            .stdin("kind: X\na: <pass:b#password>\n")
            .run()
    };
    let told = run("backends:\n  team: {type: pass, store: a}\n");
    assert_eq!(told.code, Some(1), "{}", told.stderr);
    let warning = "warning[odd-setting]: manifuse.yaml:2:16: <pass:…> is set by variables alone, and has nothing of the backend team (help: that one is <team:…>, or <path:…> with defaultBackend: team)\n";
    assert!(told.stderr.contains(warning), "{}", told.stderr);
    for meant in [
        "backends:\n  pass: {type: pass, store: a}\n",
        "defaultBackend: pass\nbackends:\n  team: {type: pass, store: a}\n",
    ] {
        let run = run(meant);
        assert!(!run.stderr.contains("odd-setting"), "{}", run.stderr);
    }
}
