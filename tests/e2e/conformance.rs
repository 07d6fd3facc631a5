//! Tests that the API's requests and answers are those of its OpenAPI document.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::ensure;
use leadstream_harness::{Site, World};
use leadstream_sandbox::webhook::Person;

use crate::api_site::{ALL, ApiSite};

/// Seconds for generated requests.
const SECONDS: &str = "45";

/// Lets Schemathesis generate requests from the document, valid ones and others, and judge each answer.
pub(crate) fn requests_and_answers_of_the_api_conform_to_its_document(
    world: &World,
) -> anyhow::Result<()> {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../venv/bin/st");
    if !program.exists() {
        let required = std::env::var("VENDOR_SDKS").is_ok_and(|value| value == "required");
        ensure!(
            !required,
            "{} is not there: `make test` makes it",
            program.display()
        );
        eprintln!("passed over: Schemathesis is not there; `make test` installs it");
        return Ok(());
    }
    world.runtime.block_on(async {
        let mut site = Site::new(world, "conformance").await?;
        // Beyond what it asks.
        let rate = ("API_REQUESTS_PER_SECOND".to_owned(), "10000".to_owned());
        site.deployment.further.push(rate);
        let api = ApiSite::at(site).await?;
        // What it finds by the list of leads.
        for number in ["4915110000001", "4915110000002"] {
            api.writes(&Person::new(number, "Ann"), &["Hi", "Ann"])
                .await?;
            api.is_in(number, "AWAITING_BUDGET").await?;
        }
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut command = Command::new(&program);
        command
            // Its folders of reports and of known examples.
            .current_dir(world.stack.data_dir())
            .arg("--config-file")
            .arg(root.join("tests/e2e/schemathesis.toml"))
            .arg("run")
            .arg(root.join("api/openapi.json"))
            .args(["--url", api.url(), "--max-time", SECONDS])
            .args(["--header", &format!("Authorization: Bearer {ALL}")])
            .args(["--continue-on-failure", "--suppress-health-check", "all"])
            // The same requests each time, so that a change is judged by itself.
            .args(["--generation-deterministic", "--no-color"])
            .stdin(Stdio::null());
        let output = tokio::task::spawn_blocking(move || command.output()).await??;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{said}{error}");
        ensure!(
            said.contains("Tested: 6") && !said.contains("mostly returned 429"),
            "{said}"
        );
        api.site.finish().await
    })
}
