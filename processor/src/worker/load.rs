//! Loads what a batch needs before it is folded. Leads come from memory, else from one statement
//! for leads found by their own key and one for all others.

use std::collections::{BTreeMap, BTreeSet};

use crate::engine::batch::{Decoded, Keyed, LoadedState};
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
    let mut unknown: BTreeSet<String> = BTreeSet::new();
    // The closed leads, whose survivors may be erased.
    let mut closed: Vec<String> = Vec::new();
    for (_, own, keyed) in inputs(batch) {
        match known.leads.get(own) {
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
        let identities: Vec<String> = unknown.into_iter().collect();
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
    let mut missing: BTreeSet<&String> = BTreeSet::new();
    for (partition, own, _) in inputs(batch) {
        if known.leads.contains_key(own) || missing.contains(own) {
            continue;
        }
        match partitions.cached(partition, own) {
            Some(stored) => {
                known.leads.insert(own.clone(), Lead::from_bytes(stored)?);
            }
            None => {
                missing.insert(own);
            }
        }
    }
    if !missing.is_empty() {
        let lead_ids: Vec<String> = missing.into_iter().cloned().collect();
        known.leads.extend(store.load(&lead_ids).await?);
    }
    let own = known.leads.keys().map(|id| (id.clone(), id.clone()));
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
    let mut joining: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for (_, own, keyed) in inputs(batch) {
        if let Inbound::Merge(merge) = &keyed.inbound
            && let Some(other) = &merge.closed
        {
            let others = joining.entry(own).or_default();
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
            asked
                .extend(owners.map(|owner| (owner.clone(), input.order.id.clone(), input.sent_at)));
        }
    }
    if !asked.is_empty() {
        known.evicted = store.evicted(&asked).await?;
    }
    Ok(())
}

/// Returns each input with its partition and the lead id that its key gives.
fn inputs(batch: &[Decoded]) -> impl Iterator<Item = (i32, &String, &Keyed)> {
    batch.iter().filter_map(|decoded| {
        let keyed = &**decoded.content.as_ref().ok()?;
        Some((decoded.record.partition, keyed.identities.first()?, keyed))
    })
}
