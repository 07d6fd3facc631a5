//! Tests two replicas of ingest behind a balancer, restarted and killed under load.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use leadstream_harness::{NUMBER, Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_local::free_address;
use leadstream_sandbox::webhook::{BusinessNumber, MetaWebhook, Person, sign, wamid};
use leadstream_schemas::codec::decode;
use leadstream_schemas::{LeadInput, Timestamp, Topic};
use tokio::net::{TcpListener, TcpStream};

use crate::resting_state::read_all;

const REPLICAS: [&str; 2] = ["ingest-a", "ingest-b"];
const CLIENTS: usize = 16;
/// The minimum number of webhooks in a phase.
const WEBHOOKS: usize = 1000;

pub(crate) fn no_webhook_is_lost_while_ingest_replicas_are_restarted_and_killed(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "replicas").await?;
        let addresses = [free_address()?, free_address()?];
        for (name, address) in REPLICAS.into_iter().zip(addresses) {
            let own = vec![
                ("INGEST_ADDRESS".to_owned(), address.to_string()),
                ("INGEST_DRAIN_TIMEOUT".to_owned(), "1s".to_owned()),
            ];
            site.spawn_with(Service::Ingest, name, own)?;
        }
        for name in REPLICAS {
            site.ready(name).await?;
        }
        let balancer = Balancer::bind(site.ingest, addresses).await?;
        let taken = tokio::select! {
            taken = load(&site) => taken?,
            ended = balancer.run(&site) => ended?,
        };
        let mut found = BTreeSet::new();
        for record in read_all(&site, &site.topic(Topic::LeadInputs))? {
            found.insert(decode::<LeadInput>(&record.value)?.id.into());
        }
        let lost = taken.difference(&found).count();
        ensure!(lost == 0, "{lost} of {} webhooks are lost", taken.len());
        eprintln!("{}: {} webhooks", site.name, taken.len());
        site.finish().await
    })
}

/// Posts under load and returns the ids that were answered 200.
async fn load(site: &Site<'_>) -> anyhow::Result<BTreeSet<String>> {
    let [first, second] = REPLICAS;
    let gentle = Phase::new("gentle", false);
    tokio::try_join!(gentle.play(site), async {
        gentle.reach(WEBHOOKS / 4).await?;
        site.stop_and_restart(first).await?;
        site.stop_and_restart(second).await?;
        gentle.restarted.store(true, Ordering::Release);
        anyhow::Ok(())
    })?;
    let rough = Phase::new("rough", true);
    tokio::try_join!(rough.play(site), async {
        rough.reach(WEBHOOKS / 4).await?;
        site.kill_and_restart(first).await?;
        rough.restarted.store(true, Ordering::Release);
        anyhow::Ok(())
    })?;
    Ok(&gentle.taken() | &rough.taken())
}

/// Webhooks while replicas are restarted.
struct Phase {
    name: &'static str,
    /// A request may be cut after it was written.
    may_cut: bool,
    next: AtomicUsize,
    restarted: AtomicBool,
    taken: Mutex<BTreeSet<String>>,
}

impl Phase {
    fn new(name: &'static str, may_cut: bool) -> Self {
        Self {
            name,
            may_cut,
            next: AtomicUsize::new(0),
            restarted: AtomicBool::new(false),
            taken: Mutex::default(),
        }
    }

    fn taken(&self) -> BTreeSet<String> {
        self.taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn reach(&self, count: usize) -> anyhow::Result<()> {
        eventually(Duration::from_secs(60), async || {
            let done = self.next.load(Ordering::Relaxed);
            ensure!(done >= count, "{done} webhooks are posted");
            Ok(())
        })
        .await
    }

    /// Posts until the replicas are restarted, each client over a kept connection.
    async fn play(&self, site: &Site<'_>) -> anyhow::Result<()> {
        let clients = (0..CLIENTS).map(|_| async {
            let http = reqwest::Client::builder()
                .pool_max_idle_per_host(1)
                .timeout(Duration::from_secs(30))
                .build()?;
            loop {
                let index = self.next.fetch_add(1, Ordering::Relaxed);
                if index >= WEBHOOKS && self.restarted.load(Ordering::Acquire) {
                    return anyhow::Ok(());
                }
                self.deliver(site, &http, index).await?;
            }
        });
        futures::future::try_join_all(clients).await?;
        Ok(())
    }

    /// Posts as a provider does, until the answer is 200.
    async fn deliver(
        &self,
        site: &Site<'_>,
        http: &reqwest::Client,
        index: usize,
    ) -> anyhow::Result<()> {
        let id = wamid(&format!("{}-{index}", self.name));
        let person = Person::new(format!("1666{index:07}"), "Somebody");
        let at = Timestamp::now().millis() / 1000;
        let webhook = MetaWebhook::new(&BusinessNumber::new(NUMBER));
        let body = webhook.text(&person, &id, at, "Hi").to_bytes();
        let signature = sign(&site.deployment.meta_app_secret, &body);
        loop {
            let request = http
                .post(site.webhook())
                .header("X-Hub-Signature-256", &signature);
            match request.body(body.clone()).send().await {
                Ok(answer) if answer.status() == 200 => break,
                Ok(answer) if answer.status() == 503 => {}
                Ok(answer) => bail!("a webhook was answered {}", answer.status()),
                Err(_) if self.may_cut => {}
                Err(error) => return Err(error).context("a request was cut"),
            }
        }
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.insert(id);
        Ok(())
    }
}

/// Spreads connections over the ready replicas, or over all when none is ready. A refused connect
/// goes to the next replica.
struct Balancer {
    listener: TcpListener,
    replicas: [SocketAddr; 2],
    ready: [AtomicBool; 2],
}

impl Balancer {
    async fn bind(address: SocketAddr, replicas: [SocketAddr; 2]) -> anyhow::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(address).await?,
            replicas,
            ready: [const { AtomicBool::new(true) }; 2],
        })
    }

    /// Runs until an error.
    async fn run<T>(&self, site: &Site<'_>) -> anyhow::Result<T> {
        let mut probes = tokio::time::interval(Duration::from_millis(100));
        for turn in 0.. {
            let mut client = loop {
                tokio::select! {
                    accepted = self.listener.accept() => break accepted?.0,
                    _ = probes.tick() => self.probe(site).await,
                }
            };
            if let Some(mut replica) = self.connect(turn).await {
                tokio::spawn(async move {
                    // However it ends, both sides are closed.
                    drop(tokio::io::copy_bidirectional(&mut client, &mut replica).await);
                });
            }
        }
        bail!("there is always a next turn")
    }

    async fn probe(&self, site: &Site<'_>) {
        for (name, ready) in REPLICAS.into_iter().zip(&self.ready) {
            let is_ready = matches!(site.readiness(name).await, Ok((200, _)));
            ready.store(is_ready, Ordering::Relaxed);
        }
    }

    async fn connect(&self, turn: usize) -> Option<TcpStream> {
        let order = [turn % 2, (turn + 1) % 2];
        let is_ready = |replica: &usize| self.ready[*replica].load(Ordering::Relaxed);
        let ready = order.into_iter().filter(is_ready);
        for replica in ready.chain(order) {
            if let Ok(stream) = TcpStream::connect(self.replicas[replica]).await {
                return Some(stream);
            }
        }
        None
    }
}
