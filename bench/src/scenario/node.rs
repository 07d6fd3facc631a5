//! Measures the same work in Node: the programs of `bench/baselines`, which this program contains.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use leadstream_local::{Process, ProcessSpec};
use serde::Deserialize;
use tokio::fs;
use tokio::time::sleep;

use super::process::preload;
use super::spending::Spending;
use super::{Load, on_path};
use crate::measurement::{Contender, Sample, Traffic};
use crate::site::{Servers, Setup, Site};

const FILES: [(&str, &str); 5] = [
    ("package.json", include_str!("../../baselines/package.json")),
    (
        "package-lock.json",
        include_str!("../../baselines/package-lock.json"),
    ),
    ("common.js", include_str!("../../baselines/common.js")),
    ("plain.js", include_str!("../../baselines/plain.js")),
    ("batched.js", include_str!("../../baselines/batched.js")),
];
/// With a transaction for each input, only one in so many inputs is processed: all would take
/// minutes.
const SHARE: usize = 30;
const POLL: Duration = Duration::from_millis(5);
/// The longest time until the program's first commit, and until its last.
const BEGIN: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(600);

pub(super) async fn run(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
    contender: Contender,
    traffic: Traffic,
) -> anyhow::Result<Vec<Sample>> {
    let (Some(node), Some(npm)) = (on_path("node"), on_path("npm")) else {
        servers.note("Node or npm is not on the PATH: what is written in Node was left out");
        return Ok(Vec::new());
    };
    let folder = match install(servers, npm).await {
        Ok(folder) => folder,
        Err(error) => {
            servers.note(format!("What is written in Node was left out: {error}"));
            return Ok(Vec::new());
        }
    };
    let (script, share) = match contender {
        Contender::Plain => ("plain.js", SHARE),
        _ => ("batched.js", 1),
    };
    let conversations = load.conversations(traffic, share);
    let setup = Setup {
        migrated: false,
        ..Setup::default()
    };
    let site = Site::new(servers, name, setup).await?;
    // kafkajs reads no lz4.
    preload(&site, conversations, Some("compression.type=none")).await?;
    let sends = if contender == Contender::Sending {
        "yes"
    } else {
        "no"
    };
    let spec = ProcessSpec::new(format!("{name}-node"), node)
        .args([folder.join(script)])
        .env("KAFKA_BOOTSTRAP_SERVERS", &site.deployment.kafka)
        .env("TOPIC_PREFIX", &site.deployment.topic_prefix)
        .env("DATABASE_URL", &site.deployment.database_url)
        .env("MESSAGES", conversations.inputs.to_string())
        .env("SEND", sends);
    let process = servers.stack.spawn(&spec)?;
    wait_for_line(&process, "begun", BEGIN).await?;
    let spending = Spending::start(servers, &site.database.pool, vec![process.pid()]).await?;
    let outcome = wait_for_line(&process, "done ", END).await?;
    let spent = spending.stop().await?;
    // It has nothing more to do, and waits.
    process.kill().await;
    site.remove().await?;
    let BaselineResult { messages, seconds } =
        serde_json::from_str(&outcome).context("the last words of a baseline")?;
    let spent = spent.within(Duration::from_secs_f64(seconds));
    Ok(spent.samples(traffic, contender, messages))
}

/// The program's last line: its number of messages, and its time.
#[derive(Deserialize)]
struct BaselineResult {
    messages: usize,
    seconds: f64,
}

/// Copies the programs, with their dependencies, beside the servers' data.
async fn install(servers: &Servers<'_>, npm: PathBuf) -> anyhow::Result<PathBuf> {
    let folder = servers.stack.data_dir().join("baselines");
    fs::create_dir_all(&folder).await?;
    for (name, text) in FILES {
        fs::write(folder.join(name), text).await?;
    }
    let spec = ProcessSpec::new("npm", npm)
        .args(["ci", "--no-audit", "--no-fund", "--prefix"])
        .args([folder.clone()]);
    let process = servers.stack.spawn(&spec)?;
    let status = process.wait().await;
    ensure!(status.success(), "npm failed: {}", process.log_tail());
    Ok(folder)
}

/// Waits for a line that begins with `beginning`, and gives the rest of it.
async fn wait_for_line(
    process: &Process,
    beginning: &str,
    within: Duration,
) -> anyhow::Result<String> {
    let asked = Instant::now();
    loop {
        let words = process.log_tail();
        if let Some(rest) = words.lines().find_map(|line| line.strip_prefix(beginning)) {
            return Ok(rest.to_owned());
        }
        if process.exited().is_some() || asked.elapsed() > within {
            bail!(
                "{} did not get to its end: {}",
                process.name(),
                process.log_tail()
            );
        }
        sleep(POLL).await;
    }
}
