//! Measures changed leads through sink-crm to the sandbox's HubSpot and Salesforce: at HubSpot's
//! limit, at full speed, and at a steady rate.

mod events;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use chrono::{DateTime, Utc};
use hdrhistogram::Histogram;
use leadstream_local::Process;
use leadstream_sandbox::{Endpoint, Sandbox, SandboxClient, Stats};
use tokio::time::{Instant, sleep};

use super::spending::{Spending, Spent};
use super::{Load, millis, per_second};
use crate::machine::{memory, peak_memory};
use crate::measurement::{CrmFigure, Figure, Sample};
use crate::site::{Servers, Setup, Site, beside, end};
use events::Events;
use leadstream_local::deployment::{Service, sandbox_config};

/// The interval between queries to the sandbox, which is the resolution of the times.
const POLL: Duration = Duration::from_millis(20);
/// The longest time in which nothing reaches a CRM.
const STALL: Duration = Duration::from_secs(60);
/// Seconds of warm-up at the same rate.
const WARM_UP: usize = 3;

/// A site whose sink runs and has taken a first lead.
struct Running<'s> {
    site: Site<'s>,
    sandbox: Sandbox,
    client: SandboxClient,
    sink: Process,
    events: Events,
}

impl<'s> Running<'s> {
    async fn start(
        servers: &'s Servers<'s>,
        name: &str,
        requests_per_10_seconds: Option<u32>,
    ) -> anyhow::Result<Self> {
        let mut config = sandbox_config();
        config.hubspot.requests_per_10_seconds = requests_per_10_seconds;
        let setup = Setup {
            // It is stopped for a while, and has to remain a member of its group.
            kafka_config: Some("session.timeout.ms=60000"),
            ..Setup::default()
        };
        let mut site = Site::new(servers, name, setup).await?;
        leadstream_sink_crm::migrate(&site.database.pool).await?;
        let tokens = (
            config.hubspot.access_token.expose().to_owned(),
            config.salesforce.client_id.expose().to_owned(),
            config.salesforce.client_secret.expose().to_owned(),
        );
        let sandbox = Sandbox::start(config).await?;
        let deployment = &mut site.deployment;
        deployment.hubspot_api_url = sandbox.hubspot_url();
        deployment.salesforce_login_url = sandbox.salesforce_url();
        let allowed = ("SINK_CRM_ALLOWED_HOSTS".to_owned(), "127.0.0.1".to_owned());
        deployment.further.push(allowed);
        (
            deployment.hubspot_access_token,
            deployment.salesforce_client_id,
            deployment.salesforce_client_secret,
        ) = tokens;
        let events = Events::new(&site)?;
        let sink = site.start(Service::SinkCrm).await?;
        let client = sandbox.client()?;
        let running = Self {
            site,
            sandbox,
            client,
            sink,
            events,
        };
        // Its partitions are there when it has taken something from one.
        beside(&[&running.sink], running.events.send(1)).await?;
        running.reach(1, |_| ()).await?;
        Ok(running)
    }

    /// Waits until both CRMs hold so many leads; gives what each took since now.
    async fn reach(
        &self,
        leads: usize,
        mut look: impl FnMut(&Stats),
    ) -> anyhow::Result<(Duration, Duration)> {
        let leads = u64::try_from(leads)?;
        let started = Instant::now();
        let (mut contacts_at, mut leads_at) = (None, None);
        let mut last = (0, started);
        loop {
            let stats = self.client.stats().await?;
            look(&stats);
            let held = &stats.held;
            let took = started.elapsed();
            if held.contacts >= leads {
                contacts_at.get_or_insert(took);
            }
            if held.leads >= leads {
                leads_at.get_or_insert(took);
            }
            if let (Some(contacts), Some(leads)) = (contacts_at, leads_at) {
                return Ok((contacts, leads));
            }
            if held.contacts + held.leads > last.0 {
                last = (held.contacts + held.leads, Instant::now());
            }
            if last.1.elapsed() > STALL {
                bail!("{held:?} of {leads} leads are there, then none for {STALL:?}");
            }
            sleep(POLL).await;
        }
    }

    async fn end(self) -> anyhow::Result<()> {
        end(self.sink).await?;
        self.sandbox.stop().await;
        self.site.remove().await
    }
}

/// The cost until both CRMs had all leads.
struct Taken {
    hubspot: Duration,
    salesforce: Duration,
    spent: Spent,
    stats: Stats,
    /// MiB when a fifth had reached HubSpot, and at the end.
    memory: Option<(f64, f64)>,
    peak: Option<f64>,
}

