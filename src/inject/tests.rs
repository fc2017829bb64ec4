//! The whole line against a backend in memory.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;
use crate::backends::{self, Answer, Backend, ErrorKind, FetchContext, Request};
use crate::diagnostics::Source;
use crate::files::FileError;
use crate::secret::{Number, Value};

struct Store;

impl Backend for Store {
    fn fetch<'a>(
        &'a self,
        request: &'a Request,
        _: &'a FetchContext,
    ) -> BoxFuture<'a, Result<Answer, backends::Error>> {
        let values = vec![
            ("user".to_owned(), Value::string("alice")),
            ("pass".to_owned(), Value::string("p@ss: #1")),
            ("num".to_owned(), Value::Number(Number::from_literal("80"))),
            (
                "map".to_owned(),
                Value::Map(vec![("k".to_owned(), Value::string("v"))]),
            ),
            (
                "pem".to_owned(),
                Value::string("-----BEGIN\nAA\n-----END\n"),
            ),
            ("empty".to_owned(), Value::string("")),
            ("none".to_owned(), Value::Null),
        ];
        let answer = match &*request.id.path {
            "s" => Ok(Answer::whole(values, None)),
            _ => Err(backends::Error::new(
                ErrorKind::AbsentPath,
                "Could not find secrets at path x",
            )),
        };
        async move { answer }.boxed()
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

fn render_text(text: &str) -> Result<String, Vec<Diagnostic>> {
    render_with(text, &mut Vec::new())
}

/// Renders a text and keeps what it warns of.
fn render_with(text: &str, warnings: &mut Vec<Diagnostic>) -> Result<String, Vec<Diagnostic>> {
    let mut pool = Pool::default();
    pool.insert("store", Arc::new(Store));
    let pool = Arc::new(pool);
    let options = CollectOptions {
        default_backend: "store".into(),
        backends: pool.names(),
        validate: false,
        document_limit: DEFAULT_DOCUMENT_LIMIT,
    };
    let context = RenderContext {
        pool,
        files: Arc::new(NoFiles),
        path_rules: Vec::new(),
        policy: Policy::default(),
        fetch_timeout: Duration::from_mins(1),
        concurrency: 4,
    };
    let sources = [Arc::new(Source::new("t.yaml", text))];
    let stream = collect(&sources, &options)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let rendered = runtime.block_on(render(stream, &context))?;
    warnings.extend(rendered.warnings);
    Ok(crate::yaml::edit::apply(text, &rendered.edits[0]))
}

/// A document of a kind with an annotation, and a body; only the body is compared.
fn body(kind: &str, annotations: &str, body: &str) -> String {
    let head = format!(
        "kind: {kind}\nmetadata:\n  annotations:\n    avp.kubernetes.io/path: s\n{annotations}"
    );
    let text = format!("{head}{body}");
    render_text(&text)
        .unwrap()
        .strip_prefix(&head)
        .unwrap()
        .to_owned()
}

#[test]
fn values_go_in_place() {
    for (kind, before, after) in [
        ("X", "v: <user> # c\n", "v: alice # c\n"),
        ("X", "v: 'a <pass>'\n", "v: 'a p@ss: #1'\n"),
        ("X", "v: a<pass>\n", "v: \"ap@ss: #1\"\n"),
        ("X", "v: <num>\n", "v: 80\n"),
        ("X", "v: !!str <num>\n", "v: 80\n"),
        ("X", "v: !any &a <num>\nw: ! <num>\n", "v: &a 80\nw: 80\n"),
        ("X", "v: [<map>, 5]\n", "v: [{\"k\": \"v\"}, 5]\n"),
        ("X", "v: <empty>\n", "v: \"\"\n"),
        ("X", "v: |\n  a\n  <num>\nw: 1\n", "v: 80\nw: 1\n"),
        ("X", "v: [a, [<user>]]\n", "v: [a, [<user>]]\n"),
        (
            "X",
            "v: &a <user>\nw: *a\n? *a\n: b\n",
            "v: &a alice\nw: *a\n? <user>\n: b\n",
        ),
        ("ConfigMap", "v: <num>\n", "v: \"80\"\n"),
        (
            "ConfigMap",
            "v: x<map>y\n",
            "v: \"{\\\"k\\\":\\\"v\\\"}\"\n",
        ),
        ("Secret", "v: PHVzZXI+\n", "v: YWxpY2U=\n"),
        ("Secret", "v: UEhWelpYSSs=\n", "v: UEhWelpYSSs=\n"),
        ("Secret", "v: PHBhdGg6cyN1c2VyPg==\n", "v: YWxpY2U=\n"),
        (
            "Secret",
            "v: '{\"a\": \"\\u003cpath:s#pass\\u003e\"}'\n",
            "v: '{\"a\": \"p@ss: #1\"}'\n",
        ),
        (
            "Secret",
            "v: |\n  <pem>\nw: 1\n",
            "v: |+\n  -----BEGIN\n  AA\n  -----END\n\nw: 1\n",
        ),
    ] {
        assert_eq!(body(kind, "", before), after, "{kind}: {before}");
    }
}

