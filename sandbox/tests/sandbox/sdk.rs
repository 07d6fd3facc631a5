//! Runs the vendors' own SDKs against the sandbox: their programs check each answer, and this side
//! checks the results.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use leadstream_sandbox::{OAuthApp, SandboxConfig};

use crate::support::World;

/// Returns the SDKs' folder that `make test` fills, if present. `VENDOR_SDKS=required` fails
/// without it.
#[expect(clippy::print_stderr, reason = "a test says why it checks nothing")]
fn modules() -> Option<PathBuf> {
    let modules = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../sdk/node_modules");
    if modules.is_dir() {
        return Some(modules);
    }
    let required = std::env::var("VENDOR_SDKS").is_ok_and(|value| value == "required");
    assert!(
        !required,
        "{} is not there: `make test` makes it, with node 18 or newer",
        modules.display()
    );
    eprintln!(
        "passed over: the vendors' SDKs are not there; `make test` installs them where node is 18 or newer"
    );
    None
}

/// Runs a program of `tests/sdk`, unless the SDKs are absent.
async fn agrees(program: &str, arguments: Vec<String>) -> bool {
    let Some(modules) = modules() else {
        return false;
    };
    let program = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/sdk")
        .join(program);
    let run = move || {
        Command::new("node")
            .arg(program)
            .args(arguments)
            .env("NODE_PATH", modules)
            .output()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn hubspot_s_own_client_agrees() {
    let world = World::with(SandboxConfig::default()).await;
    world.sandbox.change_credentials(|credentials| {
        credentials.hubspot_app = Some(OAuthApp {
            client_id: "sdk-app".to_owned(),
            client_secret: "sdk-secret".into(),
            refresh_token: "sdk-refresh".into(),
            lifetime: Duration::from_secs(60),
            rotates: false,
        });
    });
    let arguments = vec![
        world.sandbox.hubspot_url(),
        world
            .sandbox
            .config()
            .hubspot
            .access_token
            .expose()
            .to_owned(),
        format!("{}/sandbox", world.sandbox.url()),
    ];
    if agrees("hubspot.cjs", arguments).await {
        let contacts = world.client.contacts().await.unwrap();
        let keys: Vec<_> = contacts.iter().filter_map(|c| c.text("wa_id")).collect();
        assert_eq!(keys, ["1", "2", "4"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn jsforce_agrees() {
    let world = World::with(SandboxConfig::default()).await;
    let config = &world.sandbox.config().salesforce;
    let arguments = vec![
        world.sandbox.salesforce_url(),
        config.client_id.expose().to_owned(),
        config.client_secret.expose().to_owned(),
        format!("{}/sandbox", world.sandbox.url()),
    ];
    if agrees("salesforce.cjs", arguments).await {
        let leads = world.client.leads().await.unwrap();
        let keys: Vec<_> = leads
            .iter()
            .filter_map(|lead| lead.text("WA_Id__c"))
            .collect();
        assert_eq!(keys, ["1", "3", "a b", "5"]);
        // Only what was sent without the header ran the assignment rules.
        let assigned = leads.iter().filter(|lead| lead.assignments > 0).count();
        assert_eq!(assigned, 1);
    }
}
