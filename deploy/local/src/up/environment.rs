//! Builds the environment in which `leadstream up` runs the services.

use std::path::PathBuf;

use crate::Stack;
use leadstream_sandbox::Sandbox;
use leadstream_service::Secret;

use super::secrets::Secrets;
use super::settings::Settings;
use crate::deployment::{Deployment, sandbox_config};

/// Returns the deployment. Values of the user's environment or files stay empty here: services
/// inherit them unchanged.
pub(super) fn deployment(
    settings: &Settings,
    secrets: &Secrets,
    stack: &Stack,
    sandbox: Option<&Sandbox>,
    schema_ids_file: PathBuf,
) -> Deployment {
    let real = settings.real;
    let given = &settings.given;
    let config = sandbox.map_or_else(sandbox_config, |sandbox| sandbox.config().clone());
    let url = |is_real: bool, url: fn(&Sandbox) -> String| match sandbox {
        Some(sandbox) if !is_real => url(sandbox),
        _ => String::new(),
    };
    let database_url_is_in_a_file =
        settings.database_url.is_some() && settings.args.database_url.is_none();
    Deployment {
        binary: settings.binary.clone(),
        kafka: stack.kafka().to_owned(),
        kafka_config: settings
            .args
            .kafka
            .kafka_config
            .as_ref()
            .map(|config| config.expose().to_owned()),
        topic_prefix: settings.args.kafka.topic_prefix.clone(),
        schema_registry: stack.schema_registry().to_owned(),
        database_url: unless(database_url_is_in_a_file, stack.database_url()),
        schema_ids_file,
        meta_app_secret: unless(given.meta_app_secret.is_some(), &secrets.meta_app_secret),
        meta_verify_token: unless(
            given.meta_verify_token.is_some(),
            &secrets.meta_verify_token,
        ),
        meta_access_token: unless(real.whatsapp, config.whatsapp.access_token.expose()),
        meta_graph_url: url(real.whatsapp, Sandbox::graph_url),
        hubspot_access_token: unless(real.hubspot, config.hubspot.access_token.expose()),
        hubspot_api_url: url(real.hubspot, Sandbox::hubspot_url),
        salesforce_login_url: url(real.salesforce, Sandbox::salesforce_url),
        salesforce_client_id: unless(real.salesforce, config.salesforce.client_id.expose()),
        salesforce_client_secret: unless(real.salesforce, config.salesforce.client_secret.expose()),
        further: further(settings, secrets, sandbox),
    }
}

fn unless(given: bool, value: &str) -> String {
    if given {
        String::new()
    } else {
        value.to_owned()
    }
}