#[test]
fn missing_entries_are_removed() {
    let annotation = "    avp.kubernetes.io/remove-missing: \"true\"\n";
    for (before, after) in [
        ("data:\n  a: <nope>\n  b: <user>\n", "data:\n  b: alice\n"),
        (
            "data:\n  # c\n  b: <user>\n  a: |\n    <nope>\n\nx: 1\n",
            "data:\n  # c\n  b: alice\n\nx: 1\n",
        ),
        ("data:\n  a: <nope>\n", "data: {}\n"),
        (
            "data: {a: <nope>, b: 1, c: <nope>, d: <nope>}\n",
            "data: {b: 1}\n",
        ),
        ("data: {a: <nope>}\n", "data: {}\n"),
        (
            "l:\n- a: <nope>\n  b: 1\n- c: <nope>\n",
            "l:\n- b: 1\n- {}\n",
        ),
        ("a: x<nope>\nb: \"<user>\n  b\"\n", "b: \"alice\n  b\"\n"),
    ] {
        assert_eq!(body("Secret", annotation, before), after, "{before}");
    }
}

#[test]
fn entries_with_question_marks_anchors_and_tags_are_removed_whole() {
    let annotation = "    avp.kubernetes.io/remove-missing: \"true\"\n";
    for (before, after) in [
        ("l:\n- ? a\n  : <nope>\n", "l:\n- {}\n"),
        ("l:\n- ?   a\n  : <nope>\n  b: 1\n", "l:\n- b: 1\n"),
        (
            "l:\n- ? a\n  : <nope>\n  ? b\n  : 1\n",
            "l:\n- ? b\n  : 1\n",
        ),
        ("l:\n- b: 1\n  ? a\n  : <nope>\n", "l:\n- b: 1\n"),
        ("l:\n- ? # ? c\n    a\n  : <nope>\n  b: 1\n", "l:\n- b: 1\n"),
        (
            "m:\n  b: 1\n  ?\n    &x !!str\n    a\n  : <nope>\n  c: 2\n",
            "m:\n  b: 1\n  c: 2\n",
        ),
        ("m:\n  ? a\n  : <nope>\n", "m: {}\n"),
        ("m: # why?\n  ? a\n  : <nope>\n", "m: # why?\n  {}\n"),
        ("m: &m\n  ? &a a\n  : |\n    <nope>\n", "m: &m\n  {}\n"),
        ("m: &m\n  &a a: <nope>\n", "m: &m\n  {}\n"),
        ("l:\n- &a !!str a: <nope>\n  b: 1\n", "l:\n- b: 1\n"),
        (
            "l:\n- a: <nope>\n  &b b: 1\nr: *b\n",
            "l:\n- &b b: 1\nr: *b\n",
        ),
        ("l:\n- ? b\n  ? a\n  : <nope>\n", "l:\n- ? b\n"),
        ("m: {? a : <nope>,? b : 1}\n", "m: {? b : 1}\n"),
        ("m: {a: <nope>,&b b: 1}\nr: *b\n", "m: {&b b: 1}\nr: *b\n"),
        ("m: {b: 1, ? &a\n  a : <nope>, c: 2}\n", "m: {b: 1, c: 2}\n"),
        ("m: {? a : <nope>}\n", "m: {}\n"),
        ("? a\n: <nope>\nb: 1\n", "b: 1\n"),
    ] {
        assert_eq!(body("Secret", annotation, before), after, "{before}");
    }
}

#[test]
fn lines_that_are_removed_may_end_in_any_way() {
    let text = "kind: Secret\nmetadata:\n  annotations:\n    avp.kubernetes.io/path: s\n    \
                avp.kubernetes.io/remove-missing: \"true\"\nm:\n  a: <nope>\n  b: 1\n  ? c\n  : |\n    <nope>\n\
                n:\n  a: <nope>\nl:\n- a: <nope>\n  b: 1\n";
    let expected = "m:\n  b: 1\nn: {}\nl:\n- b: 1\n";
    for line_break in ["\n", "\r\n", "\r"] {
        let rendered = render_text(&text.replace('\n', line_break)).unwrap();
        let expected = expected.replace('\n', line_break);
        assert!(rendered.ends_with(&expected), "{rendered:?}");
        assert_eq!(rendered.matches("\"true\"").count(), 1);
    }
}

