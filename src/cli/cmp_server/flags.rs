//! The flags of `cmp-server`, and the variables that stand for them.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::super::flags::{ErrorFormat, Variables, at_least_one, duration, go_bool, size};
use crate::diagnostics::{Diagnostic, LevelList};
use crate::env::Environment;

pub(in crate::cli) const EXAMPLES: &str = "\
Examples:
  manifuse cmp-server --name manifuse
  manifuse cmp-server --name manifuse -c /etc/manifuse/manifuse.yaml --secret-cache 30s
  manifuse cmp-server --name manifuse --check

It is the entrypoint of a sidecar of Argo CD's repo-server, in place of argocd-cmp-server; docs/argocd.md shows how. It ends on
SIGTERM when the last render has ended, and forgets its secrets on SIGHUP.";

/// What becomes of a render that does not go to the cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Treatment {
    /// It fails
    #[default]
    Refuse,
    /// References stay as they are
    Leave,
    /// As any other
    Render,
}

/// What makes manifests of an application's files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum RendererKind {
    /// Helm where there is a Chart.yaml, Kustomize where there is a kustomization.yaml, else the files as they are
    #[default]
    Auto,
    /// The files as they are
    Directory,
    /// helm template
    Helm,
    /// kustomize build
    Kustomize,
}

/// The flags. What is `None` was not given.
#[expect(clippy::doc_markdown, reason = "help texts, printed as they are")]
#[derive(Args, Debug, Default)]
pub(in crate::cli) struct CmpServer {
    /// Settings: AVP's keys in any of its formats, or a manifuse.yaml [env: MANIFUSE_CONFIG]
    #[arg(short, long, value_name = "FILE")]
    pub(super) config_path: Option<String>,

    /// AVP's settings in a Kubernetes Secret, read once; the namespace is argocd if none is named
    #[arg(short, long, value_name = "[NAMESPACE:]NAME")]
    pub(super) secret_name: Option<String>,

    /// The folder of a plugin.yaml, which need not be there; /home/argocd/cmp-server/config without it
    #[arg(long, value_name = "FOLDER")]
    pub(super) config_dir_path: Option<PathBuf>,

    /// The plugin's name, with -VERSION if it has one; without it that of plugin.yaml [env: MANIFUSE_CMP_NAME]
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,

    /// Where repo-server looks for sockets; /home/argocd/cmp-server/plugins without it [env: ARGOCD_PLUGINSOCKFILEPATH]
    #[arg(long, value_name = "FOLDER")]
    pub(super) socket_folder: Option<String>,

    /// Ask a running server whether it works, and end
    #[arg(long)]
    pub(super) check: bool,

    /// How long a secret may be shared between renders, e.g. 30s; without it each render fetches its own
    /// [env: MANIFUSE_SECRET_CACHE]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) secret_cache: Option<Duration>,

