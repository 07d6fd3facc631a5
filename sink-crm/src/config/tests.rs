use clap::{Args as _, Command, FromArgMatches as _};

use super::Args;

/// The settings' error with the given flags, or what is configured.
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
        "--crm-allowed-hosts=127.0.0.1,localhost",
    ];
    assert_eq!(configured(&sandbox), Ok((true, false)));
    let error = configured(&[]).unwrap_err();
    assert!(
        error.contains("HUBSPOT_ACCESS_TOKEN=pat") && error.contains("SALESFORCE_CLIENT_ID=3MVG9"),
        "{error}"
    );
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
