//! The sops backend by the program: files beside manifests, keys from everywhere, and each failure by its own name.

use std::os::unix::fs::symlink;

use crate::sops::case;
use crate::support::program::{Program, Run};

const HEAD: &str =
    "# of the shop\nkind: Secret\napiVersion: v1\nmetadata: {name: shop}\nstringData:\n";

/// The program on a manifest with these entries, `secrets/values.enc.yaml` beside it.
fn program(name: &str, entries: &str) -> Program {
    let values = case("yaml-values");
    let args = ["generate", "manifest.yaml"];
    let program = if name == "manifuse" {
        Program::manifuse(args)
    } else {
        Program::avp(args).env("AVP_TYPE", "sops")
    };
    program
        .file("manifest.yaml", format!("{HEAD}{entries}"))
        .file("secrets/values.enc.yaml", &values.encrypted)
        .file("age.agekey", &values.keys[0])
}

fn rendered(run: &Run) -> &str {
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let stdout = std::str::from_utf8(&run.stdout).unwrap();
    stdout.strip_prefix(HEAD).unwrap()
}

/// What a case has besides the usual files.
type Change<'a> = &'a dyn Fn(Program) -> Program;

/// The failure on a reference to `path`, without place and resource.
fn failure(path: &str, change: Change<'_>) -> String {
    let entries = format!("  a: <sops:{path}#user>\n");
    let run = change(program("manifuse", &entries)).env("SOPS_AGE_KEY_FILE", "age.agekey");
    let run = run.run();
    assert!(run.stdout.is_empty());
    run.stderr
}

#[test]
fn values_keep_their_types_and_places() {
    let file = "secrets/values.enc.yaml";
    let entries = format!(
        "  tag: <sops:{file}#image | jsonPath {{.tag}}> # the image\n  url: 'pg://app:<sops:{file}#db | jsonPath {{.password}}>@db'\n  port: <sops:./{file}#db | jsonPath {{.port}}>\n  hosts: <sops:{file}#ingress>\n"
    );
    let run = program("manifuse", &entries)
        .env("SOPS_AGE_KEY_FILE", "age.agekey")
        .run();
    let expected =
        "  tag: \"1.10\" # the image\n  url: 'pg://app:open-sesame@db'\n  port: \"5432\"\n";
    let text = rendered(&run);
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("shop.example"), "{text}");
}

/// The references that the page shows; an exact key at the top wins over a path.
#[test]
fn values_inside_of_others() {
    let page = include_str!("../../docs/backends/sops.md");
    let (_, table) = page.split_once("| reference | is |\n|---|---|\n").unwrap();
    let rows = table.lines().map_while(|line| line.strip_prefix("| `"));
    let references: Vec<&str> = rows.map(|row| row.split('`').next().unwrap()).collect();
    let more = [
        "<sops:shop.enc.yaml#hosts[1]>",
        "<sops:shop.enc.yaml#hosts[-1] | default nothing>",
        "<sops:shop.enc.yaml#hosts[999999999999] | default nothing>",
        "<sops:shop.enc.yaml#hosts.name | default nothing>",
        "<sops:shop.enc.yaml#db.password.x | default nothing>",
        "<sops:shop.enc.yaml#db.password[0] | default nothing>",
    ];
    let references: Vec<&str> = references.into_iter().chain(more).collect();
    let manifest = format!("- {}\n", references.join("\n- "));
    let run = Program::manifuse(["generate", "-"])
        .stdin(format!("kind: X\nlist:\n{manifest}"))
        .file(
            "shop.enc.yaml",
            include_str!("../golden/stream/shop.enc.yaml"),
        )
        .env("SOPS_AGE_KEY_FILE", "age.agekey")
        .file("age.agekey", include_str!("../golden/stream/test.agekey"))
        .run();
    let expected = "kind: X\nlist:\n- open sesame\n- a.example\n- CRT\n- exact\n- {\"name\": \"b.example\"}\n- nothing\n- nothing\n- nothing\n- nothing\n- nothing\n";
    let stdout = String::from_utf8(run.stdout).unwrap();
    assert_eq!((stdout.as_str(), run.stderr.as_str()), (expected, ""));
}