    /// How many applications are rendered at once; 16 without it [env: MANIFUSE_RENDERS]
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one)]
    pub(super) renders: Option<usize>,

    /// How long a render may take, where Argo CD does not say less; 90s without it [env: ARGOCD_EXEC_TIMEOUT]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) render_timeout: Option<Duration>,

    /// What becomes of files that a person has uploaded (argocd app diff --local); refuse without it
    /// [env: MANIFUSE_UPLOADS]
    #[arg(long, value_name = "WHAT")]
    pub(super) uploads: Option<Treatment>,

    /// What becomes of renders for the source hydrator, which commits them; refuse without it [env: MANIFUSE_HYDRATOR]
    #[arg(long, value_name = "WHAT")]
    pub(super) hydrator: Option<Treatment>,

    /// What makes manifests of an application's files; auto without it [env: MANIFUSE_RENDERER]
    #[arg(long, value_name = "WHAT")]
    pub(super) renderer: Option<RendererKind>,

    /// The program for charts; helm without it [env: MANIFUSE_HELM]
    #[arg(long, value_name = "PROGRAM")]
    pub(super) helm: Option<String>,

    /// The program for kustomizations, kustomize or kubectl; kustomize without it [env: MANIFUSE_KUSTOMIZE]
    #[arg(long, value_name = "PROGRAM")]
    pub(super) kustomize: Option<String>,

    /// Take applications that name no plugin and refer to secrets: Argo CD then uploads every one once more
    /// [env: MANIFUSE_DISCOVER]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) discover: Option<bool>,

    /// Paths in manifests may lead anywhere in the repository, not only into the application's folder
    /// [env: MANIFUSE_REPOSITORY_FILES]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) repository_files: Option<bool>,

    /// An application without documents is fine: Argo CD deletes what it had [env: MANIFUSE_ALLOW_EMPTY]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = go_bool)]
    pub(super) allow_empty: Option<bool>,

    /// What becomes of warnings: off, on (in the log) or error by their names [env: MANIFUSE_WARN]
    #[arg(long, value_name = "NAME=LEVEL,...", value_parser = LevelList::parse)]
    pub(super) warn: Vec<LevelList>,

    /// How long the fetching of a render may take together; 60s without it [env: MANIFUSE_TIMEOUT]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) timeout: Option<Duration>,

    /// How many requests of a render may be under way at one backend; 64 without it [env: MANIFUSE_CONCURRENCY]
    #[arg(long, value_name = "NUMBER", value_parser = at_least_one)]
    pub(super) concurrency: Option<usize>,

    /// How large an upload may be, compressed; 512MiB without it [env: MANIFUSE_UPLOAD_LIMIT]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) upload_limit: Option<u64>,

    /// How large an upload may be, unpacked; 1GiB without it [env: MANIFUSE_UNPACKED_LIMIT]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) unpacked_limit: Option<u64>,

    /// How much is read as manifests of an application; 256MiB without it [env: MANIFUSE_INPUT_LIMIT]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) input_limit: Option<u64>,

    /// How large one document may be; 256MiB without it [env: MANIFUSE_DOCUMENT_LIMIT]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) document_limit: Option<u64>,

    /// How large a file may be that a manifest refers to; 16MiB without it [env: MANIFUSE_FILE_LIMIT]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) file_limit: Option<u64>,

    /// How long renders may go on after SIGTERM; 25s without it [env: MANIFUSE_GRACE]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(super) grace: Option<Duration>,

    /// Where Prometheus may read /metrics, e.g. 127.0.0.1:9090; nowhere without it [env: MANIFUSE_METRICS_ADDRESS]
    #[arg(long, value_name = "ADDRESS")]
    pub(super) metrics_address: Option<SocketAddr>,

    /// How the log is written; text without it [env: ARGOCD_CMP_SERVER_LOGFORMAT]
    #[arg(long, alias = "logformat", value_name = "FORMAT")]
    pub(super) log_format: Option<ErrorFormat>,
}

