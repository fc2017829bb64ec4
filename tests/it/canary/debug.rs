//! What types that hold secrets show of themselves to `{:?}`.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;

use manifuse::backends::{Answer, Error, ErrorKind, Outcome};
use manifuse::clients::Address;
use manifuse::clients::http::{Call, Config, Headers};
use manifuse::clients::proxy::{Proxies, Proxy};
use manifuse::clients::tls::Tls;
use manifuse::diagnostics::{Diagnostic, Fault, Place, Source, Span};
use manifuse::env::{Environment, Options, Origin, Setting};
use manifuse::inject::Rendered;
use manifuse::manifest::{Document, Format, Listing, Paths};
use manifuse::modifier;
use manifuse::secret::{Number, Text, Value};
use manifuse::settings;
use manifuse::yaml::edit::Edit;
use manifuse::yaml::tree::Tree;
use manifuse::yaml::{EventReader, YamlReader};

use super::{NEIGHBOUR, SETTING, VALUE, marks};

/// Shows it, in one line and in many, with its mark nowhere; says what is shown, so that it cannot be nothing at all.
fn assert_hidden(value: &dyn Debug) -> String {
    let shown = format!("{value:?}");
    assert_eq!(
        marks(format!("{shown}{value:#?}").as_bytes()),
        [""; 0],
        "{shown}"
    );
    shown
}

fn setting() -> Setting {
    Setting {
        value: SETTING.into(),
        origin: Origin::Environment("VAULT_TOKEN".to_owned()),
    }
}

#[test]
fn values_show_their_type() {
    let list = Value::List(vec![Value::string(VALUE)]);
    let map = vec![("key".to_owned(), list.clone())];
    let answer = Answer::whole(map.clone(), None);
    for (value, expected) in [
        (&Text::from(VALUE) as &dyn Debug, "[secret]"),
        (&Number::from_literal("41234"), "[secret number]"),
        (&Value::string(VALUE), "[secret string]"),
        (&Value::Bytes(VALUE.into()), "[secret bytes]"),
        (&list, "[secret list]"),
        (&Value::Map(map), "[secret map]"),
        (&Value::Bool(true), "[secret bool]"),
        (&answer.outcome("key"), "Present([secret list])"),
    ] {
        assert_eq!(assert_hidden(value), expected);
    }
    assert!(matches!(answer.outcome("none"), Outcome::Absent));
    assert!(assert_hidden(&answer).contains("[secret list]"));
    let applied = modifier::apply(
        &["base64encode".to_owned()],
        Some(Value::string(VALUE)),
        "db#k",
    )
    .unwrap();
    assert!(assert_hidden(&applied).contains("[secret string]"));
    let failed = modifier::apply(
        &["jsonParse".to_owned()],
        Some(Value::string(VALUE)),
        "db#k",
    )
    .unwrap_err();
    assert!(assert_hidden(&failed).contains("jsonParse"));
}

#[test]
fn settings_show_names_and_origins() {
    let environment: Environment = [("VAULT_TOKEN", SETTING), ("OTHER", SETTING)]
        .into_iter()
        .collect();
    assert_eq!(assert_hidden(&environment), "{\"OTHER\", \"VAULT_TOKEN\"}");
    assert!(assert_hidden(&setting()).contains("VAULT_TOKEN"));
    let mut options = Options::default();
    options.set("VAULT_TOKEN", setting());
    assert!(assert_hidden(&options).contains("VAULT_TOKEN"));

    let folder = tempfile::tempdir().unwrap();
    let file = format!(
        "AVP_PASSWORD: {SETTING}\nbackends: {{prod: {{type: vault, auth: {{token: {SETTING}}}}}}}\n"
    );
    std::fs::write(folder.path().join("manifuse.yaml"), file).unwrap();
    let request = settings::Request {
        config: Some("manifuse.yaml"),
        ..request(&environment, folder.path())
    };
    assert!(assert_hidden(&request).contains("VAULT_TOKEN"));
    let loaded = settings::load(&request).unwrap();
    assert_eq!(loaded.flat.text("AVP_PASSWORD"), Some(SETTING));
    assert!(assert_hidden(&loaded).contains("auth.token"));
}