/// As AVP: its type in a variable, keys where SOPS looks for them.
#[test]
fn keys_come_from_everywhere() {
    let entries = "  tag: <path:secrets/values.enc.yaml#image | jsonPath {.tag}>\n";
    let key = &case("yaml-values").keys[0];
    let bare = key.lines().last().unwrap();
    for program in [
        program("avp", entries).env("SOPS_AGE_KEY", bare),
        program("avp", entries).env("SOPS_AGE_KEY_FILE", "age.agekey"),
        program("avp", entries)
            .file("config/sops/age/keys.txt", key)
            .env("HOME", "/nowhere"),
        program("avp", entries).file("home/.config/sops/age/keys.txt", key),
        program("avp", entries)
            .env("SOPS_AGE_KEY", "nonsense")
            .env("SOPS_AGE_KEY_FILE", "age.agekey"),
        program("avp", entries).env("SOPS_AGE_KEY_CMD", "cat 'age.agekey'"),
        program("avp", entries)
            .file("keys/flux.agekey", key)
            .env("MANIFUSE_SOPS_KEYS", "keys"),
    ] {
        let folder = program.folder();
        let program = if folder.join("config").exists() {
            program.env("XDG_CONFIG_HOME", folder.join("config").to_str().unwrap())
        } else if folder.join("home").exists() {
            program.env("HOME", folder.join("home").to_str().unwrap())
        } else {
            program
        };
        assert_eq!(rendered(&program.run()), "  tag: \"1.10\"\n");
    }
}

#[test]
fn ssh_keys_come_from_everywhere() {
    let case = case("age-ssh-ed25519");
    let key = &case.keys[0];
    let program = || {
        program(
            "avp",
            "  tag: <path:ssh.enc.yaml#image | jsonPath {.tag}>\n",
        )
        .file("ssh.enc.yaml", &case.encrypted)
    };
    let at_home = program().file("home/.ssh/id_ed25519", key);
    let home = at_home.folder().join("home");
    for program in [
        program()
            .file("id", key)
            .env("SOPS_AGE_SSH_PRIVATE_KEY_FILE", "id"),
        program()
            .file("id", key)
            .env("SOPS_AGE_SSH_PRIVATE_KEY_CMD", "cat id"),
        at_home.env("HOME", home.to_str().unwrap()),
    ] {
        assert_eq!(rendered(&program.run()), "  tag: \"1.10\"\n");
    }
}

/// Argo CD hands on what the author of an application sets. That may not run programs.
#[test]
fn an_application_cannot_set_commands() {
    for name in ["SOPS_AGE_KEY_CMD", "SOPS_AGE_SSH_PRIVATE_KEY_CMD"] {
        let set = format!("ARGOCD_ENV_{name}");
        let entries = "  a: <path:secrets/values.enc.yaml#image>\n";
        let program = program("avp", entries).env(&set, "touch run");
        let run = program.run();
        assert!(!program.folder().join("run").exists(), "{name}");
        let told = format!("{name} (not run, because an application set it)");
        assert!(run.stderr.contains(&told), "{}", run.stderr);
    }
}

/// What it does is in the keyring's own tests.
#[test]
fn an_order_of_keys_names_each_kind_once() {
    let entries = "  tag: <path:secrets/values.enc.yaml#image | jsonPath {.tag}>\n";
    let program = |order| {
        let program = program("avp", entries).env("SOPS_AGE_KEY_FILE", "age.agekey");
        program.env("SOPS_DECRYPTION_ORDER", order).run()
    };
    assert_eq!(rendered(&program("pgp,age")), "  tag: \"1.10\"\n");
    let run = program("age,pgp,age");
    assert!(run.stdout.is_empty());
    assert!(
        run.stderr.contains("the decryption order names age twice"),
        "{}",
        run.stderr
    );
}

#[test]
fn a_named_instance_has_its_key_beside_its_settings() {
    let settings = "backends:\n  files: {type: sops, ageKeyFile: ../age.agekey}\n";
    let entries = "  tag: <files:secrets/values.enc.yaml#image | jsonPath {.tag}>\n";
    let run = program("manifuse", entries)
        .file("settings/manifuse.yaml", settings)
        .env("MANIFUSE_CONFIG", "settings/manifuse.yaml")
        .run();
    assert_eq!(rendered(&run), "  tag: \"1.10\"\n");
}

/// Readers of what sops decrypts merge `<<`, and so does AVP.
#[test]
fn merge_keys_are_merged() {
    let merge = case("yaml-merge");
    let entries = "  host: <sops:m.yaml#dev | jsonPath {.host}>\n  adapter: <sops:m.yaml#dev | jsonPath {.adapter}>\n";
    let run = program("manifuse", entries)
        .file("m.yaml", merge.encrypted)
        .env("SOPS_AGE_KEY_FILE", "age.agekey")
        .run();
    assert_eq!(rendered(&run), "  host: dev.internal\n  adapter: pg\n");
}