impl CmpServer {
    /// Takes what was not given from the variables.
    pub(super) fn fill_from(&mut self, environment: &Environment) -> Result<(), Vec<Diagnostic>> {
        let mut from = Variables::new(environment);
        let text = |text: &str| Ok(text.to_owned());
        from.fill(&mut self.config_path, "MANIFUSE_CONFIG", text);
        from.fill(&mut self.name, "MANIFUSE_CMP_NAME", text);
        from.fill(&mut self.socket_folder, "ARGOCD_PLUGINSOCKFILEPATH", text);
        from.fill(&mut self.secret_cache, "MANIFUSE_SECRET_CACHE", duration);
        from.fill(&mut self.renders, "MANIFUSE_RENDERS", at_least_one);
        from.fill(&mut self.render_timeout, "ARGOCD_EXEC_TIMEOUT", duration);
        from.fill(&mut self.uploads, "MANIFUSE_UPLOADS", word);
        from.fill(&mut self.hydrator, "MANIFUSE_HYDRATOR", word);
        from.fill(&mut self.renderer, "MANIFUSE_RENDERER", word);
        from.fill(&mut self.helm, "MANIFUSE_HELM", text);
        from.fill(&mut self.kustomize, "MANIFUSE_KUSTOMIZE", text);
        from.fill(&mut self.discover, "MANIFUSE_DISCOVER", go_bool);
        from.fill(
            &mut self.repository_files,
            "MANIFUSE_REPOSITORY_FILES",
            go_bool,
        );
        from.fill(&mut self.allow_empty, "MANIFUSE_ALLOW_EMPTY", go_bool);
        from.fill(&mut self.timeout, "MANIFUSE_TIMEOUT", duration);
        from.fill(&mut self.concurrency, "MANIFUSE_CONCURRENCY", at_least_one);
        from.fill(&mut self.upload_limit, "MANIFUSE_UPLOAD_LIMIT", size);
        from.fill(&mut self.unpacked_limit, "MANIFUSE_UNPACKED_LIMIT", size);
        from.fill(&mut self.input_limit, "MANIFUSE_INPUT_LIMIT", size);
        from.fill(&mut self.document_limit, "MANIFUSE_DOCUMENT_LIMIT", size);
        from.fill(&mut self.file_limit, "MANIFUSE_FILE_LIMIT", size);
        from.fill(&mut self.grace, "MANIFUSE_GRACE", duration);
        let address = |text: &str| {
            text.parse()
                .map_err(|_| "it is an address and a port, such as 127.0.0.1:9090".to_owned())
        };
        from.fill(
            &mut self.metrics_address,
            "MANIFUSE_METRICS_ADDRESS",
            address,
        );
        from.fill(&mut self.log_format, "ARGOCD_CMP_SERVER_LOGFORMAT", word);
        // The flag goes on where the variable ends.
        self.warn
            .splice(0..0, from.read("MANIFUSE_WARN", LevelList::parse));
        from.finish()
    }
}

fn word<T: ValueEnum>(text: &str) -> Result<T, String> {
    T::from_str(text, false).map_err(|_| {
        let known = T::value_variants()
            .iter()
            .filter_map(ValueEnum::to_possible_value);
        let known: Vec<_> = known.map(|value| value.get_name().to_owned()).collect();
        format!("it is one of {}", known.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use clap::{Command, FromArgMatches as _};

    use super::*;

    #[test]
    fn every_variable_in_the_help_is_read() {
        let mut command = CmpServer::augment_args(Command::new("cmp-server"));
        let help = command.render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        let names: Vec<_> = help
            .split("[env: ")
            .skip(1)
            .map(|rest| rest.split(']').next().unwrap())
            .collect();
        assert_eq!(names.len(), 25, "{names:?}");
        for name in names {
            let environment = [(name, "1")].into_iter().collect();
            let mut flags = CmpServer::default();
            // `1` fits most of them; a refusal shows as well that they were read.
            let filled = flags.fill_from(&environment);
            let changed = format!("{flags:?}") != format!("{:?}", CmpServer::default());
            assert!(changed || filled.is_err(), "{name}");
        }
    }

    #[test]
    fn flags_win_over_variables() {
        let command = CmpServer::augment_args(Command::new("cmp-server"));
        let matches =
            command.get_matches_from(["cmp-server", "--uploads", "leave", "--logformat", "json"]);
        let mut flags = CmpServer::from_arg_matches(&matches).unwrap();
        let variables = [
            ("MANIFUSE_UPLOADS", "render"),
            ("MANIFUSE_HYDRATOR", "leave"),
        ];
        flags.fill_from(&variables.into_iter().collect()).unwrap();
        assert_eq!(flags.uploads, Some(Treatment::Leave));
        assert_eq!(flags.hydrator, Some(Treatment::Leave));
        assert_eq!(flags.log_format, Some(ErrorFormat::Json));
        let wrong = [("MANIFUSE_UPLOADS", "x")].into_iter().collect();
        let error = CmpServer::default().fill_from(&wrong).unwrap_err();
        assert_eq!(
            error[0].message,
            "MANIFUSE_UPLOADS is wrong: it is one of refuse, leave, render"
        );
    }
}
