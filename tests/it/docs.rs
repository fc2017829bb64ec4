//! The examples in `docs/` and the READMEs are read, and those with a result are rendered and compared byte for byte.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use manifuse::backends::pool::Pool;
use manifuse::backends::registry::TYPES;
use manifuse::backends::{Answer, Backend, Error, ErrorKind, FetchContext, Keys, Request};
use manifuse::diagnostics::Source;
use manifuse::files::{FileError, Files};
use manifuse::inject::{self, CollectOptions, RenderContext};
use manifuse::policy::Policy;
use manifuse::secret::{Map, Number, Value};
use rcgen::{KeyPair, PKCS_RSA_SHA256};

use crate::stores::keepersecretsmanager;
use crate::support::certificates::Certificates;
use crate::support::kube_yaml;
use crate::support::program::Program;
use crate::support::tree::{self, Tree};

#[test]
fn links_lead_to_headings() {
    let link = regex::Regex::new(r"\]\(([^()#:]*)#([^()]+)\)").expect("a good pattern");
    let mut seen = 0;
    for page in pages() {
        let text = fs::read_to_string(root().join(&page)).unwrap();
        for found in link.captures_iter(&text) {
            let target = match &found[1] {
                "" => page.clone(),
                path => page.parent().unwrap().join(path),
            };
            let target = fs::read_to_string(root().join(target)).unwrap();
            let mut headings = target.lines().filter(|line| line.starts_with('#'));
            let is_there = headings.any(|heading| anchor(heading) == found[2]);
            assert!(is_there, "{}: {}", page.display(), &found[0]);
            seen += 1;
        }
    }
    assert!(seen > 10, "only {seen} links");
}

/// What a heading is called in links.
fn anchor(heading: &str) -> String {
    let words = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = words
        .chars()
        .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// A fenced block: where it stands, the words behind the fence, the text.
pub(crate) struct Block {
    pub(crate) place: String,
    pub(crate) kind: String,
    pub(crate) text: String,
}

#[test]
fn manifests_on_the_grammar_page_render_as_shown() {
    let blocks = blocks(Path::new("docs/grammar.md"));
    let of_kind = |kind: &'static str| blocks.iter().filter(move |block| block.kind == kind);
    let secrets = &of_kind("yaml secrets")
        .next()
        .expect("the page says what is in its stores")
        .text;
    let Ok(Tree::Map(stores)) = kube_yaml::document(secrets.as_bytes()) else {
        panic!("the stores are no map");
    };
    let pairs = blocks
        .windows(2)
        .filter(|pair| pair[1].kind == "yaml rendered");
    let mut compared = 0;
    for pair in pairs {
        assert_eq!(pair[0].kind, "yaml manifest", "before {}", pair[1].place);
        let rendered = render(
            &pair[0].text,
            stores
                .iter()
                .map(|(name, store)| (name.as_str(), Store::Table(store.clone()))),
        );
        assert_eq!(
            rendered.as_deref(),
            Ok(pair[1].text.as_str()),
            "{}",
            pair[0].place
        );
        compared += 1;
    }
    assert_eq!(
        compared,
        of_kind("yaml manifest").count(),
        "each manifest has its result"
    );
    assert!(compared > 8);
}

#[test]
fn manifests_on_other_pages_hold_references() {
    let mut seen = 0;
    for block in pages().iter().flat_map(|page| blocks(page)) {
        let is_manifest = block.text.lines().any(|line| line.starts_with("kind: "));
        // The README's first blocks are the quickstart's files, which have a test of their own.
        if block.kind != "yaml" || !is_manifest || block.text.contains("secrets.enc.yaml") {
            continue;
        }
        let configured = ["default", "prod", "test", "files", "ci", "mounted"];
        let built_in = TYPES.iter().map(|kind| kind.name);
        let names = configured.into_iter().chain(built_in);
        let rendered = render(&block.text, names.map(|name| (name, Store::Anything)));
        let rendered = rendered.unwrap_or_else(|error| panic!("{}: {error}", block.place));
        assert_ne!(rendered, block.text, "{} refers to nothing", block.place);
        assert!(
            !rendered.contains('<'),
            "{} keeps a reference:\n{rendered}",
            block.place
        );
        seen += 1;
    }
    assert!(seen > 2, "only {seen} manifests");
}

#[test]
fn settings_on_all_pages_are_good() {
    let certificates = Certificates::new(&[]);
    let rsa_key = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
    let rsa_key = rsa_key.serialize_pem();
    let mut seen = 0;
    for block in pages().iter().flat_map(|page| blocks(page)) {
        let is_settings = block
            .text
            .lines()
            .any(|line| line == "backends:" || line.starts_with("AVP_"));
        if block.kind != "yaml" || !is_settings {
            continue;
        }
        let run = Program::manifuse(["generate", "-c", "manifuse.yaml", "-"])
            // What is looked at before it is needed: folders, certificates and mounts that must be there.
            .file(
                "manifuse.yaml",
                block
                    .text
                    .replace("/var/run/secrets/manifuse", ".")
                    .replace("/etc/manifuse/client", "client"),
            )
            .file("client.pem", &certificates.client_pem)
            .file("client.key", &certificates.client_key_pem)
            .file(
                "keeper.json",
                keepersecretsmanager::config("keepersecurity.com").to_string(),
            )
            .file("gopass-config", "[mounts]\npath = secrets\n")
            .file("secrets/.gpg-id", "")
            // What the pages leave to the environment.
            .env("AVP_DELINEA_PASSWORD", "p")
            .env("AVP_SECRET_ID", "s")
            .env("AVP_IBM_API_KEY", "k")
            .env("OP_CONNECT_TOKEN", "t")
            .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
            .env("KUBERNETES_SERVICE_PORT", "1")
            .env("AVP_YCL_PRIVATE_KEY", &rsa_key)
            .env("VAULT_TOKEN", "t")
            .stdin("kind: X\n")
            .run();
        assert_eq!(
            (run.code, run.stderr.as_str()),
            (Some(0), ""),
            "{}",
            block.place
        );
        seen += 1;
    }
    assert!(seen > 4, "only {seen} settings files");
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All pages with examples but the grammar page.
fn pages() -> Vec<PathBuf> {
    let mut pages = vec![PathBuf::from("README.md")];
    for folder in [
        "docs",
        "docs/backends",
        "examples/vault",
        "examples/migrate-from-avp",
    ] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                pages.push(path.strip_prefix(root()).unwrap().to_owned());
            }
        }
    }
    pages.retain(|page| page != Path::new("docs/grammar.md"));
    pages.sort();
    pages
}

