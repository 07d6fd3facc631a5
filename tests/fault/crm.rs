//! Runs two sinks over one ledger and kills them repeatedly while both CRMs fail in every way. At
//! rest each CRM has its desired revision, or the ledger gives the reason. No older revision was
//! sent after a newer one.

mod faults;
mod leads;
mod oracle;

use std::time::Duration;

use anyhow::ensure;
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_sandbox::SandboxClient;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::Row;
use tokio_util::sync::CancellationToken;

use crate::faults::waited;
use leads::Leads;

const SINKS: [&str; 2] = ["sink-a", "sink-b"];
/// The default duration in seconds.
const TIME: u64 = 40;
/// The minimum number of requests; fewer prove nothing.
const LEAST: usize = 40;
const AT_REST: Duration = Duration::from_secs(60);

/// A CRM, by the names that the ledger and the sandbox use.
#[derive(Clone, Copy)]
struct Crm {
    name: &'static str,
    key: &'static str,
    revision: &'static str,
    state: &'static str,
    score: &'static str,
    budget: &'static str,
    phone: &'static str,
}

const CRMS: [Crm; 2] = [
    Crm {
        name: "hubspot",
        key: "wa_id",
        revision: "leadstream_revision",
        state: "leadstream_state",
        score: "leadstream_score",
        budget: "leadstream_budget",
        phone: "phone",
    },
    Crm {
        name: "salesforce",
        key: "WA_Id__c",
        revision: "Leadstream_Revision__c",
        state: "Leadstream_State__c",
        score: "Leadstream_Score__c",
        budget: "Leadstream_Budget__c",
        phone: "Phone",
    },
];

pub(crate) fn run(world: &World, seed: u64, seconds: Option<u64>) -> anyhow::Result<()> {
    let own = crate::setting("FAULT_CRM_SECONDS")?;
    let time = Duration::from_secs(own.or(seconds).unwrap_or(TIME));
    world.runtime.block_on(async {
        let mut site = Site::new(world, "fault-crm").await?.with_crms();
        let settings = [
            ("SINK_CRM_REQUEST_TIMEOUT", "1s"),
            ("SINK_CRM_RETRY_BASE", "50ms"),
            ("SINK_CRM_RETRY_CAP", "1s"),
            ("SINK_CRM_PROBE_INTERVAL", "1s"),
        ];
        let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
        site.deployment.further.extend(settings);
        // A killed sink's partitions move as soon as a broker lets them.
        let sessions = "session.timeout.ms=6000,heartbeat.interval.ms=1000";
        site.deployment.kafka_config = Some(sessions.to_owned());
        test(&site, seed, time).await?;
        site.finish().await
    })
}

async fn test(site: &Site<'_>, seed: u64, time: Duration) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    let mut leads = Leads::new(site, seed)?;
    for sink in SINKS {
        site.spawn(Service::SinkCrm, sink)?;
    }
    let stop = CancellationToken::new();
    let clock = async {
        tokio::time::sleep(time).await;
        stop.cancel();
        anyhow::Ok(())
    };
    let (ordered, kills, (), ()) = tokio::try_join!(
        faults::come(&client, seed, &stop),
        kill(site, seed, &stop),
        leads.change(&stop),
        clock
    )?;
    client.clear_faults().await?;
    at_rest(site, &leads).await?;
    let found = oracle::check(site, &client, &leads).await?;
    eprintln!("{ordered} faults of CRMs, {kills} kills of sinks; {found}");
    ensure!(kills > 0 && found.requests > LEAST, "too little happened");
    repair(site, &client, &mut leads, &found.behind).await
}

/// Repairs all drift and checks that all records are synced. `crm reconcile` finds and repairs
/// what a CRM applied late; the next change repairs what no waiting repairs.
async fn repair(
    site: &Site<'_>,
    client: &SandboxClient,
    leads: &mut Leads,
    behind: &[usize],
) -> anyhow::Result<()> {
    site.tool(&["crm", "reconcile", "--apply"]).await?;
    at_rest(site, leads).await?;
    let found = oracle::check(site, client, leads).await?;
    ensure!(
        found.late == 0,
        "reconcile left what was applied late: {found}"
    );
    leads.renew(behind).await?;
    at_rest(site, leads).await?;
    let found = oracle::check(site, client, leads).await?;
    ensure!(found.behind.is_empty(), "still behind: {found}");
    Ok(())
}

/// Kills one of the sinks at random with SIGKILL, starts it again at once, and returns the number
/// of kills.
async fn kill(site: &Site<'_>, seed: u64, stop: &CancellationToken) -> anyhow::Result<usize> {
    let mut random = StdRng::seed_from_u64(seed.wrapping_add(1));
    let mut kills = 0;
    while waited(stop, &mut random, 2_000..6_000).await {
        let sink = SINKS[random.random_range(0..SINKS.len())];
        site.kill_and_respawn(sink).await?;
        kills += 1;
    }
    Ok(kills)
}

/// Waits until the ledger wants the newest revision of every lead in both CRMs and no request is in
/// flight. The CRMs are whole again, so no lead waits for a change of them.
async fn at_rest(site: &Site<'_>, leads: &Leads) -> anyhow::Result<()> {
    eventually(AT_REST, async || {
        for crm in CRMS {
            let rows = sqlx::query(
                "SELECT lead_id, desired_revision, state, last_error,
                    state = 'parked' AND refused_fields IS NOT NULL
                 FROM crm_ledger WHERE crm = $1",
            )
            .bind(crm.name)
            .fetch_all(&site.database)
            .await?;
            ensure!(
                rows.len() == leads.len(),
                "{}: {} rows",
                crm.name,
                rows.len()
            );
            for row in rows {
                let (id, wanted): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
                let (state, error): (String, Option<String>) = (row.try_get(2)?, row.try_get(3)?);
                let newest = leads.newest(&id)?.revision;
                let waits: bool = row.try_get(4)?;
                ensure!(
                    state != "due" && !waits && wanted.unsigned_abs() == newest,
                    "{}: {id} is {state} at {wanted} of {newest}: {error:?}",
                    crm.name
                );
            }
        }
        Ok(())
    })
    .await
}
