//! Tests the whole service while Kafka and the schema registry are unavailable.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as _, Command, FromArgMatches};
use hmac::{Hmac, Mac};
use leadstream_ingest::{Args, Error};
use leadstream_service::Context;
use leadstream_service::ops::Health;
use sha2::Sha256;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const NOBODY: &str = "127.0.0.1:1";
const TEXT: &str = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{
    "metadata":{"phone_number_id":"501"},
    "messages":[{"from":"491","id":"wamid.1","timestamp":"1750000000","type":"text","text":{"body":"Hi"}}]}}]}]}"#;

struct Service {
    address: SocketAddr,
    context: Context,
    task: JoinHandle<Result<(), Error>>,
}

fn args(address: SocketAddr, ids_file: Option<&PathBuf>) -> Args {
    let mut words = vec![
        "ingest".to_owned(),
        format!("--kafka-bootstrap-servers={NOBODY}"),
        format!("--schema-registry-url=http://{NOBODY}"),
        format!("--ingest-address={address}"),
        "--meta-app-secret=s3cret".to_owned(),
        "--meta-verify-token=token".to_owned(),
        "--ingest-ack-timeout=1s".to_owned(),
        "--ingest-drain-timeout=0s".to_owned(),
    ];
    words.extend(ids_file.map(|path| format!("--schema-ids-file={}", path.display())));
    let command = Args::augment_args(Command::new("ingest"));
    Args::from_arg_matches(&command.try_get_matches_from(words).unwrap()).unwrap()
}

fn start(ids_file: Option<&PathBuf>) -> Service {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = free.local_addr().unwrap();
    drop(free);
    let context = Context {
        shutdown: CancellationToken::new(),
        health: Health::default(),
        metrics_interval: Duration::from_secs(30),
    };
    let task = tokio::spawn(leadstream_ingest::run(
        args(address, ids_file),
        context.clone(),
    ));
    Service {
        address,
        context,
        task,
    }
}

impl Service {
    /// Returns status and `Retry-After` of the answer to a signed webhook.
    async fn post(&self) -> (u16, Option<String>) {
        let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cret").unwrap();
        mac.update(TEXT.as_bytes());
        let signature = format!("sha256={}", hex::encode(mac.finalize().into_bytes()));
        let url = format!("http://{}/webhooks/whatsapp", self.address);
        let client = reqwest::Client::new();
        loop {
            let request = client.post(&url).header("X-Hub-Signature-256", &signature);
            match request.body(TEXT).send().await {
                Ok(response) => {
                    let retry_after = response.headers().get("retry-after");
                    let retry_after = retry_after.map(|value| value.to_str().unwrap().to_owned());
                    return (response.status().as_u16(), retry_after);
                }
                Err(error) if error.is_connect() && !self.task.is_finished() => {
                    tokio::task::yield_now().await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    async fn stop(self) {
        self.context.shutdown.cancel();
        let ended = tokio::time::timeout(Duration::from_secs(30), self.task).await;
        ended.expect("it ends in time").unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_registry_it_starts_unready_and_answers_503() {
    let service = start(None);
    assert_eq!(service.post().await, (503, Some("5".into())));
    let problems = service.context.health.problems();
    assert!(problems.contains_key("registry"), "{problems:?}");
    assert!(problems.contains_key("kafka"), "{problems:?}");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_ids_it_knows_it_needs_no_registry_but_says_200_to_nothing_unacknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ids.json");
    let ids = r#"{"lead.inputs":1,"message.statuses":2,"provider.notices":3}"#;
    std::fs::write(&path, format!("{{\"http://{NOBODY} \":{ids}}}")).unwrap();
    let service = start(Some(&path));
    // The port answers before the ids are read.
    while {
        assert_eq!(service.post().await.0, 503);
        service.context.health.problems().contains_key("registry")
    } {}
    assert_eq!(service.post().await, (503, Some("5".into())));
    assert!(service.context.health.problems().contains_key("kafka"));
    service.stop().await;
}