pub(crate) fn blocks(page: &Path) -> Vec<Block> {
    let text = fs::read_to_string(root().join(page)).unwrap();
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (line.strip_prefix("```"), open.as_mut()) {
            (Some(kind), None) => {
                let place = format!("{}:{}", page.display(), number + 1);
                open = Some(Block {
                    place,
                    kind: kind.to_owned(),
                    text: String::new(),
                });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// A store for examples.
enum Store {
    /// Secrets by their paths.
    Table(Tree),
    /// Any secret, with whatever keys are asked for.
    Anything,
}

impl Backend for Store {
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        _: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, Error>> {
        async move {
            let found = match (self, &request.keys) {
                (Self::Anything, Keys::Some(keys)) => keys
                    .iter()
                    .map(|key| (key.clone(), Value::string("something")))
                    .collect(),
                (Self::Anything, Keys::All) => Map::new(),
                (Self::Table(Tree::Map(secrets)), _) => match secrets.get(&*request.id.path) {
                    Some(Tree::Map(keys)) => map(keys),
                    _ => return Err(Error::new(ErrorKind::AbsentPath, "there is no such secret")),
                },
                (Self::Table(_), _) => panic!("a store is a map"),
            };
            Ok(Answer::whole(found, None))
        }
        .boxed()
    }
}

fn map(entries: &BTreeMap<String, Tree>) -> Map {
    entries
        .iter()
        .map(|(key, item)| (key.clone(), value(item)))
        .collect()
}

fn value(tree: &Tree) -> Value {
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(bool) => Value::Bool(*bool),
        Tree::Number(tree::Number::Integer(integer)) => {
            Value::Number(Number::from_literal(integer.to_string()))
        }
        Tree::Number(tree::Number::Float(float)) => {
            Value::Number(Number::from_literal(float.to_string()))
        }
        Tree::String(text) => Value::string(text.as_str()),
        Tree::List(items) => Value::List(items.iter().map(value).collect()),
        Tree::Map(entries) => Value::Map(map(entries)),
    }
}

struct NoFiles;

impl Files for NoFiles {
    fn read(&self, path: &str) -> Result<Vec<u8>, FileError> {
        Err(FileError::Absent {
            path: path.to_owned(),
        })
    }
}

fn render<'n>(
    text: &str,
    stores: impl IntoIterator<Item = (&'n str, Store)>,
) -> Result<String, String> {
    let mut pool = Pool::default();
    let mut default = None;
    for (name, store) in stores {
        pool.insert(name, Arc::new(store));
        // Sorted by name, `vault` is the last of the grammar page's stores and its default.
        default = Some(Arc::from(name));
    }
    let pool = Arc::new(pool);
    let options = CollectOptions {
        default_backend: default.unwrap(),
        backends: pool.names(),
        validate: false,
        document_limit: inject::DEFAULT_DOCUMENT_LIMIT,
    };
    let context = RenderContext {
        pool,
        files: Arc::new(NoFiles),
        path_rules: Vec::new(),
        policy: Policy::default(),
        fetch_timeout: Duration::from_mins(1),
        concurrency: 1,
    };
    let sources = [Arc::new(Source::new("example", text))];
    let told = |errors: Vec<manifuse::diagnostics::Diagnostic>| {
        let errors: Vec<String> = errors.iter().map(|error| format!("{error:?}")).collect();
        errors.join("\n")
    };
    let stream = inject::collect(&sources, &options).map_err(told)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let rendered = runtime
        .block_on(inject::render(stream, &context))
        .map_err(told)?;
    Ok(rendered.slices().concat())
}
