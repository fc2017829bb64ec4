//! Every variable that this version reads has a test that shows its effect: the list says which.

use std::fs;
use std::path::Path;

use manifuse::backends::registry::TYPES;
use manifuse::settings::variables::{self, Fate};

use crate::support::certificates::Certificates;
use crate::support::program::Program;
use crate::support::server::{Reply, Server};

/// A variable, the file of its test, and the test's name.
const EFFECTS: &[(&str, &str, &str)] = {
    const AWS: &str = "tests/it/clouds/aws.rs";
    const AWS_SECRETS: &str = "tests/it/stores/awssecretsmanager.rs";
    const AWS_SSM: &str = "tests/it/stores/awsssm.rs";
    const AZURE: &str = "tests/it/clouds/azure.rs";
    const BAD_INPUT: &str = "tests/it/vault/bad_input.rs";
    const CACHE: &str = "tests/it/vault/cache.rs";
    const CONNECT: &str = "tests/it/stores/onepasswordconnect.rs";
    const DELINEA: &str = "tests/it/stores/delineasecretserver.rs";
    const GCP: &str = "tests/it/clouds/gcp.rs";
    const IBM: &str = "tests/it/stores/ibmsecretsmanager.rs";
    const KEEPER: &str = "tests/it/stores/keepersecretsmanager.rs";
    const LOCKBOX: &str = "tests/it/stores/yandexcloudlockbox.rs";
    const LOGINS: &str = "tests/it/vault/logins.rs";
    const NETWORK: &str = "tests/it/vault/network.rs";
    const PASS: &str = "tests/it/stores/pass.rs";
    const READ: &str = "tests/it/vault/read.rs";
    const TLS: &str = "tests/it/vault/tls.rs";
    const WRAPPING: &str = "tests/it/vault/wrapping.rs";
    const SOPS: &str = "tests/it/sops_backend.rs";
    const SOPS_PGP: &str = "tests/it/sops_pgp.rs";
    const SETTINGS: &str = "src/settings/tests.rs";
    const PROXY: &str = "src/clients/proxy.rs";
    const HERE: &str = "tests/it/variables.rs";
    &[
        (
            "AVP_TYPE",
            SETTINGS,
            "avps_keys_come_from_argocd_then_plain_then_file",
        ),
        (
            "AVP_PATH_VALIDATION",
            SETTINGS,
            "a_path_validation_is_compiled_when_asked_for_and_matches_anywhere",
        ),
        ("AVP_AUTH_TYPE", LOGINS, "userpass"),
        (
            "AVP_KV_VERSION",
            READ,
            "the_setting_decides_where_the_document_does_not",
        ),
        ("AVP_ROLE_ID", LOGINS, "approle"),
        ("AVP_SECRET_ID", LOGINS, "approle"),
        (
            "AVP_SECRET_ID_WRAPPED",
            WRAPPING,
            "one_that_was_used_is_told",
        ),
        (
            "AVP_SECRET_ID_WRAPPED_PATH",
            WRAPPING,
            "it_may_lie_in_a_file_and_under_another_mount_and_namespace",
        ),
        ("AVP_GITHUB_TOKEN", LOGINS, "github"),
        ("AVP_USERNAME", LOGINS, "userpass"),
        ("AVP_PASSWORD", LOGINS, "userpass"),
        ("AVP_ROLE", LOGINS, "jwt_out_of_a_file"),
        ("AVP_JWT", LOGINS, "jwt_as_text_without_a_role"),
        ("AVP_JWT_PATH", LOGINS, "jwt_out_of_a_file"),
        ("AVP_K8S_ROLE", LOGINS, "kubernetes"),
        ("AVP_K8S_TOKEN_PATH", LOGINS, "kubernetes"),
        ("AVP_MOUNT_PATH", LOGINS, "github"),
        ("AVP_K8S_MOUNT_PATH", LOGINS, "kubernetes"),
        ("VAULT_ADDR", LOGINS, "approle"),
        (
            "VAULT_AGENT_ADDR",
            NETWORK,
            "an_agent_wins_and_a_base_path_is_kept",
        ),
        (
            "VAULT_TOKEN",
            SETTINGS,
            "keys_for_libraries_come_from_argocd_then_file_then_plain",
        ),
        ("VAULT_NAMESPACE", LOGINS, "approle"),
        (
            "VAULT_CACERT",
            TLS,
            "trusts_the_authority_of_the_settings_however_it_is_given",
        ),
        (
            "VAULT_CACERT_BYTES",
            TLS,
            "trusts_the_authority_of_the_settings_however_it_is_given",
        ),
        (
            "VAULT_CAPATH",
            TLS,
            "trusts_the_authority_of_the_settings_however_it_is_given",
        ),
        (
            "VAULT_CLIENT_CERT",
            TLS,
            "shows_its_own_certificate_where_one_is_wanted",
        ),
        (
            "VAULT_CLIENT_KEY",
            TLS,
            "shows_its_own_certificate_where_one_is_wanted",
        ),
        (
            "VAULT_SKIP_VERIFY",
            TLS,
            "trusts_the_authority_of_the_settings_however_it_is_given",
        ),
        (
            "VAULT_TLS_SERVER_NAME",
            TLS,
            "a_certificate_for_another_name_is_refused_unless_that_name_is_asked_for",
        ),
        (
            "VAULT_CLIENT_TIMEOUT",
            BAD_INPUT,
            "silence_ends_with_the_timeout_of_the_settings",
        ),
        ("VAULT_MAX_RETRIES", BAD_INPUT, "no_retries_means_one_try"),
        (
            "VAULT_RATE_LIMIT",
            NETWORK,
            "a_rate_limit_spreads_the_requests",
        ),
        (
            "VAULT_HTTP_PROXY",
            NETWORK,
            "a_proxy_of_the_settings_wins_over_that_of_the_system",
        ),
        (
            "VAULT_PROXY_ADDR",
            NETWORK,
            "a_proxy_of_the_settings_wins_over_that_of_the_system",
        ),
        (
            "VAULT_DISABLE_REDIRECTS",
            BAD_INPUT,
            "a_redirect_within_the_server_is_followed_once",
        ),
        (
            "VAULT_SRV_LOOKUP",
            NETWORK,
            "a_service_is_found_by_its_srv_records",
        ),
        (
            "VAULT_HEADERS",
            NETWORK,
            "headers_of_the_settings_go_with_every_request",
        ),
        ("AVP_IBM_API_KEY", IBM, "a_login_that_fails_is_made_once"),
        (
            "AVP_IBM_INSTANCE_URL",
            IBM,
            "an_application_says_not_where_the_token_goes",
        ),
        (
            "AVP_YCL_KEY_ID",
            LOCKBOX,
            "a_statement_of_another_key_or_account_is_refused",
        ),
        (
            "AVP_YCL_SERVICE_ACCOUNT_ID",
            LOCKBOX,
            "a_statement_of_another_key_or_account_is_refused",
        ),
        (
            "AVP_YCL_PRIVATE_KEY",
            LOCKBOX,
            "a_statement_of_another_key_or_account_is_refused",
        ),
        (
            "AVP_KEEPER_CONFIG_PATH",
            KEEPER,
            "files_that_cannot_be_used_are_told",
        ),
        (
            "KSM_HOSTNAME",
            KEEPER,
            "the_host_of_the_settings_wins_and_any_certificate_may_do",
        ),
        (
            "KSM_SKIP_VERIFY",
            KEEPER,
            "the_host_of_the_settings_wins_and_any_certificate_may_do",
        ),
        (
            "AVP_DELINEA_URL",
            DELINEA,
            "an_application_says_not_where_the_password_goes",
        ),
        (
            "AVP_DELINEA_USER",
            DELINEA,
            "a_login_that_fails_is_made_once",
        ),
        (
            "AVP_DELINEA_PASSWORD",
            DELINEA,
            "a_login_that_fails_is_made_once",
        ),
        (
            "AVP_DELINEA_DOMAIN",
            DELINEA,
            "a_login_that_fails_is_made_once",
        ),
        (
            "OP_CONNECT_HOST",
            CONNECT,
            "an_application_says_not_where_the_token_goes",
        ),
        ("OP_CONNECT_TOKEN", CONNECT, "another_token_is_refused"),
        (
            "AWS_REGION",
            AWS_SECRETS,
            "the_region_is_avps_unless_a_named_backend_follows_its_profile",
        ),
        ("AWS_ACCESS_KEY_ID", AWS, "static_keys_sign_each_request"),
        (
            "AWS_SECRET_ACCESS_KEY",
            AWS,
            "static_keys_sign_each_request",
        ),
        ("AWS_SESSION_TOKEN", AWS, "static_keys_sign_each_request"),
        (
            "AWS_PROFILE",
            AWS,
            "profiles_come_from_files_and_a_named_one_wins",
        ),
        (
            "AWS_CONFIG_FILE",
            AWS,
            "profiles_come_from_files_and_a_named_one_wins",
        ),
        (
            "AWS_SHARED_CREDENTIALS_FILE",
            AWS,
            "profiles_come_from_files_and_a_named_one_wins",
        ),
        (
            "AWS_WEB_IDENTITY_TOKEN_FILE",
            AWS,
            "a_web_identity_is_exchanged_for_keys",
        ),
        ("AWS_ROLE_ARN", AWS, "a_web_identity_is_exchanged_for_keys"),
        (
            "AWS_ROLE_SESSION_NAME",
            AWS,
            "a_web_identity_is_exchanged_for_keys",
        ),
        (
            "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
            AWS,
            "a_container_gives_keys",
        ),
        (
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            AWS,
            "a_container_gives_keys",
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN",
            AWS,
            "a_container_gives_keys",
        ),
        (
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
            AWS,
            "a_container_gives_keys",
        ),
        (
            "AWS_EC2_METADATA_DISABLED",
            AWS,
            "the_metadata_of_an_instance_give_keys",
        ),
        (
            "AWS_EC2_METADATA_SERVICE_ENDPOINT",
            AWS,
            "the_metadata_of_an_instance_give_keys",
        ),
        ("AWS_CA_BUNDLE", AWS, "the_bundle_of_roots_is_trusted"),
        ("AWS_ENDPOINT_URL", AWS, "static_keys_sign_each_request"),
        (
            "AWS_ENDPOINT_URL_KMS",
            AWS,
            "a_web_identity_is_exchanged_for_keys",
        ),
        (
            "AWS_ENDPOINT_URL_STS",
            AWS,
            "a_web_identity_is_exchanged_for_keys",
        ),
        (
            "AWS_ENDPOINT_URL_SECRETS_MANAGER",
            AWS_SECRETS,
            "an_application_sets_no_address",
        ),
        (
            "AWS_ENDPOINT_URL_SSM",
            AWS_SSM,
            "an_application_sets_no_address",
        ),
        (
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
            AWS,
            "addresses_follow_the_key_and_the_settings",
        ),
        (
            "AWS_USE_FIPS_ENDPOINT",
            AWS,
            "addresses_follow_the_key_and_the_settings",
        ),
        (
            "AWS_USE_DUALSTACK_ENDPOINT",
            AWS,
            "addresses_follow_the_key_and_the_settings",
        ),
        ("AWS_MAX_ATTEMPTS", AWS, "tries_are_repeated_and_counted"),
        (
            "AZURE_TENANT_ID",
            AZURE,
            "a_secret_of_an_application_is_a_login",
        ),
        (
            "AZURE_CLIENT_ID",
            AZURE,
            "a_secret_of_an_application_is_a_login",
        ),
        (
            "AZURE_CLIENT_SECRET",
            AZURE,
            "a_secret_of_an_application_is_a_login",
        ),
        (
            "AZURE_CLIENT_CERTIFICATE_PATH",
            AZURE,
            "a_certificate_is_a_login_by_a_signed_statement",
        ),
        (
            "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
            AZURE,
            "a_certificate_is_a_login_by_a_signed_statement",
        ),
        (
            "AZURE_FEDERATED_TOKEN_FILE",
            AZURE,
            "a_workloads_token_is_a_login",
        ),
        (
            "AZURE_AUTHORITY_HOST",
            AZURE,
            "a_secret_of_an_application_is_a_login",
        ),
        ("IDENTITY_ENDPOINT", AZURE, "a_managed_identity_is_a_login"),
        ("IDENTITY_HEADER", AZURE, "a_managed_identity_is_a_login"),
        (
            "GOOGLE_APPLICATION_CREDENTIALS",
            GCP,
            "credentials_are_looked_for_in_the_order_of_sops",
        ),
        (
            "GOOGLE_CREDENTIALS",
            GCP,
            "credentials_are_looked_for_in_the_order_of_sops",
        ),
        (
            "GOOGLE_OAUTH_ACCESS_TOKEN",
            GCP,
            "credentials_are_looked_for_in_the_order_of_sops",
        ),
        (
            "GOOGLE_CLOUD_QUOTA_PROJECT",
            "tests/it/stores/gcpsecretmanager.rs",
            "the_project_that_pays_is_the_settings_or_the_credentials",
        ),
        (
            "CLOUDSDK_CONFIG",
            GCP,
            "credentials_are_looked_for_in_the_order_of_sops",
        ),
        (
            "GCE_METADATA_HOST",
            GCP,
            "credentials_are_looked_for_in_the_order_of_sops",
        ),
        (
            "SOPS_GCP_KMS_ENDPOINT",
            GCP,
            "addresses_follow_the_settings",
        ),
        (
            "SOPS_GCP_KMS_UNIVERSE_DOMAIN",
            GCP,
            "addresses_follow_the_settings",
        ),
        ("SOPS_AGE_KEY", SOPS, "keys_come_from_everywhere"),
        ("SOPS_AGE_KEY_FILE", SOPS, "keys_come_from_everywhere"),
        ("SOPS_AGE_KEY_CMD", SOPS, "keys_come_from_everywhere"),
        (
            "SOPS_AGE_SSH_PRIVATE_KEY_FILE",
            SOPS,
            "ssh_keys_come_from_everywhere",
        ),
        (
            "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
            SOPS,
            "ssh_keys_come_from_everywhere",
        ),
        (
            "SOPS_GPG_EXEC",
            SOPS_PGP,
            "gpg_is_asked_where_no_key_is_at_hand",
        ),
        ("GNUPGHOME", SOPS_PGP, "the_folder_of_gnupg_is_read"),
        (
            "SOPS_HC_VAULT_ALLOWLIST",
            "tests/it/sops_transit.rs",
            "a_token_goes_only_where_the_operator_allows_it",
        ),
        (
            "SOPS_DECRYPTION_ORDER",
            SOPS,
            "an_order_of_keys_names_each_kind_once",
        ),
        ("XDG_CONFIG_HOME", SOPS, "keys_come_from_everywhere"),
        ("HOME", CACHE, "processes_share_one_login"),
        (
            "PASSWORD_STORE_DIR",
            PASS,
            "a_store_lies_at_home_or_where_a_setting_says",
        ),
        (
            "KUBERNETES_SERVICE_HOST",
            "tests/it/stores/kubernetessecret.rs",
            "a_pods_account_is_taken",
        ),
        (
            "KUBERNETES_SERVICE_PORT",
            "tests/it/stores/kubernetessecret.rs",
            "a_pods_account_is_taken",
        ),
        (
            "HTTP_PROXY",
            NETWORK,
            "the_system_proxy_is_left_out_for_this_machine_and_exceptions",
        ),
        (
            "HTTPS_PROXY",
            PROXY,
            "the_variable_of_the_scheme_counts_and_capitals_first",
        ),
        (
            "NO_PROXY",
            PROXY,
            "this_machine_and_the_exceptions_need_no_proxy",
        ),
        (
            "SSL_CERT_FILE",
            HERE,
            "the_systems_roots_may_be_a_file_or_a_folder",
        ),
        (
            "SSL_CERT_DIR",
            HERE,
            "the_systems_roots_may_be_a_file_or_a_folder",
        ),
        (
            "ARGOCD_APP_NAME",
            "src/cli/tests.rs",
            "under_argo_cd_nothing_is_quoted",
        ),
    ]
};

