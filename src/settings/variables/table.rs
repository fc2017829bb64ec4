//! The table itself, in the order of `avp-compat.md` section 10, ours last: those of the program and of several types.

use super::{Fate, Variable};

const fn row(
    name: &'static str,
    reader: &'static str,
    says: &'static str,
    fate: Fate,
    shown: bool,
) -> Variable {
    Variable {
        name,
        reader,
        says,
        fate,
        shown,
    }
}

const fn setting(name: &'static str, reader: &'static str, says: &'static str) -> Variable {
    row(name, reader, says, Fate::Setting, true)
}

/// A credential, or what may hold one.
const fn secret(name: &'static str, reader: &'static str, says: &'static str) -> Variable {
    row(name, reader, says, Fate::Setting, false)
}

const fn goes(
    name: &'static str,
    reader: &'static str,
    says: &'static str,
    to: &'static str,
) -> Variable {
    row(name, reader, says, Fate::Goes(to), true)
}

const fn ignored(
    name: &'static str,
    reader: &'static str,
    says: &'static str,
    reason: &'static str,
) -> Variable {
    row(name, reader, says, Fate::Ignored(reason), true)
}

const fn not_yet(name: &'static str, reader: &'static str, says: &'static str) -> Variable {
    row(name, reader, says, Fate::NotYet, false)
}