#[test]
fn an_anchor_that_stays_in_use_is_not_removed() {
    let text = "kind: Secret\nmetadata: {annotations: {avp.kubernetes.io/path: s, avp.kubernetes.io/remove-missing: 'true'}}\n\
                a: &x <nope>\nb: [*x]\n";
    let told = render_text(text).unwrap_err();
    assert_eq!(
        told[0].message,
        "an entry with a missing value cannot be removed: this alias refers to it"
    );
    assert_eq!(told[0].place.as_ref().unwrap().span.start, text.len() - 4);
}

#[test]
fn failures_name_the_place_and_no_value() {
    let text = "kind: X\nmetadata: {name: n, namespace: m}\nv:\n- a <path:s#usr | base64encode> b\nw: <path:z#k>\n";
    let told = render_text(text).unwrap_err();
    let show: Vec<String> = told
        .iter()
        .map(|d| {
            let place = d.place.as_ref().unwrap();
            let at = place.source.line_column(place.span.start);
            let field = place.field.as_deref().unwrap();
            let excerpt = place.excerpt.as_deref().unwrap();
            let resource = place.resource.as_deref().unwrap();
            format!(
                "{}:{} {resource} {field} {excerpt} {} {:?}",
                at.line, at.column, d.message, d.hint
            )
        })
        .collect();
    assert_eq!(
        show,
        [
            "4:5 X m/n v[0] <path:s#usr | …> missing value for placeholder path:s#usr: s has no key usr \
             Some(\"there is a key user\")",
            "5:4 X m/n w <path:z#k> Could not find secrets at path x None"
        ]
    );
}

#[test]
fn a_null_is_told_as_one() {
    for (key, modifiers) in [("none", ""), ("user", " | replace alice null | jsonParse")] {
        let text = format!("kind: X\na: <path:s#{key}{modifiers}>\n");
        let told = render_text(&text).unwrap_err();
        assert_eq!(
            told[0].message,
            format!("missing value for placeholder path:s#{key}: the value of {key} in s is null")
        );
        let hint = r#"store a value, or add `| default "TEXT"`"#;
        assert_eq!(told[0].hint.as_deref(), Some(hint));
        let text = text.replace('>', " | default x>");
        assert_eq!(render_text(&text).unwrap(), "kind: X\na: x\n");
    }
}

#[test]
fn a_document_may_name_its_backend() {
    let text = |name: &str| {
        format!(
            "kind: X\nmetadata: {{annotations: {{manifuse.io/backend: {name}}}}}\nv: <path:s#user>\n"
        )
    };
    assert_eq!(
        render_text(&text("store")).unwrap(),
        text("store").replace("<path:s#user>", "alice")
    );
    let told = render_text(&text("stor")).unwrap_err();
    assert_eq!(told[0].message, "there is no backend named stor");
    assert_eq!(
        told[0].hint.as_deref(),
        Some("did you mean store? the backends are store")
    );
    let told = render_text(&text("other")).unwrap_err();
    assert_eq!(told[0].hint.as_deref(), Some("the backends are store"));
}

#[test]
fn lines_may_end_in_a_lone_carriage_return() {
    let text =
        "kind: X\rb: |\r  <path:s#num>\rc: |\r  <path:s#user>\r  x\rd: |\r  <path:s#pem>\re: 1\r";
    let expected =
        "kind: X\rb: 80\rc: |\r  alice\r  x\rd: \"-----BEGIN\\nAA\\n-----END\\n\\n\"\re: 1\r";
    assert_eq!(render_text(text).unwrap(), expected);
}

#[test]
fn a_last_line_without_a_line_end_is_quoted() {
    let text = "kind: X\na: |-\n  <path:s#pem>";
    assert_eq!(
        render_text(text).unwrap(),
        "kind: X\na: \"-----BEGIN\\nAA\\n-----END\\n\""
    );
}

#[test]
fn merge_keys_bring_kind_and_annotations() {
    let text = "x: &c {avp.kubernetes.io/path: s}\nmetadata: {annotations: {<<: *c}}\n<<: {kind: X}\na: <user>\n";
    assert_eq!(render_text(text).unwrap(), text.replace("<user>", "alice"));
}

