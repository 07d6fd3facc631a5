//! Runs the schema registry: Apicurio with its Confluent-compatible API, stored in PostgreSQL so
//! that ids survive a restart.

use std::{path::Path, time::Duration};

use reqwest::Client;

use crate::process::spec::ProcessSpec;
use crate::server::Server;
use crate::servers::access::Access;
use crate::servers::artefacts::Artefacts;
use crate::servers::data_dir::DataDir;

pub(crate) const DATABASE: &str = "registry";
pub(crate) const READY_WITHIN: Duration = Duration::from_secs(90);

/// Returns how to run the server with its storage in `access`'s database [`DATABASE`].
pub(crate) fn prepare(
    dir: &DataDir,
    java: &Path,
    artefacts: &Artefacts,
    access: &Access,
    port: u16,
) -> ProcessSpec {
    let tmp = dir.tmp();
    let home = artefacts.registry();
    ProcessSpec::new(Server::SchemaRegistry.name(), java)
        .args([
            "-Xms64m",
            "-Xmx384m",
            // The registry serves a few requests a minute, so only its start has to be fast.
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.util.logging.manager=org.jboss.logmanager.LogManager",
        ])
        .args([format!("-Djava.io.tmpdir={}", tmp.display())])
        .args(["-cp".to_owned(), format!("{}/*", home.display())])
        .args(["io.quarkus.runner.GeneratedMain"])
        .env("QUARKUS_HTTP_HOST", "127.0.0.1")
        .env("QUARKUS_HTTP_PORT", port.to_string())
        .env("APICURIO_STORAGE_KIND", "sql")
        .env("APICURIO_STORAGE_SQL_KIND", "postgresql")
        .env("APICURIO_DATASOURCE_URL", access.jdbc_url(DATABASE))
        .env("APICURIO_DATASOURCE_USERNAME", access.user())
        .env("APICURIO_DATASOURCE_PASSWORD", access.password())
        .env("APICURIO_DATASOURCE_JDBC_INITIAL_SIZE", "1")
        .env("APICURIO_DATASOURCE_JDBC_MIN_SIZE", "1")
        .env("APICURIO_DATASOURCE_JDBC_MAX_SIZE", "10")
        .env("APICURIO_IMPORT_WORK_DIR", &tmp)
        .env("APICURIO_STORAGE_SNAPSHOT_LOCATION", &tmp)
        .current_dir(tmp)
}

/// Returns the base address of the Confluent-compatible API.
pub(crate) fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}/apis/ccompat/v7")
}

/// Returns an error unless the registry lists its subjects, for which it reads its storage.
pub(crate) async fn probe(client: &Client, url: &str) -> Result<(), reqwest::Error> {
    let response = client.get(format!("{url}/subjects")).send().await?;
    response.error_for_status().map(drop)
}