/// A large file takes another road.
#[test]
fn large_files() {
    let large = case("yaml-many-keys");
    let text = large.encrypted.clone() + &"# nothing\n".repeat(30_000);
    let entries = "  a: <sops:large.yaml#k7>\n";
    let run = program("manifuse", entries)
        .file("large.yaml", text)
        .env("SOPS_AGE_KEY_FILE", "age.agekey")
        .run();
    let json = large.json.unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let value = json.as_object().unwrap()["k7"].as_str().unwrap();
    assert_eq!(rendered(&run), format!("  a: {value}\n"));
}

/// What is no YAML is known by its name; a binary file is what its text in JSON says.
#[test]
fn files_in_other_formats() {
    for (name, file, reference, expected) in [
        ("dotenv-simple", "f.env", "USER", "shopkeeper"),
        (
            "ini-simple",
            "f.ini",
            "database | jsonPath {.user}",
            "shopkeeper",
        ),
        ("binary-text", "f.txt", "data", "no newline at the end"),
    ] {
        let case = case(name);
        let run = program("manifuse", &format!("  a: <sops:{file}#{reference}>\n"))
            .file(file, &case.encrypted)
            .file("keys.txt", case.keys.join("\n"))
            .env("SOPS_AGE_KEY_FILE", "keys.txt")
            .run();
        assert_eq!(rendered(&run), format!("  a: {expected}\n"), "{name}");
    }
}

#[test]
fn each_failure_has_its_own_name() {
    let tampered = case("tamper-value-bit").encrypted;
    let moved = case("tamper-elements-swapped").encrypted;
    let good = case("yaml-simple").encrypted;
    let same = |program: Program| program;
    let file = |text: String| move |program: Program| program.file("f.yaml", &text);
    let cases: [(&str, &str, Change<'_>); 11] = [
        ("none.yaml", "Could not find file none.yaml", &same),
        (
            "../none.yaml",
            "the path ../none.yaml leads out of the application's root",
            &same,
        ),
        ("secrets", "could not read secrets", &same),
        ("f.env", "f.env: sops metadata not found", &|program| {
            program.file("f.env", "a=b\n")
        }),
        ("f.yaml", "the file f.yaml is not UTF-8", &|program| {
            program.file("f.yaml", b"a: \xff\n")
        }),
        (
            "f.yaml",
            "f.yaml: sops metadata not found",
            &file("a: b\n".to_owned()),
        ),
        ("f.yaml", "f.yaml:1:4: ", &file("a: [b\n".to_owned())),
        (
            "f.yaml",
            "f.yaml: no key at hand opens this file",
            &|program| {
                let program = program.file("age.agekey", "# no key\n");
                program.file("f.yaml", &good)
            },
        ),
        (
            "f.yaml",
            "f.yaml:1:7: could not decrypt user: message authentication failed",
            &file(tampered),
        ),
        (
            "f.yaml",
            "f.yaml: MAC mismatch: the file's values are not those that were encrypted",
            &file(moved),
        ),
        (
            "link.yaml",
            "the path link.yaml leads out of the application's root",
            &|program| {
                symlink("/etc/hostname", program.folder().join("link.yaml")).unwrap();
                program
            },
        ),
    ];
    for (path, message, change) in cases {
        let stderr = failure(path, change);
        assert!(stderr.contains(message), "{path}: {message}\n{stderr}");
    }
}

#[test]
fn by_avps_name_paths_are_relative_to_the_working_folder() {
    let quickstart = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/quickstart");
    let encrypted = std::fs::read(format!("{quickstart}/secrets.enc.yaml")).unwrap();
    let run = Program::avp(["generate", "k8s"])
        .file(
            "k8s/a.yaml",
            "kind: X\nv: <path:secrets.enc.yaml#db_user>\n",
        )
        .file("secrets.enc.yaml", encrypted)
        .env("AVP_TYPE", "sops")
        .env("SOPS_AGE_KEY_FILE", format!("{quickstart}/age.agekey"))
        .run();
    let came = (String::from_utf8(run.stdout).unwrap(), run.stderr);
    assert_eq!(came, ("kind: X\nv: shop\n".to_owned(), String::new()));
}
