//! Injects CRM faults in random order.

use leadstream_sandbox::{Effect, Endpoint, ErrorBody, Fault, SandboxClient};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_util::sync::CancellationToken;

use super::leads::{LEADS, lead_id};
use crate::faults::waited;

/// The sentence of a limit of the whole transaction.
const LIMIT: &str = "LeadTrigger: System.LimitException: Too many SOQL queries: 101";
const OUR_KEY: &str = "duplicate value found: WA_Id__c duplicates value on record with id: x";

/// Injects faults until `stop` and returns their number.
pub(super) async fn come(
    client: &SandboxClient,
    seed: u64,
    stop: &CancellationToken,
) -> anyhow::Result<usize> {
    let mut random = StdRng::seed_from_u64(seed.wrapping_add(2));
    let mut ordered = 0;
    // A few faults persist however often a record is sent, so some records are given up or parked.
    for (lead, endpoint, code) in [
        (0, Endpoint::HubspotUpsert, "INVALID_EMAIL"),
        (1, Endpoint::SalesforceUpsert, "STRING_TOO_LONG"),
        (2, Endpoint::SalesforceUpsert, "ENTITY_IS_LOCKED"),
    ] {
        let refused = Fault::record_error(endpoint, lead_id(lead), code);
        client.order(&refused).await?;
        ordered += 1;
    }
    while waited(stop, &mut random, 200..900).await {
        client.order(&any(&mut random)).await?;
        ordered += 1;
        if random.random_range(0..12) == 0 {
            lose_an_option(client, &mut random, stop).await?;
            ordered += 1;
        }
    }
    Ok(ordered)
}

/// Removes an option of a pick list, as an administrator does by mistake, and restores it. A sink that
/// starts meanwhile halts.
async fn lose_an_option(
    client: &SandboxClient,
    random: &mut StdRng,
    stop: &CancellationToken,
) -> anyhow::Result<()> {
    let gone = if random.random() {
        Fault::option_gone(Endpoint::HubspotUpsert, "hs_lead_status", "IN_PROGRESS")
    } else {
        Fault::option_gone(Endpoint::SalesforceUpsert, "Status", "Working - Contacted")
    };
    let gone = client.order(&gone).await?;
    waited(stop, random, 800..2_000).await;
    client.cancel(gone).await?;
    Ok(())
}

fn any(random: &mut StdRng) -> Fault {
    let hubspot: bool = random.random();
    let of_hubspot = Endpoint::HubspotUpsert;
    let of_salesforce = Endpoint::SalesforceUpsert;
    let endpoint = if hubspot { of_hubspot } else { of_salesforce };
    let lead = lead_id(random.random_range(0..LEADS));
    let status = |status, retry_after_s| Effect::Status {
        status,
        code: None,
        retry_after_s,
        body: ErrorBody::Vendor,
    };
    let of_record = |code: &str| Fault::record_error(endpoint, &lead, code).times(1);
    match random.random_range(0..26) {
        0 => Fault::timeout(endpoint),
        1 | 2 => Fault::applied_timeout(endpoint),
        3 => Fault::once(endpoint, Effect::Close { applied: false }),
        4 => Fault::once(endpoint, Effect::Close { applied: true }),
        5 => Fault::once(endpoint, Effect::TornAnswer),
        6 => Fault::once(endpoint, Effect::TokenExpired),
        7 => Fault::once(endpoint, Effect::Delay { ms: 700 }),
        8 | 9 => {
            let ms = random.random_range(1_200..3_000);
            Fault::once(endpoint, Effect::AppliedLate { ms })
        }
        10 => Fault::once(endpoint, status(503, None)),
        11 => Fault::once(of_hubspot, status(429, Some(1))),
        12 => Fault::once(of_salesforce, status(403, None)),
        13 => Fault::once(of_hubspot, Effect::SilentNoOp),
        14 => Fault::once(of_hubspot, Effect::Omitted).for_key(&lead),
        // A batch is halved while sinks are killed; in the end the record is at fault.
        15 => Fault::status(of_hubspot, 409).for_key(&lead).times(9),
        16 => Fault::status(of_salesforce, 400).for_key(&lead).times(3),
        17 if hubspot => of_record("INVALID_EMAIL"),
        17 => of_record("STRING_TOO_LONG"),
        18 => Fault::record_error(of_salesforce, &lead, "UNABLE_TO_LOCK_ROW").times(2),
        // A limit of the transaction, an outage inside a partial answer, and a code that nobody knows.
        19 => Fault::too_many(of_salesforce, 10, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY")
            .saying(LIMIT)
            .times(4),
        20 => Fault::record_error(of_salesforce, &lead, "UNKNOWN_EXCEPTION").times(2),
        21 => Fault::record_error(of_salesforce, &lead, "A_CODE_OF_NEXT_YEAR").times(2),
        22 => Fault::record_error(of_salesforce, &lead, "INACTIVE_OWNER_OR_USER").times(1),
        23 if hubspot => of_record("INVALID_LONG").of_field("leadstream_score"),
        23 => of_record("NUMBER_OUTSIDE_VALID_RANGE").of_field("Leadstream_Score__c"),
        _ if hubspot => Fault::once(of_hubspot, Effect::UntracedError).for_key(&lead),
        _ if random.random() => of_record("ENTITY_IS_LOCKED"),
        _ => of_record("DUPLICATE_VALUE").saying(OUR_KEY),
    }
}
