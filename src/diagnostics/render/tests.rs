//! Exact texts: they are what a user reads at the worst moment.

use super::*;
use crate::diagnostics::{Fault, Place, Span, Warning};

fn place(text: &str, needle: &str) -> Place {
    let start = text.find(needle).unwrap();
    Place {
        resource: Some("Deployment shop/web".to_owned()),
        field: Some("spec.template.spec.containers[0].env[1].value".to_owned()),
        excerpt: Some(needle.to_owned()),
        ..Place::new(
            Arc::new(Source::new("k8s/deploy.yaml", text)),
            Span::new(start, start + needle.len()),
        )
    }
}

fn missing_key() -> Diagnostic {
    let text = format!("{}    url: a<path:db#pasword>/rest", "x: y\n".repeat(11));
    Diagnostic::error(Fault::Input, "the secret has no key pasword")
        .at(place(&text, "<path:db#pasword>"))
        .with_hint("its keys are user and password")
}

#[test]
fn an_error_shows_the_head_and_nothing_else_of_the_line() {
    let text = render(&[missing_key()], Rendering::PLAIN);
    assert_eq!(
        text,
        "error: the secret has no key pasword\n  \
           --> k8s/deploy.yaml:12:11\n   \
            |\n\
         12 | <path:db#pasword>\n   \
            | ^^^^^^^^^^^^^^^^^\n   \
            = in Deployment shop/web at spec.template.spec.containers[0].env[1].value\n   \
            = help: its keys are user and password\n"
    );
}

#[test]
fn an_error_without_a_place_shows_causes_and_help() {
    let error = Diagnostic::error(
        Fault::Backend,
        "could not reach Vault\n\nURL: GET https://v",
    )
    .with_cause("connection refused")
    .with_hint("is it running?");
    assert_eq!(
        render(&[error], Rendering::PLAIN),
        "error: could not reach Vault\n       URL: GET https://v\n  = cause: connection refused\n  = help: is it running?\n"
    );
}

#[test]
fn a_warning_is_one_line() {
    let mut warning =
        Diagnostic::warning(Warning::CutReference, "this text looks like\na reference")
            .with_hint("quote it");
    warning.place = Some(Place {
        resource: None,
        ..place("a: b\nc: <x>", "<x>")
    });
    assert_eq!(
        render(&[warning], Rendering::PLAIN),
        "warning[cut-reference]: k8s/deploy.yaml:2:4: this text looks like a reference, \
         at spec.template.spec.containers[0].env[1].value (help: quote it)\n"
    );
}

#[test]
fn of_many_warnings_of_one_name_some_are_shown_and_all_in_json() {
    let warning = |name, n| Diagnostic::warning(name, format!("w{n}"));
    let mut many: Vec<_> = (0..322)
        .map(|n| warning(Warning::ListItems, n % 2))
        .collect();
    many.push(warning(Warning::LostText, 1));
    let text = render(&many, Rendering::PLAIN);
    assert_eq!(text.lines().count(), 12, "{text}");
    assert!(
        text.starts_with("warning[list-items]: w0\nwarning[list-items]: w1\n"),
        "{text}"
    );
    assert!(
        text.ends_with(
            "warning[lost-text]: w1\n\
             warning[list-items]: and 312 more (help: --error-format json tells all of them)\n"
        ),
        "{text}"
    );
    let json = Rendering {
        format: Format::Json,
        ..Rendering::PLAIN
    };
    assert_eq!(render(&many, json).lines().count(), many.len());
}

#[test]
fn of_many_places_of_one_error_the_first_are_shown() {
    let source = Arc::new(Source::new("a.yaml", "\n".repeat(300)));
    let error = |line| {
        let place = Place::new(Arc::clone(&source), Span::at(line));
        Diagnostic::error(Fault::Input, "m").at(place)
    };
    let text = render(&(0..12).map(error).collect::<Vec<_>>(), Rendering::PLAIN);
    assert_eq!(text.lines().count(), 13, "{text}");
    let text = render(&(0..300).map(error).collect::<Vec<_>>(), Rendering::PLAIN);
    assert_eq!(text.lines().count(), 13, "{text}");
    assert!(
        text.starts_with("error: m\n --> a.yaml:1:1\n  = also a.yaml:2:1\n"),
        "{text}"
    );
    assert!(
        text.ends_with(
            "  = also a.yaml:11:1\n  = and in 289 more places (--error-format json tells all of them)\n"
        ),
        "{text}"
    );
}

#[test]
fn a_warning_that_fails_the_run_is_an_error_with_its_name() {
    let mut told = vec![Diagnostic::warning(Warning::ListItems, "m")];
    let list = crate::diagnostics::LevelList::parse("all=error").unwrap();
    crate::diagnostics::Levels::new(&[list]).apply(&mut told);
    assert_eq!(render(&told, Rendering::PLAIN), "error[list-items]: m\n");
    assert_eq!(crate::diagnostics::exit_code(&told), 1);
}

#[test]
fn control_and_direction_characters_are_shown_not_sent() {
    let mut error = Diagnostic::error(Fault::Input, "bad name \u{1b}]0;x\u{7}\u{202e}\u{9b}");
    error.place = Some(Place::new(
        Arc::new(Source::new("a\nb\u{1b}.yaml", "")),
        Span::at(0),
    ));
    assert_eq!(
        render(&[error], Rendering::PLAIN),
        "error: bad name \\u{1b}]0;x\\u{7}\\u{202e}\\u{9b}\n --> a b\\u{1b}.yaml:1:1\n"
    );
}