/// Our own variables are held by the tests of their flags and backends.
#[test]
fn every_variable_that_is_read_has_its_test() {
    let is_own = |name| {
        TYPES
            .iter()
            .any(|kind| kind.own.iter().any(|own| own.name == name))
    };
    let read = variables::all().filter(|v| {
        let is_read = matches!(v.fate, Fate::Setting | Fate::Goes(_));
        is_read && !v.name.starts_with("MANIFUSE_") && !is_own(v.name)
    });
    let read: Vec<_> = read.map(|variable| variable.name).collect();
    let listed: Vec<_> = EFFECTS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(listed, read);
    for (name, file, test) in EFFECTS {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = fs::read_to_string(path).unwrap();
        let is_test = text.contains(&format!("#[test]\nfn {test}("))
            || text.contains(&format!("#[test]\n    fn {test}("));
        assert!(is_test, "{file} has no test {test}");
        assert!(
            text.contains(&format!("\"{name}\"")),
            "{file} does not name {name}"
        );
    }
}

#[test]
fn the_systems_roots_may_be_a_file_or_a_folder() {
    let certificates = Certificates::new(&["127.0.0.1"]);
    let server = Server::start_tls(certificates.server(), |_| {
        Reply::json(200, r#"{"data":{"data":{"k":"v"}}}"#)
    });
    let program = || {
        Program::manifuse(["generate", "-"])
            .stdin("kind: X\nk: <path:secret/data/a#k>\n")
            .env("AVP_TYPE", "vault")
            .env("AVP_AUTH_TYPE", "token")
            .env("VAULT_TOKEN", "t")
            .env("VAULT_ADDR", server.url())
            .file("roots/ca.pem", &certificates.ca_pem)
    };
    assert_eq!(program().run().code, Some(3), "a stranger is not trusted");
    for (name, path) in [("SSL_CERT_FILE", "roots/ca.pem"), ("SSL_CERT_DIR", "roots")] {
        let run = program().env(name, path).run();
        assert_eq!(run.code, Some(0), "{name}: {}", run.stderr);
    }
}
