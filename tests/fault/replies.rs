//! Has WhatsApp fail in every way while two sinks are killed, stopped and restarted. Afterwards an
//! oracle compares what WhatsApp accepted with `lead.replies` and the ledger (invariant 7).

mod oracle;
mod record;
mod restarts;

use leadstream_harness::Site;
use leadstream_sandbox::webhook::BusinessNumber;
use leadstream_sandbox::{Effect, Endpoint, Fault, SandboxConfig, StatusScript};
use sqlx::Row as _;

pub(crate) use oracle::Checked;
pub(crate) use restarts::{ID_PREFIX, graceful_restarts_repeat_nothing};

/// The business numbers, which spread over the sinks.
const NUMBERS: [&str; 4] = [
    leadstream_harness::NUMBER,
    "106540352242923",
    "106540352242924",
    "106540352242925",
];

/// Returns the business number of a person.
pub(crate) fn number_of(person: u64) -> &'static str {
    let count = NUMBERS.len() as u64;
    usize::try_from(person % count).map_or(NUMBERS[0], |index| NUMBERS[index])
}

/// Gives the sandbox all numbers.
pub(crate) fn configure(config: &mut SandboxConfig) {
    config.whatsapp.numbers = NUMBERS.map(BusinessNumber::new).to_vec();
}

/// Orders faults of WhatsApp: 5 % of the requests are applied without an answer, 2 % are refused, and
/// statuses are shuffled, repeated and missing.
pub(crate) async fn order_faults(site: &Site<'_>) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    let endpoint = Endpoint::GraphMessages;
    let held = Effect::Hold {
        applied: true,
        for_ms: None,
    };
    for fault in [
        Fault::once(endpoint, Effect::Close { applied: true }).share(0.045),
        Fault::once(endpoint, held).share(0.005),
        // One that is tried again, and one that ends the reply.
        Fault::graph_error(131_000).share(0.01),
        Fault::graph_error(131_026).share(0.01),
        Fault::once(endpoint, Effect::Delay { ms: 100 }).share(0.2),
    ] {
        client.order(&fault).await?;
    }
    let script = StatusScript {
        shuffled: true,
        repeated: 0.1,
        missing: 0.01,
        ..StatusScript::default()
    };
    Ok(client.set_statuses(&script).await?)
}

/// Ends the faults of WhatsApp.
pub(crate) async fn end_faults(site: &Site<'_>) -> anyhow::Result<()> {
    Ok(site.sandbox.client()?.clear_faults().await?)
}

/// Compares, once each reply has ended.
pub(crate) async fn check(site: &Site<'_>) -> anyhow::Result<Checked> {
    let record = record::Record::read(site).await?;
    oracle::check(site, &record).await
}

/// Returns an error while a reply of the topic waits or has no row, or while a result waits.
pub(crate) async fn at_rest(site: &Site<'_>) -> anyhow::Result<()> {
    let counts =
        sqlx::query("SELECT count(*), min(state), min(reason) FROM whatsapp_replies WHERE queued")
            .fetch_one(&site.database)
            .await?;
    let queued: i64 = counts.try_get(0)?;
    let (state, reason): (Option<String>, Option<String>) =
        (counts.try_get(1)?, counts.try_get(2)?);
    anyhow::ensure!(queued == 0, "{queued} replies wait: {state:?}, {reason:?}");
    let results: i64 = sqlx::query_scalar("SELECT count(*) FROM whatsapp_feedback")
        .fetch_one(&site.database)
        .await?;
    anyhow::ensure!(results == 0, "{results} results are not in lead.inputs");
    let known = record::ledger_ids(site).await?;
    let record = record::Record::read(site).await?;
    let missing = record.replies().filter(|reply| !known.contains(&reply.id));
    let missing = missing.count();
    anyhow::ensure!(missing == 0, "{missing} replies have no row");
    Ok(())
}
