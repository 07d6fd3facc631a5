//! Loads what a batch needs before it is folded. Leads come from memory, else from one statement
//! for leads found by their own key and one for all others.

use std::collections::{BTreeMap, BTreeSet};

use foldhash::HashSet;
use leadstream_schemas::{Identity, LeadId, Partition};

use crate::engine::batch::{Decoded, DedupId, Evicted, Keyed, LoadedState};
use crate::engine::owned_partitions::OwnedPartitions;
use crate::lead::{Inbound, Lead, scoped};
use crate::store::{Store, StoreError};

/// Gathers the leads, owners of ids, and evicted ids that `batch` touches.
pub(super) async fn load_batch_state(
    store: &Store,
    partitions: &mut OwnedPartitions,
    batch: &[Decoded],
) -> Result<LoadedState, StoreError> {
    let mut known = LoadedState::default();
    load_own(store, partitions, &mut known, batch).await?;
    let mut unknown: BTreeSet<Identity> = BTreeSet::new();
    // The closed leads, whose survivors may be erased.
    let mut closed: Vec<Identity> = Vec::new();
    for (_, own, keyed) in inputs(batch) {
        match known.leads.get(own.as_str()) {
            Some(lead) => {
                if lead.merged_into.is_some() {
                    closed.push(own.clone());
                }
                if let Some(input) = keyed.inbound.input() {
                    let news = input.identities().filter(|id| !lead.identities.hold(id));
                    unknown.extend(news.map(|id| scoped(&keyed.account, id)));
                }
            }
            None => unknown.extend(keyed.identities.iter().cloned()),
        }
    }
    unknown.retain(|identity| !known.identities.contains_key(identity));
    unknown.extend(closed);
    if !unknown.is_empty() {
        let identities: Vec<Identity> = unknown.into_iter().collect();
        let found = store.identify(&identities).await?;
        for (lead_id, lead) in found.leads {
            known.leads.entry(lead_id).or_insert(lead);
        }
        known.identities.extend(found.owners);
        known.erased = found.erased;
    }
    load_evicted(store, &mut known, batch).await?;
    Ok(known)
}

/// Loads leads whose first key is the key of a record. These are nearly all, and need no lookup of
/// identities.
async fn load_own(
    store: &Store,
    partitions: &mut OwnedPartitions,
    known: &mut LoadedState,
    batch: &[Decoded],
) -> Result<(), StoreError> {
    let mut missing: HashSet<&Identity> = HashSet::default();
    for (partition, own, _) in inputs(batch) {
        if known.leads.contains_key(own.as_str()) || missing.contains(own) {
            continue;
        }
        match partitions.cached(partition, own.as_str()) {
            Some(stored) => {
                known
                    .leads
                    .insert(own.into(), Box::new(Lead::from_bytes(stored)?));
            }
            None => {
                missing.insert(own);
            }
        }
    }
    if !missing.is_empty() {
        let lead_ids: Vec<LeadId> = missing.into_iter().map(LeadId::from).collect();
        known.leads.extend(store.load(&lead_ids).await?);
    }
    let own = known
        .leads
        .keys()
        .map(|id| (Identity::from(id), id.clone()));
    known.identities.extend(own);
    Ok(())
}

/// Looks up evicted ids for inputs that only these can identify as duplicates.
async fn load_evicted(
    store: &Store,
    known: &mut LoadedState,
    batch: &[Decoded],
) -> Result<(), StoreError> {
    // A lead that absorbs another within this batch may also need the other's evicted ids.
    let mut joining: BTreeMap<&str, Vec<&LeadId>> = BTreeMap::new();
    for (_, own, keyed) in inputs(batch) {
        if let Inbound::Merge(merge) = &keyed.inbound
            && let Some(other) = &merge.closed
        {
            let others = joining.entry(own.as_str()).or_default();
            others.push(&merge.lead_id);
            others.extend(&other.merged);
        }
    }
    let mut asked = Vec::new();
    for (_, own, keyed) in inputs(batch) {
        let Some(input) = keyed.inbound.input() else {
            continue;
        };
        let Some(lead_id) = known.identities.get(own) else {
            continue;
        };
        let Some(lead) = known.leads.get(lead_id) else {
            continue;
        };
        let joining = joining.get(lead_id.as_str());
        if lead.journal.needs_dedup_lookup(input) || joining.is_some() {
            let owners = std::iter::once(lead_id)
                .chain(&lead.merged)
                .chain(joining.into_iter().flatten().copied());
            asked.extend(owners.map(|owner| Evicted {
                id: DedupId {
                    lead_id: owner.clone(),
                    input_id: input.order.id.clone(),
                },
                sent_at: input.sent_at,
            }));
        }
    }
    if !asked.is_empty() {
        known.evicted = store.evicted(&asked).await?;
    }
    Ok(())
}

/// Returns each input with its partition and the lead id that its key gives.
fn inputs(batch: &[Decoded]) -> impl Iterator<Item = (Partition, &Identity, &Keyed)> {
    batch.iter().filter_map(|decoded| {
        let keyed = &**decoded.content.as_ref().ok()?;
        Some((decoded.record.partition, keyed.identities.first()?, keyed))
    })
}