/// Drains a topic: all leads are in it before the paused sink resumes.
async fn drain(running: &Running<'_>, leads: usize) -> anyhow::Result<Taken> {
    let pid = running.sink.pid();
    running.sink.pause();
    let sent = running.events.send(leads).await;
    running.sink.resume();
    sent?;
    let pool = &running.site.database.pool;
    let spending = Spending::start(running.site.servers, pool, vec![pid]).await?;
    let fifth = u64::try_from(leads / 5)?;
    let mut early = None;
    let look = |stats: &Stats| {
        if early.is_none() && stats.held.contacts > fifth {
            early = memory(pid);
        }
    };
    let reached = running.reach(1 + leads, look);
    let (hubspot, salesforce) = beside(&[&running.sink], reached).await?;
    let spent = spending.stop().await?;
    Ok(Taken {
        hubspot,
        salesforce,
        spent,
        stats: running.client.stats().await?,
        memory: early.zip(memory(pid)),
        peak: peak_memory(pid),
    })
}

/// Measures at the 190 requests per 10 s that HubSpot allows an app.
pub(super) async fn limited(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let running = Running::start(servers, name, Some(190)).await?;
    let taken = drain(&running, load.crm_leads).await?;
    running.end().await?;
    let upserts = taken.stats.endpoint(Endpoint::HubspotUpsert);
    let counted = |figure, count: u64| Sample::new(Figure::Crm(figure), count as f64);
    let mut samples = vec![
        Sample {
            cores: taken.spent.cores,
            ..Sample::new(Figure::Crm(CrmFigure::Limited), taken.hubspot.as_secs_f64())
        },
        // Without the request of the first lead.
        counted(
            CrmFigure::LimitedRequests,
            upserts.requests.saturating_sub(1),
        ),
        counted(CrmFigure::LimitedRefused, upserts.outcome("429")),
        Sample::new(
            Figure::Crm(CrmFigure::LimitedSalesforce),
            taken.salesforce.as_secs_f64(),
        ),
    ];
    samples.extend(
        taken
            .peak
            .map(|mib| Sample::new(Figure::Crm(CrmFigure::LimitedMemory), mib)),
    );
    samples.extend(
        taken
            .memory
            .map(|(early, late)| Sample::new(Figure::Crm(CrmFigure::LimitedGrowth), late - early)),
    );
    Ok(samples)
}

/// Measures without limits.
pub(super) async fn free(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let running = Running::start(servers, name, None).await?;
    let taken = drain(&running, load.crm_leads).await?;
    running.end().await?;
    let rate = |took: Duration| per_second(load.crm_leads, took.as_secs_f64());
    let each_thousand = |seconds: f64| 1000.0 / per_second(load.crm_leads, seconds);
    let mut samples = vec![
        Sample {
            cores: taken.spent.cores,
            ..Sample::new(Figure::Crm(CrmFigure::Free), rate(taken.hubspot))
        },
        Sample::new(
            Figure::Crm(CrmFigure::FreeSalesforce),
            rate(taken.salesforce),
        ),
    ];
    for (figure, seconds) in [
        (CrmFigure::FreeCpu, taken.spent.own),
        (CrmFigure::FreePostgresCpu, taken.spent.postgres),
    ] {
        let each = seconds.map(|seconds| Sample::new(Figure::Crm(figure), each_thousand(seconds)));
        samples.extend(each);
    }
    Ok(samples)
}

/// Measures the time from a lead's transition to the arrival of its request at the CRM.
pub(super) async fn latency(
    servers: &Servers<'_>,
    name: &str,
    load: &Load,
) -> anyhow::Result<Vec<Sample>> {
    let running = Running::start(servers, name, Some(190)).await?;
    let leads = load.crm_rate * (WARM_UP + load.seconds);
    let work = running.events.pace(leads, load.crm_rate);
    let sent = beside(&[&running.sink], work).await?;
    beside(&[&running.sink], running.reach(1 + leads, |_| ())).await?;
    let upserts = running.client.upserts(0).await?;
    running.end().await?;
    let mut samples = Vec::new();
    for (endpoint, p50, p99) in [
        (
            Endpoint::HubspotUpsert,
            CrmFigure::LatencyP50,
            CrmFigure::LatencyP99,
        ),
        (
            Endpoint::SalesforceUpsert,
            CrmFigure::LatencySalesforceP50,
            CrmFigure::LatencySalesforceP99,
        ),
    ] {
        let mut arrived: HashMap<&str, DateTime<Utc>> = HashMap::new();
        for upsert in upserts.iter().filter(|upsert| upsert.endpoint == endpoint) {
            for record in &upsert.records {
                arrived.entry(&record.key).or_insert(upsert.at);
            }
        }
        let mut latency = Histogram::<u64>::new(3)?;
        for (id, at) in &sent[load.crm_rate * WARM_UP..] {
            let arrived = arrived.get(id.as_str()).context("a lead did not arrive")?;
            let took = (*arrived - *at).num_microseconds().unwrap_or_default();
            latency.record(u64::try_from(took).unwrap_or_default())?;
        }
        ensure!(!latency.is_empty(), "no lead was measured");
        for (figure, quantile) in [(p50, 0.5), (p99, 0.99)] {
            let value = millis(latency.value_at_quantile(quantile));
            samples.push(Sample::new(Figure::Crm(figure), value));
        }
    }
    Ok(samples)
}