const AWS: &str = "awssecretsmanager, awsssm, sops: AWS";
const AWS_STORES: &str = "awssecretsmanager, awsssm";
const AZURE: &str = "azurekeyvault, sops: Azure";
const GCP: &str = "gcpsecretmanager, sops: GCP";
const IBM: &str = "ibmsecretsmanager";
const KUBERNETES: &str = "kubernetessecret";
const LOCKBOX: &str = "yandexcloudlockbox";
const CONNECT: &str = "1passwordconnect";
const DELINEA: &str = "delineasecretserver";
const KEEPER: &str = "keepersecretsmanager";
const AGE: &str = "sops: age, gopass, pass";
const PGP: &str = "sops: PGP, gopass, pass";
const PASSWORDS: &str = "gopass, pass";
const IN_CLUSTER: &str = "-s, kubernetessecret";
const FLAG: &str = "the flag";
/// All but those that only one type of backend reads and argocd-vault-plugin does not know.
pub(super) const VARIABLES: &[Variable] = &[
    goes("AVP_TYPE", "all", "the default backend", "defaultBackend"),
    goes(
        "AVP_PATH_VALIDATION",
        "all",
        "an expression that every secret path matches",
        "the rule for secret paths",
    ),
    setting("AVP_AUTH_TYPE", "vault", "how to log in"),
    setting("AVP_KV_VERSION", "vault", "1 or 2; 2 without it"),
    secret("AVP_ROLE_ID", "vault: approle", "the role id"),
    secret("AVP_SECRET_ID", "vault: approle", "the secret id"),
    secret(
        "AVP_SECRET_ID_WRAPPED",
        "vault: approle",
        "a wrapping token that holds the secret id",
    ),
    setting(
        "AVP_SECRET_ID_WRAPPED_PATH",
        "vault: approle",
        "a file with such a token",
    ),
    secret("AVP_GITHUB_TOKEN", "vault: github", "the GitHub token"),
    secret("AVP_USERNAME", "vault: userpass, ldap", "the user"),
    secret("AVP_PASSWORD", "vault: userpass, ldap", "the password"),
    setting("AVP_ROLE", "vault: aws, jwt, cert, k8s", "the role"),
    secret("AVP_JWT", "vault: jwt", "the token to log in with"),
    setting("AVP_JWT_PATH", "vault: jwt", "a file with that token"),
    setting("AVP_K8S_ROLE", "vault: k8s", "the role"),
    setting(
        "AVP_K8S_TOKEN_PATH",
        "vault: k8s",
        "the file of the service account's token",
    ),
    setting(
        "AVP_MOUNT_PATH",
        "vault",
        "where the login method is mounted, with `auth/`",
    ),
    setting(
        "AVP_K8S_MOUNT_PATH",
        "vault: k8s",
        "the same, and wins over it",
    ),
    setting(
        "VAULT_ADDR",
        "vault",
        "the address; `https://127.0.0.1:8200` without it",
    ),
    setting(
        "VAULT_AGENT_ADDR",
        "vault",
        "an agent's address, which wins",
    ),
    secret("VAULT_TOKEN", "vault: token", "the token"),
    setting("VAULT_NAMESPACE", "vault", "the namespace of all calls"),
    setting(
        "VAULT_CACERT",
        "vault",
        "a file with the only roots to trust",
    ),
    secret("VAULT_CACERT_BYTES", "vault", "the same as text"),
    setting("VAULT_CAPATH", "vault", "the same as a folder"),
    setting(
        "VAULT_CLIENT_CERT",
        "vault",
        "the file of the client's certificate",
    ),
    setting("VAULT_CLIENT_KEY", "vault", "the file of its key"),
    setting(
        "VAULT_SKIP_VERIFY",
        "vault",
        "whether to trust any certificate",
    ),
    setting("VAULT_TLS_SERVER_NAME", "vault", "the name to ask TLS for"),
    setting(
        "VAULT_CLIENT_TIMEOUT",
        "vault",
        "how long a request may take; 60s without it",
    ),
    setting(
        "VAULT_MAX_RETRIES",
        "vault",
        "how often to try again; 2 without it",
    ),
    setting(
        "VAULT_RATE_LIMIT",
        "vault",
        "requests a second, as RATE or RATE:BURST",
    ),
    setting("VAULT_HTTP_PROXY", "vault", "a proxy"),
    setting("VAULT_PROXY_ADDR", "vault", "the same, and wins over it"),
    setting(
        "VAULT_DISABLE_REDIRECTS",
        "vault",
        "whether to follow no redirect",
    ),
    setting(
        "VAULT_SRV_LOOKUP",
        "vault",
        "whether to ask for the SRV record of the address",
    ),
    secret("VAULT_HEADERS", "vault", "more headers, as a JSON object"),
    ignored(
        "VAULT_WRAP_TTL",
        "vault",
        "wraps every answer",
        "a wrapped answer could not be read",
    ),
    ignored(
        "VAULT_MFA",
        "vault",
        "a second factor",
        "nobody reads it, AVP's library neither",
    ),
    secret("AVP_IBM_API_KEY", IBM, "the API key"),
    setting("AVP_IBM_INSTANCE_URL", IBM, "the address"),
    setting("AVP_YCL_KEY_ID", LOCKBOX, "the key's id"),
    setting("AVP_YCL_SERVICE_ACCOUNT_ID", LOCKBOX, "the service account"),
    secret("AVP_YCL_PRIVATE_KEY", LOCKBOX, "the key"),
    setting("AVP_KEEPER_CONFIG_PATH", KEEPER, "the device's file"),
    setting("KSM_HOSTNAME", KEEPER, "the host, over the file's"),
    setting(
        "KSM_SKIP_VERIFY",
        KEEPER,
        "whether to trust any certificate",
    ),
    row(
        "KSM_TOKEN",
        KEEPER,
        "a token for one use",
        Fate::Ignored("Keeper's own tool makes the device's file of it"),
        false,
    ),
    setting("AVP_DELINEA_URL", DELINEA, "the address"),
    setting("AVP_DELINEA_USER", DELINEA, "the user"),
    secret("AVP_DELINEA_PASSWORD", DELINEA, "the password"),
    setting("AVP_DELINEA_DOMAIN", DELINEA, "the user's domain"),
    setting("OP_CONNECT_HOST", CONNECT, "the address"),
    secret("OP_CONNECT_TOKEN", CONNECT, "the token"),
    setting("AWS_REGION", AWS_STORES, "the region; us-east-2 without it"),
    setting("AWS_ACCESS_KEY_ID", AWS, "the key's id"),
    secret("AWS_SECRET_ACCESS_KEY", AWS, "the key"),
    secret("AWS_SESSION_TOKEN", AWS, "the session"),
    setting("AWS_PROFILE", AWS, "the profile"),
    setting("AWS_CONFIG_FILE", AWS, "the file of profiles"),
    setting(
        "AWS_SHARED_CREDENTIALS_FILE",
        AWS,
        "the file of credentials",
    ),
    setting("AWS_WEB_IDENTITY_TOKEN_FILE", AWS, "the file of a token"),
    setting("AWS_ROLE_ARN", AWS, "the role for that token"),
    setting("AWS_ROLE_SESSION_NAME", AWS, "the name of its session"),
    setting(
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        AWS,
        "where a container gets credentials",
    ),
    setting(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        AWS,
        "the same, in full",
    ),
    secret("AWS_CONTAINER_AUTHORIZATION_TOKEN", AWS, "the token for it"),
    setting(
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        AWS,
        "the file of that token",
    ),
    setting(
        "AWS_EC2_METADATA_DISABLED",
        AWS,
        "whether to ask no instance metadata",
    ),
    setting("AWS_EC2_METADATA_SERVICE_ENDPOINT", AWS, "where to ask it"),
    setting("AWS_CA_BUNDLE", AWS, "the roots to trust"),
    setting("AWS_ENDPOINT_URL", AWS, "the address of all services"),
    setting("AWS_ENDPOINT_URL_KMS", "sops: AWS", "the address of KMS"),
    setting("AWS_ENDPOINT_URL_STS", AWS, "the address of STS"),
    setting(
        "AWS_ENDPOINT_URL_SECRETS_MANAGER",
        "awssecretsmanager",
        "the address of this one",
    ),
    setting("AWS_ENDPOINT_URL_SSM", "awsssm", "the address of this one"),
    setting(
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        AWS,
        "whether to use neither",
    ),
    setting(
        "AWS_USE_FIPS_ENDPOINT",
        AWS,
        "whether to use FIPS addresses",
    ),
    setting(
        "AWS_USE_DUALSTACK_ENDPOINT",
        AWS,
        "whether to use IPv6 addresses",
    ),
    setting("AWS_MAX_ATTEMPTS", AWS, "how often to try"),
    ignored(
        "AWS_RETRY_MODE",
        AWS,
        "how to try again",
        "it is always the standard mode",
    ),
    setting("AZURE_TENANT_ID", AZURE, "the tenant"),
    setting("AZURE_CLIENT_ID", AZURE, "the application"),
    secret("AZURE_CLIENT_SECRET", AZURE, "its secret"),
    setting("AZURE_CLIENT_CERTIFICATE_PATH", AZURE, "its certificate"),
    not_yet(
        "AZURE_CLIENT_CERTIFICATE_PASSWORD",
        AZURE,
        "the certificate's password",
    ),
    setting(
        "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
        AZURE,
        "whether the certificate goes along",
    ),
    not_yet("AZURE_USERNAME", AZURE, "a user"),
    not_yet("AZURE_PASSWORD", AZURE, "his password"),
    setting(
        "AZURE_FEDERATED_TOKEN_FILE",
        AZURE,
        "the file of a workload's token",
    ),
    setting("AZURE_AUTHORITY_HOST", AZURE, "where to log in"),
    not_yet(
        "AZURE_ADDITIONALLY_ALLOWED_TENANTS",
        AZURE,
        "further tenants",
    ),
    not_yet("AZURE_AUTH_METHOD", "sops: Azure", "how to log in"),
    not_yet("AZURE_ENVIRONMENT", "sops: Azure", "which cloud"),
    not_yet(
        "AZURE_CERTIFICATE_PATH",
        "sops: Azure",
        "the application's certificate",
    ),
    goes(
        "IDENTITY_ENDPOINT",
        AZURE,
        "where a managed identity gets tokens",
        "Azure\'s client, which reads the process",
    ),
    row(
        "IDENTITY_HEADER",
        AZURE,
        "the secret for it",
        Fate::Goes("Azure\'s client, which reads the process"),
        false,
    ),
    not_yet("MSI_ENDPOINT", AZURE, "the same, older"),
    not_yet("IMDS_ENDPOINT", AZURE, "the same on Arc"),
    setting(
        "GOOGLE_APPLICATION_CREDENTIALS",
        GCP,
        "the file of credentials",
    ),
    secret("GOOGLE_CREDENTIALS", "sops: GCP", "the credentials"),
    secret("GOOGLE_OAUTH_ACCESS_TOKEN", "sops: GCP", "a token"),
    setting(
        "GOOGLE_CLOUD_QUOTA_PROJECT",
        "gcpsecretmanager",
        "the project that pays",
    ),
    setting("CLOUDSDK_CONFIG", GCP, "the folder of gcloud"),
    setting("GCE_METADATA_HOST", GCP, "where to ask instance metadata"),
    setting(
        "SOPS_GCP_KMS_ENDPOINT",
        "sops: GCP",
        "the address of Cloud KMS",
    ),
    setting(
        "SOPS_GCP_KMS_UNIVERSE_DOMAIN",
        "sops: GCP",
        "the domain that Cloud KMS is in",
    ),
    ignored(
        "SOPS_GCP_KMS_CLIENT_TYPE",
        "sops: GCP",
        "grpc or rest",
        "the same calls are made either way",
    ),
    secret("SOPS_AGE_KEY", AGE, "age identities"),
    setting("SOPS_AGE_KEY_FILE", AGE, "a file of age identities"),
    secret(
        "SOPS_AGE_KEY_CMD",
        AGE,
        "a command that prints age identities",
    ),
    setting("SOPS_AGE_SSH_PRIVATE_KEY_FILE", AGE, "a file of an SSH key"),
    secret(
        "SOPS_AGE_SSH_PRIVATE_KEY_CMD",
        AGE,
        "a command that prints an SSH key",
    ),
    setting("SOPS_GPG_EXEC", PGP, "the program gpg"),
    setting("GNUPGHOME", PGP, "the folder of gpg"),
    setting(
        "SOPS_HC_VAULT_ALLOWLIST",
        "sops: Vault",
        "which Vault servers that files name get the token",
    ),
    setting(
        "SOPS_DECRYPTION_ORDER",
        "sops",
        "the kinds of keys that are tried first",
    ),
    setting(
        "XDG_CONFIG_HOME",
        AGE,
        "where `sops/age/keys.txt` and gopass's own files lie",
    ),
    setting(
        "HOME",
        "vault, sops, gopass, pass",
        "where tokens are kept between runs, and where `.config`, `.ssh` and `.password-store` lie",
    ),
    setting("PASSWORD_STORE_DIR", PASSWORDS, "the folder of the entries"),
    goes(
        "KUBERNETES_SERVICE_HOST",
        IN_CLUSTER,
        "the cluster's address",
        "the client of the cluster",
    ),
    goes(
        "KUBERNETES_SERVICE_PORT",
        IN_CLUSTER,
        "its port",
        "the client of the cluster",
    ),
    row(
        "HTTP_PROXY",
        "vault",
        "a proxy for http",
        Fate::Goes("the proxy of the client"),
        false,
    ),
    row(
        "HTTPS_PROXY",
        "vault",
        "a proxy for https",
        Fate::Goes("the proxy of the client"),
        false,
    ),
    goes(
        "NO_PROXY",
        "vault",
        "hosts without a proxy",
        "the proxy of the client",
    ),
    goes(
        "SSL_CERT_FILE",
        "all over TLS",
        "a file of the system's roots",
        "the platform's roots",
    ),
    goes(
        "SSL_CERT_DIR",
        "all over TLS",
        "a folder of them",
        "the platform's roots",
    ),
    goes(
        "ARGOCD_APP_NAME",
        "settings",
        "that Argo CD runs us",
        "where settings and files may lie",
    ),
    goes("MANIFUSE_CONFIG", "settings", "the settings file", "-c"),
    goes(
        "MANIFUSE_ALLOW_EMPTY",
        "generate",
        "an input without documents is fine",
        FLAG,
    ),
    goes("MANIFUSE_VALIDATE", "generate", "check all documents", FLAG),
    goes(
        "MANIFUSE_ROOT",
        "generate",
        "the folder that paths cannot leave",
        FLAG,
    ),
    goes(
        "MANIFUSE_ERROR_FORMAT",
        "generate",
        "how errors are printed",
        FLAG,
    ),
    goes(
        "MANIFUSE_WARN",
        "generate",
        "what becomes of warnings, by their names",
        FLAG,
    ),
    goes("MANIFUSE_VERBOSE", "generate", "say more", FLAG),
    goes(
        "MANIFUSE_TIMEOUT",
        "generate",
        "how long all fetching may take",
        FLAG,
    ),
    goes(
        "MANIFUSE_COMMAND_TIMEOUT",
        "exec",
        "how long the command may take",
        FLAG,
    ),
    goes(
        "MANIFUSE_CONCURRENCY",
        "generate",
        "requests under way at one backend",
        FLAG,
    ),
    goes("MANIFUSE_INPUT_LIMIT", "generate", "how much is read", FLAG),
    goes(
        "MANIFUSE_DOCUMENT_LIMIT",
        "generate",
        "how large a document may be",
        FLAG,
    ),
    goes(
        "MANIFUSE_FILE_LIMIT",
        "generate",
        "how large a secret's file may be",
        FLAG,
    ),
    setting(
        "MANIFUSE_SOPS_KEYS",
        "sops, gopass, pass",
        "a folder of keys as Flux wants it",
    ),
    goes(
        "MANIFUSE_SOPS_STREAM_MAC",
        "generate",
        "`ignore`: decrypt documents of the stream whose MAC is wrong",
        "sops.streamMac",
    ),
    setting("MANIFUSE_AWS_ROLE", AWS_STORES, "a role to assume"),
    setting(
        "MANIFUSE_AWS_EXTERNAL_ID",
        AWS_STORES,
        "what the role's owner wants to hear besides",
    ),
    setting("MANIFUSE_KUBECONFIG", KUBERNETES, "a kubeconfig"),
    setting(
        "MANIFUSE_KUBERNETES_ACCOUNT",
        KUBERNETES,
        "the folder of the pod's account",
    ),
    setting(
        "MANIFUSE_KUBE_CONTEXT",
        KUBERNETES,
        "a context of the kubeconfig",
    ),
    setting("MANIFUSE_PGP_KEY_FILE", PGP, "a file of OpenPGP keys"),
];
