use clap::{Args as _, Command, FromArgMatches as _};

use super::Args;

/// Returns which CRMs the flags configure, or the error.
fn configured(flags: &[&str]) -> Result<(bool, bool), String> {
    let base = [
        "sink-crm",
        "--kafka-bootstrap-servers=localhost:9092",
        "--database-url=postgres://u:hunter2@localhost/db",
    ];
    let command = Args::augment_args(Command::new("sink-crm")).args_override_self(true);
    let matches = command
        .try_get_matches_from(base.iter().chain(flags))
        .unwrap();
    let settings = Args::from_arg_matches(&matches).unwrap().settings();
    settings
        .map(|settings| {
            (
                settings.crms.hubspot.is_some(),
                settings.crms.salesforce.is_some(),
            )
        })
        .map_err(|error| error.to_string())
}

#[test]
fn a_crm_runs_when_its_credentials_are_set() {
    let salesforce = [
        "--salesforce-login-url=https://acme.my.salesforce.com/",
        "--salesforce-client-id=id",
        "--salesforce-client-secret=secret",
    ];
    assert_eq!(
        configured(&["--hubspot-access-token=pat"]),
        Ok((true, false))
    );
    assert_eq!(configured(&salesforce), Ok((false, true)));
    let oauth = [
        "--hubspot-client-id=id",
        "--hubspot-client-secret=secret",
        "--hubspot-refresh-token=token",
    ];
    assert_eq!(configured(&oauth), Ok((true, false)));
    let sandbox = [
        "--hubspot-access-token=pat",
        "--hubspot-api-url=http://127.0.0.1:4050/hubspot",
        "--sink-crm-allowed-hosts=127.0.0.1,localhost",
    ];
    assert_eq!(configured(&sandbox), Ok((true, false)));
    let error = configured(&[]).unwrap_err();
    assert!(
        error.contains("HUBSPOT_ACCESS_TOKEN=pat") && error.contains("SALESFORCE_CLIENT_ID=3MVG9"),
        "{error}"
    );
}

#[test]
fn no_url_prints_what_it_holds() {
    let crms = ["--hubspot-access-token=pat", "--sink-crm-allowed-hosts=crm"];
    let salesforce = ["--salesforce-client-id=id", "--salesforce-client-secret=s"];
    for url in [
        "http://reader:hunter2@crm",
        "http://hunter2@crm",
        "http://crm?token=hunter2",
        "http://crm#hunter2",
        "http://reader:80/hunter2@crm",
        "reader:hunter2@crm",
        "hunter2",
    ] {
        for setting in ["hubspot-api-url", "salesforce-login-url", "database-url"] {
            let flag = format!("--{setting}={url}");
            let flags: Vec<&str> = crms.into_iter().chain(salesforce).chain([&*flag]).collect();
            let error = configured(&flags).unwrap_err();
            assert!(
                error.starts_with(&setting.to_uppercase().replace('-', "_")),
                "{error}"
            );
            assert!(!error.contains("hunter2"), "{error}");
        }
        // A receiver may want to be addressed so.
        let flag = format!("--sink-crm-webhook-url={url}");
        let secret = "--sink-crm-webhook-secret=MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let configured = configured(&[&flag, secret]);
        assert_eq!(configured.is_ok(), url.starts_with("http"), "{url}");
        assert!(
            !format!("{configured:?}").contains("hunter2"),
            "{configured:?}"
        );
    }
}

#[test]
fn settings_that_may_hold_secrets_print_nothing() {
    let command = || Args::augment_args(Command::new("sink-crm"));
    let urls: Vec<String> = command()
        .get_arguments()
        .filter(|arg| arg.get_id().as_str().ends_with("_url"))
        .map(|arg| {
            assert!(arg.is_hide_env_values_set(), "{}", arg.get_id());
            format!("--{}=http://reader:hunter2@crm", arg.get_long().unwrap())
        })
        .collect();
    assert_eq!(urls.len(), 4);
    let matches = command().get_matches_from(std::iter::once("sink-crm".to_owned()).chain(urls));
    let args = Args::from_arg_matches(&matches).unwrap();
    assert!(!format!("{args:?}").contains("hunter2"), "{args:?}");
    let crms = args.crm.webhook.settings(Default::default());
    assert!(!format!("{crms:?}").contains("hunter2"), "{crms:?}");
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    let half = ["--hubspot-access-token=pat", "--salesforce-client-id=id"];
    let login = "--salesforce-login-url=https://acme.my.salesforce.com";
    let table: [(&[&str], &str); 12] = [
        (&half, "SALESFORCE_LOGIN_URL"),
        (
            &["--salesforce-client-id=id", login],
            "SALESFORCE_CLIENT_SECRET",
        ),
        (
            &["--hubspot-access-token=pat", "--hubspot-api-url=ftp://x"],
            "HUBSPOT_API_URL",
        ),
        (
            &[
                "--hubspot-access-token=pat",
                "--hubspot-api-url=https://x.example",
            ],
            "HUBSPOT_API_URL leads to the host x.example",
        ),
        (
            &[
                "--hubspot-access-token=pat",
                "--hubspot-api-url=http://api.hubapi.com",
            ],
            "HUBSPOT_API_URL is not https",
        ),
        (
            &["--hubspot-access-token=pat", "--hubspot-client-id=id"],
            "HUBSPOT_ACCESS_TOKEN is set beside",
        ),
        (
            &["--hubspot-client-id=id", "--hubspot-client-secret=hunter2"],
            "HUBSPOT_REFRESH_TOKEN",
        ),
        (&["--hubspot-refresh-token=hunter2"], "HUBSPOT_CLIENT_ID"),
        (
            &[
                login,
                "--salesforce-client-id=id",
                "--salesforce-client-secret=s",
                "--salesforce-jwt-key=hunter2",
            ],
            "SALESFORCE_JWT_KEY is set beside",
        ),
        (
            &[
                login,
                "--salesforce-client-id=id",
                "--salesforce-jwt-key=hunter2",
            ],
            "SALESFORCE_JWT_KEY is no RSA private key",
        ),
        (
            &["--hubspot-access-token=pat", "--hubspot-id-property=a/b"],
            "HUBSPOT_ID_PROPERTY",
        ),
        (
            &[
                "--hubspot-access-token=pat",
                "--database-url=mysql://u:hunter2@h/db",
            ],
            "DATABASE_URL",
        ),
    ];
    for (flags, variable) in table {
        let error = configured(flags).unwrap_err();
        assert!(error.starts_with(variable), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