fn further(
    settings: &Settings,
    secrets: &Secrets,
    sandbox: Option<&Sandbox>,
) -> Vec<(String, String)> {
    let no_proxy = joined(settings.no_proxy.as_deref(), "127.0.0.1,localhost");
    let mut further = vec![
        ("INGEST_ADDRESS", settings.args.ingest_address.to_string()),
        // There is no balancer to notify.
        ("INGEST_DRAIN_TIMEOUT", "0s".to_owned()),
        ("NO_PROXY", no_proxy.clone()),
        ("no_proxy", no_proxy),
        // Logs go to files.
        ("NO_COLOR", "1".to_owned()),
        // Less than a process is given before it is killed.
        ("SHUTDOWN_TIMEOUT", "10s".to_owned()),
    ];
    if settings.given.erasure_key.is_none() {
        further.push(("ERASURE_KEY", secrets.erasure_key.clone()));
    }
    if settings.given.wasender_webhook_secret.is_none() {
        let secret = secrets.wasender_webhook_secret.clone();
        further.push(("WASENDER_WEBHOOK_SECRET", secret));
    }
    if sandbox.is_some() {
        let given = settings.sink_crm_allowed_hosts.as_deref();
        further.push(("SINK_CRM_ALLOWED_HOSTS", joined(given, "127.0.0.1")));
    }
    further
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

/// Returns the hosts of the environment and of this machine. Services reach them without a proxy,
/// and may send to the sandbox.
fn joined(given: Option<&str>, ours: &str) -> String {
    match given {
        Some(theirs) if !theirs.is_empty() => format!("{theirs},{ours}"),
        _ => ours.to_owned(),
    }
}

/// Returns the secrets in force: the user's before those of the data folder.
pub(super) fn in_force(settings: &Settings, local: Secrets) -> Secrets {
    let given = &settings.given;
    let or = |given: &Option<Secret>, local: String| {
        given
            .as_ref()
            .map_or(local, |given| given.expose().to_owned())
    };
    Secrets {
        meta_app_secret: or(&given.meta_app_secret, local.meta_app_secret),
        meta_verify_token: or(&given.meta_verify_token, local.meta_verify_token),
        wasender_webhook_secret: or(
            &given.wasender_webhook_secret,
            local.wasender_webhook_secret,
        ),
        api_token: local.api_token,
        erasure_key: or(&given.erasure_key, local.erasure_key),
    }
}

#[cfg(test)]
mod tests {
    use crate::StackOptions;
    use clap::Parser;

    use super::super::args::{Args, Real};
    use super::super::settings::Given;
    use super::*;

    #[derive(Debug, Parser)]
    struct Command {
        #[command(flatten)]
        args: Args,
    }

    fn settings(given: Given, real: Real) -> Settings {
        Settings {
            args: Command::parse_from(["up", "--topic-prefix", "eu."]).args,
            real,
            no_demo: None,
            given,
            database_url: None,
            no_proxy: Some("corp".into()),
            sink_crm_allowed_hosts: Some("crm.corp".into()),
            has_own_mapping: false,
            binary: "leadstream".into(),
        }
    }

    fn local() -> Secrets {
        Secrets {
            meta_app_secret: "local-app".into(),
            meta_verify_token: "local-verify".into(),
            wasender_webhook_secret: "local-wasender".into(),
            api_token: "local-token".into(),
            erasure_key: "local-erasure-key".into(),
        }
    }

    async fn deploy(settings: &Settings) -> Deployment {
        let dir = tempfile::tempdir().unwrap();
        let stack = Stack::start(StackOptions {
            kafka: Some("broker:9092".into()),
            schema_registry: Some("http://registry:8081".into()),
            database_url: Some("postgres://ann@db/leads".into()),
            ..StackOptions::new(dir.path())
        })
        .await
        .unwrap();
        let sandbox = Sandbox::start(sandbox_config()).await.unwrap();
        let secrets = in_force(settings, local());
        deployment(
            settings,
            &secrets,
            &stack,
            Some(&sandbox),
            "ids.json".into(),
        )
    }

    #[tokio::test]
    async fn without_settings_services_get_the_sandbox_and_local_secrets() {
        let settings = settings(Given::default(), Real::default());
        let deployment = deploy(&settings).await;
        assert_eq!(deployment.kafka, "broker:9092");
        assert_eq!(deployment.topic_prefix, "eu.");
        assert_eq!(deployment.database_url, "postgres://ann@db/leads");
        assert_eq!(deployment.meta_app_secret, "local-app");
        assert!(deployment.meta_graph_url.ends_with("/graph"));
        assert!(deployment.hubspot_api_url.ends_with("/hubspot"));
        assert!(deployment.salesforce_login_url.ends_with("/salesforce"));
        let further = |name: &str| {
            let found = deployment.further.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.as_str())
        };
        assert_eq!(further("INGEST_ADDRESS"), Some("127.0.0.1:8080"));
        assert_eq!(further("NO_PROXY"), Some("corp,127.0.0.1,localhost"));
        assert_eq!(
            further("SINK_CRM_ALLOWED_HOSTS"),
            Some("crm.corp,127.0.0.1")
        );
        assert_eq!(further("WASENDER_WEBHOOK_SECRET"), Some("local-wasender"));
    }

    #[tokio::test]
    async fn what_is_given_reaches_the_services_as_it_was_given() {
        let given = Given {
            meta_app_secret: Some(Secret::new("theirs")),
            wasender_webhook_secret: Some(Secret::new("theirs, too")),
            ..Given::default()
        };
        let real = Real {
            whatsapp: true,
            hubspot: true,
            salesforce: false,
        };
        let settings = settings(given, real);
        let deployment = deploy(&settings).await;
        for inherited in [
            deployment.meta_app_secret,
            deployment.meta_access_token,
            deployment.meta_graph_url,
            deployment.hubspot_access_token,
            deployment.hubspot_api_url,
        ] {
            assert_eq!(inherited, "");
        }
        assert_eq!(deployment.meta_verify_token, "local-verify");
        assert!(deployment.salesforce_login_url.ends_with("/salesforce"));
        let names = deployment.further.iter().map(|(name, _)| name.as_str());
        assert!(
            names
                .into_iter()
                .all(|name| name != "WASENDER_WEBHOOK_SECRET")
        );

        let in_force = in_force(&settings, local());
        assert_eq!(in_force.meta_app_secret, "theirs");
        assert_eq!(in_force.meta_verify_token, "local-verify");
        assert_eq!(in_force.wasender_webhook_secret, "theirs, too");
    }
}