#[test]
fn requests_show_no_credential() {
    let mut call = Call::put("/v1/auth/approle/login", VALUE.into());
    call.headers.push(("X-Vault-Token", VALUE.into()));
    assert!(assert_hidden(&call).contains("X-Vault-Token"));
    let address = Address::parse(&format!("http://me:{SETTING}@vault.test/?{SETTING}")).unwrap();
    assert_eq!(assert_hidden(&address), "http://vault.test");
    let mut headers = Headers::default();
    headers.insert("X-Team", SETTING).unwrap();
    let proxy = Proxy::parse(&format!("http://me:{SETTING}@proxy.test")).unwrap();
    let config = Config {
        address,
        tls: Tls::default(),
        proxies: Proxies::of_setting(proxy),
        srv: None,
        headers,
        rate: None,
        retry: manifuse::clients::retry::Policy {
            retries: 0,
            first_wait: std::time::Duration::ZERO,
        },
        timeout: None,
        follow_redirect: false,
    };
    assert!(assert_hidden(&config).contains("http://vault.test"));
    assert!(assert_hidden(&config).contains("http://proxy.test"));
    let error = Error::new(ErrorKind::Denied, "denied");
    assert!(assert_hidden(&error).contains("denied"));
}

#[test]
fn texts_show_their_length() {
    let text = format!(
        "kind: X\na: &x {NEIGHBOUR}\nb: [\"{NEIGHBOUR}\", *x] # {NEIGHBOUR}\nc: |\n  {NEIGHBOUR}\n"
    );
    let source = Arc::new(Source::new("a.yaml", text.as_str()));
    assert!(assert_hidden(&source).contains("a.yaml"));
    let place = Place::new(Arc::clone(&source), Span::at(9));
    let diagnostic = Diagnostic::error(Fault::Input, "wrong").at(place);
    assert!(assert_hidden(&diagnostic).contains("wrong"));
    let edit = Edit::new(Span::new(8, 9), VALUE);
    assert_eq!(assert_hidden(&edit), "Edit(8..9)");
    let sources = [source];
    let rendered = Rendered {
        sources: &sources,
        edits: vec![vec![edit]],
        warnings: vec![diagnostic],
    };
    assert!(assert_hidden(&rendered).contains("Edit(8..9)"));
}

/// A secret that `yamlParse` reads goes through these as well.
#[test]
fn trees_show_no_text() {
    let text =
        format!("kind: X\na: &x {NEIGHBOUR}\n'{NEIGHBOUR}': [\"{NEIGHBOUR}\", *x] # {NEIGHBOUR}\n");
    let mut reader = YamlReader::with_comments(&text, true);
    let mut kinds = BTreeSet::new();
    while let Some(event) = reader.next_event().unwrap() {
        let shown = assert_hidden(&event);
        kinds.insert(shown.len());
    }
    assert!(kinds.len() > 1);
    let tree = Tree::read(&mut YamlReader::new(&text)).unwrap().unwrap();
    assert!(assert_hidden(&tree).contains("Mapping"));
    let (document, _) = Document::read(&text, Span::new(0, text.len()), Format::Yaml).unwrap();
    let document = document.unwrap();
    assert!(assert_hidden(&document).contains("Yaml"));
    assert!(assert_hidden(&document.strings(Listing::All)).contains("Value"));
    assert!(assert_hidden(&document.annotations()).contains("Yaml"));
    assert!(assert_hidden(&Paths::new(document)).contains("Yaml"));
}

fn request<'a>(environment: &'a Environment, folder: &'a Path) -> settings::Request<'a> {
    settings::Request {
        environment,
        folder,
        system_folder: folder,
        is_shared: false,
        config: None,
        secret: None,
        rendered: folder,
    }
}
