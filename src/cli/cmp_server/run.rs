//! The straight line of a render, on files in memory: decrypt, collect, fetch, substitute, and objects in the end.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::super::CONCURRENCY;
use super::super::instances::Instances;
use super::engine::Engine;
use super::failed::Failed;
use super::log::Severity;
use crate::argocd::archive::Tree;
use crate::argocd::objects::objects;
use crate::argocd::tree_files::TreeFiles;
use crate::backends::registry::SettingsError;
use crate::diagnostics::{self, Diagnostic, Fault, Rendering, Source};
use crate::files::Files;
use crate::inject::{self, Decryption, PathRule, RenderContext, Rendered};
use crate::settings::Settings;
use crate::sops::{Keyring, MacCheck};

/// One render with all that it needs.
pub(super) struct Run<'e> {
    pub(super) engine: &'e Engine,
    pub(super) settings: &'e Settings,
    pub(super) instances: &'e Instances,
    pub(super) deadline: Instant,
    /// Its number in the log.
    pub(super) request: u64,
}

impl Run<'_> {
    /// The objects of the manifests. `backend` is what the application wants `path:` to mean.
    pub(super) async fn inject(
        &self,
        sources: &[Arc<Source>],
        tree: Arc<Tree>,
        backend: Option<&str>,
    ) -> Result<Vec<String>, Failed> {
        let fail = |diagnostics| Failed {
            diagnostics,
            sources: sources.to_vec(),
        };
        let keyring = || self.instances.keyring(self.settings);
        let decryption = self.decryption(&keyring);
        let decrypted = inject::decrypt(sources, &decryption);
        let sources = decrypted.await.map_err(fail)?;
        let options = self.engine.collect_options(self.instances, backend)?;
        let stream = inject::collect(&sources, &options).map_err(fail)?;
        let context = self.context(tree)?;
        let rendered = inject::render(stream, &context).await.map_err(fail)?;
        self.warn(&rendered)?;
        all_objects(rendered.texts())
    }

    fn decryption<'d>(
        &self,
        keyring: &'d dyn Fn() -> Result<Arc<Keyring>, SettingsError>,
    ) -> Decryption<'d> {
        Decryption {
            keyring,
            mac: if self.settings.verifies_stream_mac {
                MacCheck::Required
            } else {
                MacCheck::Skipped
            },
            document_limit: self.engine.options.document_limit,
            timeout: self.fetch_timeout(),
        }
    }

    fn context(&self, tree: Arc<Tree>) -> Result<RenderContext, Failed> {
        let options = &self.engine.options;
        let rule = self.settings.path_validation();
        let rule = rule.map_err(|error| Failed::from(Diagnostic::from_error(&error)))?;
        let files: Arc<dyn Files> = Arc::new(TreeFiles {
            tree,
            keep: options.keep,
            limit: options.file_limit,
        });
        Ok(RenderContext {
            pool: Arc::clone(&self.instances.pool),
            files,
            path_rules: rule.map(PathRule::new).into_iter().collect(),
            policy: self.settings.policy.clone(),
            fetch_timeout: self.fetch_timeout(),
            concurrency: options.concurrency.unwrap_or(CONCURRENCY),
        })
    }

    /// Time is left to say which secret there was no answer for.
    fn fetch_timeout(&self) -> Duration {
        let left = self.deadline.saturating_duration_since(Instant::now());
        self.engine
            .options
            .timeout
            .min(left.saturating_sub(Duration::from_millis(100)))
    }

    /// Warnings go to the log; one that the operator wants to fail a render does.
    fn warn(&self, rendered: &Rendered<'_>) -> Result<(), Failed> {
        let mut warnings = rendered.warnings.clone();
        self.engine.options.levels.apply(&mut warnings);
        if diagnostics::exit_code(&warnings) != 0 {
            return Err(Failed {
                diagnostics: warnings,
                sources: rendered.sources.to_vec(),
            });
        }
        let rendering = Rendering {
            excerpts: false,
            ..Rendering::PLAIN
        };
        for warning in warnings {
            let text = diagnostics::render(&[warning], rendering);
            let fields = [
                ("request", json!(self.request)),
                ("warning", json!(text.trim_end())),
            ];
            self.engine.log.tell(Severity::Warning, "warned", &fields);
        }
        Ok(())
    }
}

/// The objects of all texts, or all that is wrong with them.
pub(super) fn all_objects<'s>(
    texts: impl Iterator<Item = (&'s str, String)>,
) -> Result<Vec<String>, Failed> {
    let mut all = Vec::new();
    let mut told = Vec::new();
    for (name, text) in texts {
        match objects(name, &text) {
            Ok(own) => all.extend(own),
            Err(errors) => told.extend(
                errors
                    .iter()
                    .map(|error| Diagnostic::error(Fault::Input, error.to_string())),
            ),
        }
    }
    if told.is_empty() {
        Ok(all)
    } else {
        Err(told.into())
    }
}