#[test]
fn a_long_head_is_cut() {
    let head = format!("<path:{}>", "é".repeat(500));
    let mut error = Diagnostic::error(Fault::Input, "m");
    error.place = Some(Place {
        resource: None,
        field: None,
        ..place(&head, &head)
    });
    let text = render(&[error], Rendering::PLAIN);
    let quoted = text.lines().find(|line| line.starts_with("1 |")).unwrap();
    assert_eq!(quoted.chars().count(), 4 + EXCERPT_SHOWN);
    assert!(quoted.ends_with('…'), "{quoted}");
}
/// 160 characters and the dots.
const EXCERPT_SHOWN: usize = 161;

#[test]
fn colours_only_when_asked() {
    let colours = Rendering {
        colours: true,
        ..Rendering::PLAIN
    };
    let error = Diagnostic::error(Fault::Input, "m").with_hint("h");
    assert_eq!(
        render(std::slice::from_ref(&error), colours),
        "\u{1b}[1;31merror\u{1b}[0m: \u{1b}[1mm\u{1b}[0m\n  \u{1b}[1;34m=\u{1b}[0m help: h\n"
    );
    assert!(!render(&[error], Rendering::PLAIN).contains('\u{1b}'));
}

#[test]
fn under_argo_cd_nothing_is_quoted_and_everything_fits() {
    let argocd = Rendering {
        excerpts: false,
        limit: Some(4096),
        ..Rendering::PLAIN
    };
    let mut many: Vec<_> = (0..300).map(|_| missing_key()).collect();
    many.push(Diagnostic::error(Fault::Backend, "no answer"));
    assert_eq!(
        render(&many, argocd),
        "error: the secret has no key pasword\n  \
           --> k8s/deploy.yaml:12:11\n   \
            = in Deployment shop/web at spec.template.spec.containers[0].env[1].value\n   \
            = the same in 299 more places\n   \
            = help: its keys are user and password\n\
         error: no answer\n"
    );

    let many: Vec<_> = (0..1000)
        .map(|n| Diagnostic::error(Fault::Input, format!("the secret has no key k{n}")))
        .collect();
    let text = render(&many, argocd);
    assert!(text.len() <= 4096, "{}", text.len());
    assert!(text.len() > 3800, "{}", text.len());
    let shown = text.matches("error: ").count();
    let last = format!(
        "and {} more, see a run outside Argo CD for all of them\n",
        1000 - shown
    );
    assert!(text.ends_with(&last), "{last}");
}

#[test]
fn json_has_one_object_a_line() {
    let json = Rendering {
        format: Format::Json,
        colours: true,
        ..Rendering::PLAIN
    };
    let text = render(
        &[
            missing_key(),
            Diagnostic::warning(Warning::LostText, "odd \"text\"\n").with_cause("c"),
        ],
        json,
    );
    assert_eq!(
        text,
        concat!(
            r#"{"severity":"error","fault":"input","warning":null,"message":"the secret has no key pasword","causes":[],"#,
            r#""hint":"its keys are user and password","file":"k8s/deploy.yaml","line":12,"column":11,"#,
            r#""resource":"Deployment shop/web","field":"spec.template.spec.containers[0].env[1].value","#,
            r#""excerpt":"<path:db#pasword>"}"#,
            "\n",
            r#"{"severity":"warning","fault":null,"warning":"lost-text","message":"odd \"text\"\n","causes":["c"],"hint":null,"#,
            r#""file":null,"line":null,"column":null,"resource":null,"field":null,"excerpt":null}"#,
            "\n"
        )
    );
    let hidden = render(
        &[missing_key()],
        Rendering {
            excerpts: false,
            ..json
        },
    );
    assert!(hidden.contains(r#""excerpt":null"#), "{hidden}");
}

#[test]
fn every_fault_has_its_name() {
    let json = Rendering {
        format: Format::Json,
        ..Rendering::PLAIN
    };
    for (fault, name) in [
        (Fault::Input, "input"),
        (Fault::Settings, "settings"),
        (Fault::Backend, "backend"),
        (Fault::Policy, "policy"),
        (Fault::Bug, "bug"),
    ] {
        let text = render(&[Diagnostic::error(fault, "m")], json);
        assert!(text.contains(&format!("\"fault\":\"{name}\"")), "{text}");
    }
}

#[test]
fn sorts_errors_first_and_by_input_and_position() {
    let inputs: Vec<_> = ["first", "second"]
        .map(|name| Arc::new(Source::new(name, "0123456789")))
        .into();
    let at = |severity, input: usize, offset, message: &str| {
        let place = Place::new(Arc::clone(&inputs[input]), Span::at(offset));
        Diagnostic {
            severity,
            ..Diagnostic::error(Fault::Input, message).at(place)
        }
    };
    let mut diagnostics = vec![
        at(Severity::Warning, 0, 1, "warning"),
        at(Severity::Error, 1, 2, "e"),
        at(Severity::Error, 0, 7, "c"),
        at(Severity::Error, 0, 3, "b"),
        at(Severity::Error, 0, 7, "d"),
        Diagnostic::error(Fault::Settings, "a"),
    ];
    sort(&mut diagnostics, &inputs);
    let order: Vec<_> = diagnostics.iter().map(|d| d.message.as_str()).collect();
    assert_eq!(order, ["a", "b", "c", "d", "e", "warning"]);
}