#[test]
fn decoded_text_and_lines_that_are_no_reference_stay_out_of_messages() {
    let encode = |text: &str| crate::yaml::encode_base64(text.as_bytes());
    let head = "kind: Secret\nmetadata: {annotations: {avp.kubernetes.io/path: s}}\n";
    let messages = |text: String| {
        let told = render_text(&text).unwrap_err();
        assert!(
            told.iter()
                .all(|d| d.place.as_ref().unwrap().excerpt.is_none()),
            "{told:?}"
        );
        told.into_iter()
            .map(|d| d.message)
            .collect::<Vec<_>>()
            .join("; ")
    };
    let generic = format!("{head}a: {}\n", encode("user=root;pw=<hunter2>;more"));
    assert_eq!(
        messages(generic),
        "missing value for a placeholder in decoded text"
    );
    let inline = format!("{head}a: {}\n", encode("<path:s#nope>"));
    assert_eq!(
        messages(inline),
        "missing value for placeholder path:s#nope: s has no key nope"
    );

    let text = "kind: Secret\nscript: |\n  # use <path:...> here\n  PASSWORD=hunter2 # old\n  echo x > y\n";
    let told = render_text(text).unwrap_err();
    assert_eq!(
        told[0].message,
        "a placeholder whose path runs over a line end, or is far too long"
    );
    assert_eq!(told[0].place.as_ref().unwrap().excerpt, None);
}

#[test]
fn warnings_of_modifiers_have_a_place() {
    let mut told = Vec::new();
    let text = "kind: X\na: <path:s#user | base64decode | base64encode>\n";
    render_with(text, &mut told).unwrap();
    let place = told[0].place.as_ref().unwrap();
    assert_eq!(place.source.line_column(place.span.start).line, 2);
}

#[test]
fn the_kind_itself_may_be_replaced() {
    let text = "kind: A<path:s#num>\nv: |\n  <path:s#pem>\n";
    let expected = "kind: 80\nv: |+\n  -----BEGIN\n  AA\n  -----END\n\n";
    assert_eq!(render_text(text).unwrap(), expected);
}

#[test]
fn base64_counts_where_a_reference_stays_within_a_line() {
    let encoded = |text: &str| crate::yaml::encode_base64(text.as_bytes());
    let broken = encoded("<path:s#\nuser>");
    let both = encoded("<path:s#\nuser> <b>");
    for (text, expected) in [
        (
            format!("kind: Secret\na: {broken}\n"),
            format!("kind: Secret\na: {broken}\n"),
        ),
        (
            format!("kind: Secret\na: {both}\n"),
            format!("kind: Secret\na: {}\n", encoded("alice <b>")),
        ),
        (
            format!("kind: Secret\na: !!binary {broken}\n"),
            format!("kind: Secret\na: !!binary {}\n", encoded("alice")),
        ),
        (
            format!("kind: Secret\na: {}\n", encoded(&broken)),
            format!("kind: Secret\na: {}\n", encoded(&encoded("alice"))),
        ),
    ] {
        assert_eq!(render_text(&text).unwrap(), expected);
    }
}

#[test]
fn a_lost_text_is_told_once_and_only_where_text_is_lost() {
    for (text, expected) in [
        ("kind: X\na: \"p=<path:s#num>\"\n", 1),
        ("kind: X\na: <path:s#num>\nb: |\n  <path:s#num>\n", 0),
        ("kind: X\na: <path:s#user> b\n", 0),
    ] {
        let mut told = Vec::new();
        render_with(text, &mut told).unwrap();
        assert_eq!(told.len(), expected, "{text}");
    }
}

#[test]
fn ten_megabytes_of_brackets_take_no_longer_than_other_text() {
    let size = 10 << 20;
    let near: Vec<_> = (0..size / 16).map(|n| format!("<stor{n:08x}: ")).collect();
    let repeated = "<stroe:a".repeat(size / 8);
    let json: Vec<String> = (0..size / 40)
        .map(|n| format!("\"<path:s#user> {n}\""))
        .collect();
    for text in [near.concat(), repeated] {
        let manifest = format!("kind: X\na: '{text}'\n");
        assert_eq!(render_text(&manifest).unwrap().len(), manifest.len());
    }
    let manifest = format!("kind: Secret\na: '[{}]'\n", json.join(","));
    assert!(render_text(&manifest).unwrap().contains("alice 1\""));
}
