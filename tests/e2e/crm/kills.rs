//! Two sinks over one ledger, killed in turns while CRMs fail; the oracle is what was published.

use std::time::Duration;

use anyhow::ensure;
use leadstream::deployment::Service;
use leadstream_sandbox::{Effect, Endpoint, Fault};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::{HUBSPOT, SALESFORCE, dead_letters, event, in_step, lead_id, ledger, publish, site};
use crate::World;
use crate::site::eventually;

const LEADS: usize = 120;
const ROUNDS: u64 = 6;

/// At rest each CRM equals the newest events, each lead exists once, and no older revision came
/// over a newer one.
pub(crate) fn run(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = site(world, "crm-kills").await?;
        let client = site.sandbox.client()?;
        let mut random = StdRng::seed_from_u64(7);
        for sink in ["one", "two"] {
            site.start(Service::SinkCrm, sink).await?;
        }
        let mut newest = vec![0; LEADS];
        for round in 0..ROUNDS {
            for _ in 0..4 {
                client.order(&any_fault(&mut random)).await?;
            }
            let mut events = Vec::new();
            for (lead, revision) in newest.iter_mut().enumerate() {
                let steps = random.random_range(u64::from(round == 0)..3);
                for _ in 0..steps {
                    *revision += 1;
                    events.push(event(lead, *revision));
                }
            }
            publish(&site, &events).await?;
            let victim = if round % 2 == 0 { "one" } else { "two" };
            site.kill_and_restart(victim).await?;
        }
        client.clear_faults().await?;
        eventually(Duration::from_secs(60), async || {
            for crm in [HUBSPOT, SALESFORCE] {
                let rows = ledger(&site, crm).await?;
                for (lead, revision) in newest.iter().enumerate() {
                    let row = rows.get(&lead_id(lead));
                    let at_rest = row.is_some_and(|row| {
                        row.state == "done" && u64::try_from(row.sent).ok() == Some(*revision)
                    });
                    ensure!(at_rest, "{crm}: lead {lead} at {revision}: {row:?}");
                }
            }
            Ok(())
        })
        .await?;
        in_step(&client.contacts().await?, HUBSPOT, &newest)?;
        in_step(&client.leads().await?, SALESFORCE, &newest)?;
        ensure!(
            dead_letters(&site)?.is_empty(),
            "a fault of a CRM made dead letters"
        );
        site.finish().await
    })
}

fn any_fault(random: &mut StdRng) -> Fault {
    let endpoints = [Endpoint::HubspotUpsert, Endpoint::SalesforceUpsert];
    let endpoint = endpoints[random.random_range(0..2)];
    match random.random_range(0..6) {
        0 => Fault::applied_timeout(endpoint),
        1 => Fault::timeout(endpoint),
        2 => Fault::status(endpoint, 503),
        3 => Fault::once(endpoint, Effect::Close { applied: true }),
        4 => Fault::once(endpoint, Effect::TokenExpired),
        _ => Fault::once(endpoint, Effect::Delay { ms: 300 }),
    }
}
