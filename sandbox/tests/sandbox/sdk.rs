//! Runs the vendors' own SDKs against the sandbox: their programs check each answer, and this side
//! checks the results.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use leadstream_sandbox::{JwtBearer, MessageQuery, OAuthApp, SandboxConfig};

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

/// Runs a program of `tests/sdk` with node, unless the SDKs are absent.
async fn agrees(program: &str, arguments: Vec<String>) -> bool {
    let Some(modules) = modules() else {
        return false;
    };
    let mut command = Command::new("node");
    command.env("NODE_PATH", modules);
    run(command, program, arguments).await;
    true
}

/// Runs a program of `tests/sdk` with Python, unless the clients are absent. `make test` installs them.
#[expect(clippy::print_stderr, reason = "a test says why it checks nothing")]
async fn python_agrees(program: &str, arguments: Vec<String>) -> bool {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../venv/bin/python");
    let complete = python.with_file_name("../complete").exists();
    if !complete {
        let required = std::env::var("VENDOR_SDKS").is_ok_and(|value| value == "required");
        assert!(
            !required,
            "{} is not there: `make test` makes it",
            python.display()
        );
        eprintln!("passed over: the clients for Python are not there; `make test` installs them");
        return false;
    }
    let mut command = Command::new(python);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    run(command, program, arguments).await;
    true
}

async fn run(mut command: Command, program: &str, arguments: Vec<String>) {
    let program = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/sdk")
        .join(program);
    let run = move || command.arg(program).args(arguments).output();
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}

/// Returns a portal whose OAuth app the programs know, and the arguments of a program.
async fn portal() -> (World, Vec<String>) {
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
    (world, arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn hubspot_s_own_client_agrees() {
    let (world, arguments) = portal().await;
    if agrees("hubspot.cjs", arguments).await {
        let contacts = world.client.contacts().await.unwrap();
        let keys: Vec<_> = contacts.iter().filter_map(|c| c.text("wa_id")).collect();
        assert_eq!(keys, ["1", "2", "4"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hubspot_s_client_for_python_agrees() {
    let (world, arguments) = portal().await;
    if python_agrees("hubspot_client.py", arguments).await {
        let contacts = world.client.contacts().await.unwrap();
        let keys: Vec<_> = contacts.iter().filter_map(|c| c.text("wa_id")).collect();
        assert_eq!(keys, ["p1", "p2", "p9"]);
    }
}

/// Returns an organisation, and the arguments of a program.
async fn organisation() -> (World, Vec<String>) {
    let world = World::with(SandboxConfig::default()).await;
    let config = &world.sandbox.config().salesforce;
    let arguments = vec![
        world.sandbox.salesforce_url(),
        config.client_id.expose().to_owned(),
        config.client_secret.expose().to_owned(),
        format!("{}/sandbox", world.sandbox.url()),
    ];
    (world, arguments)
}

#[tokio::test(flavor = "multi_thread")]
async fn simple_salesforce_agrees() {
    let (world, mut arguments) = organisation().await;
    let folder = tempfile::tempdir().unwrap();
    let [key, public] = ["key.pem", "public.pem"].map(|name| folder.path().join(name));
    let files = [&key, &public].map(|file| file.display().to_string());
    if !python_agrees("rsa_key.py", files.into()).await {
        return;
    }
    world.sandbox.change_credentials(|credentials| {
        credentials.salesforce_jwt = Some(JwtBearer {
            public_key: std::fs::read_to_string(&public).unwrap(),
            username: "leadstream@acme.com".to_owned(),
            audience: "https://acme.my.salesforce.com".to_owned(),
        });
    });
    arguments.push("leadstream@acme.com".to_owned());
    arguments.push(key.display().to_string());
    assert!(python_agrees("salesforce_client.py", arguments).await);
    let key = world.client.lead("p1").await.unwrap();
    assert!(key.is_none(), "it was merged into another");
    assert!(world.client.lead("p2").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn jsforce_agrees() {
    let (world, arguments) = organisation().await;
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

#[tokio::test(flavor = "multi_thread")]
async fn wasenderapi_s_own_client_agrees() {
    let world = World::new().await;
    let sessions = &world.sandbox.config().wasender.sessions;
    let key = sessions["sales"].expose().to_owned();
    let control = format!("{}/sandbox", world.sandbox.url());
    let arguments = vec![world.sandbox.wasender_url(), key, control];
    if agrees("wasender.cjs", arguments).await {
        let messages = world
            .client
            .messages(&MessageQuery::default())
            .await
            .unwrap();
        let texts: Vec<_> = messages
            .iter()
            .filter_map(|it| it.text.as_deref())
            .collect();
        assert_eq!(texts, ["Hello"]);
    }
}
