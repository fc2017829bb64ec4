//! What `examples/` and the README show is what the program does.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::fake_vault::{self, Table};
use crate::support::kube_yaml;
use crate::support::program::{Program, Run};
use crate::support::tree::Tree;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn quickstart() -> Run {
    Program::manifuse(["generate", "examples/quickstart"]).run_in(root())
}

/// The manifests of a folder, in the order of a render.
fn manifests(folder: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(root().join(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .filter(|path| {
            let name = path.file_name().unwrap();
            name != "manifuse.yaml" && name != "secrets.enc.yaml"
        })
        .collect();
    files.sort();
    files
}

/// The text of the fenced block behind a marker.
fn shown(page: &str, marker: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("<!-- {marker} -->"))
        .unwrap_or_else(|| panic!("no marker {marker:?}"));
    let (_, block) = rest.split_once("```yaml\n").unwrap();
    block.split_once("```").unwrap().0.to_owned()
}

#[test]
fn the_readme_shows_the_quickstart_and_its_real_output() {
    let page = fs::read_to_string(root().join("README.md")).unwrap();
    let input: Vec<String> = manifests("examples/quickstart")
        .iter()
        .map(|file| fs::read_to_string(file).unwrap())
        .collect();
    assert_eq!(shown(&page, "input"), input.join("---\n"));
    let run = quickstart();
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(
        shown(&page, "output"),
        String::from_utf8(run.stdout).unwrap()
    );
}

#[test]
fn the_quickstart_renders_the_same_from_its_own_folder() {
    let here = Program::manifuse(["generate", "."]).run_in(&root().join("examples/quickstart"));
    assert_eq!(here.code, Some(0), "{}", here.stderr);
    assert_eq!(here.stdout, quickstart().stdout);
}

#[test]
fn the_flux_example_is_decrypted_in_place() {
    let run = Program::manifuse(["generate", "examples/flux-sops"]).run_in(root());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let output = String::from_utf8(run.stdout).unwrap();
    let [encrypted, plain] = ["db.yaml", "web.yaml"]
        .map(|name| fs::read_to_string(root().join("examples/flux-sops").join(name)).unwrap());
    let (head, _) = encrypted.split_once("    #ENC[").unwrap();
    let values = "    # read and write\n    user: shop\n    password: \"it's 1 of many: #2\"\n    ca.crt: |\n      -----BEGIN CERTIFICATE-----\n      MIIBszCCAVmgAwIBAgIUQ0hP\n      -----END CERTIFICATE-----\n";
    assert_eq!(output, format!("{head}{values}---\n{plain}"));
}

/// The script that it stands for printed these entries, the certificate with its last line end.
#[test]
fn the_gopass_example_reads_its_store() {
    let run = Program::manifuse(["generate", "examples/gopass"])
        .env("SOPS_GPG_EXEC", "/no/gpg")
        .run_in(root());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let certificate = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJzekNDQVZtZ0F3SUJBZ0lVUTBoUAotLS0tLUVORCBDRVJUSUZJQ0FURS0tLS0tCg==";
    let wanted = serde_json::json!([{
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "shop", "namespace": "shop"},
        "stringData": {
            "password": "s3cret: with \"quotes\"",
            "user": "shop",
            "scope": "read",
            "pin": "0042"
        },
        "data": {"ca.crt": certificate}
    }]);
    let documents = kube_yaml::documents(&run.stdout).unwrap();
    assert_eq!(
        Tree::List(documents).to_string(),
        Tree::from(&wanted).to_string()
    );
}

#[test]
fn the_vault_example_reads_its_secret_once() {
    let mut table = Table::default();
    table.push("secret/data/shop/db");
    let data = serde_json::json!({"user": "shop", "password": "p@ss: w0rd #1", "port": "5432"});
    table.last().body = kv2(&data);
    let server = fake_vault::start(table);
    let run = Program::manifuse(["generate", "examples/vault"])
        .env("VAULT_ADDR", server.url())
        .env("VAULT_TOKEN", "root")
        .run_in(root());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(server.lines(), ["GET /v1/secret/data/shop/db"]);
    let output = String::from_utf8(run.stdout).unwrap();
    assert!(
        output.contains("\n  password: \"p@ss: w0rd #1\"\n"),
        "{output}"
    );
    assert!(
        output.contains("\"postgres://db.example.com:5432/shop?sslmode=require\""),
        "{output}"
    );
}

#[test]
fn the_migration_example_means_what_argocd_vault_plugin_makes_of_it() {
    let mut table = Table::default();
    table.push("secret/data/shop/db?version=2");
    table.last().body = kv2(&serde_json::json!({"user": "shop", "password": "old"}));
    table.push("secret/data/shop/db");
    table.last().body = kv2(&serde_json::json!({"user": "shop", "password": "new"}));
    table.push("secret/data/shop/scale");
    table.last().body = kv2(&serde_json::json!({"replicas": "3", "place": "{\"region\": \"eu\"}"}));
    let server = fake_vault::start(table);
    let run = Program::avp(["generate", "examples/migrate-from-avp/manifest.yaml"])
        .env("AVP_TYPE", "vault")
        .env("AVP_AUTH_TYPE", "token")
        .env("VAULT_ADDR", server.url())
        .env("VAULT_TOKEN", "root")
        .run_in(root());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert_eq!(server.lines().len(), 3);
    let documents = kube_yaml::documents(&run.stdout).unwrap();
    let wanted = serde_json::json!([
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": "shop",
                "annotations": {
                    "avp.kubernetes.io/path": "secret/data/shop/db",
                    "avp.kubernetes.io/secret-version": "2",
                    "avp.kubernetes.io/remove-missing": "true"
                }
            },
            "stringData": {
                "user": "shop",
                "password-checksum": "cba06b5736faf67e54b07b561eae94395e774c517a7d910a54369e1263ccfbd4",
                "latest": "new"
            },
            "data": {"url": "cG9zdGdyZXM6Ly9zaG9wQGRiL3Nob3A="}
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "shop"},
            "spec": {"replicas": 3, "template": {"metadata": {"annotations": {"region": "eu"}}}}
        }
    ]);
    assert_eq!(
        Tree::List(documents).to_string(),
        Tree::from(&wanted).to_string()
    );
}

fn kv2(data: &serde_json::Value) -> Vec<u8> {
    serde_json::json!({"data": {"data": data, "metadata": {"version": 1}}})
        .to_string()
        .into_bytes()
}
