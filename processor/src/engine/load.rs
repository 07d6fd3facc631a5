//! What a batch needs to know before it is folded: from memory, else in one statement.

use std::collections::{BTreeMap, BTreeSet};

use super::batch::{Decoded, Keyed, Known};
use super::partition::Partition;
use crate::lead::Lead;
use crate::store::{Store, StoreError};

/// Gathers the leads, owners of ids, and departed ids that `batch` touches.
pub(crate) async fn known(
    store: &Store,
    partitions: &mut BTreeMap<i32, Partition>,
    batch: &[Decoded],
) -> Result<Known, StoreError> {
    let mut known = Known::default();
    let mut unknown: BTreeSet<String> = BTreeSet::new();
    for (partition, keyed) in inputs(batch) {
        let Some(own) = keyed.identities.first() else {
            continue;
        };
        let cached = partitions
            .get_mut(&partition)
            .and_then(|partition| partition.leads.get(own));
        match cached {
            Some(lead) => {
                let news: Vec<&str> = lead.identities.unknown(&keyed.input.sender).collect();
                unknown.extend(
                    news.iter()
                        .map(|id| crate::lead::scoped(&keyed.account, id)),
                );
                known.identities.insert(own.clone(), own.clone());
                if !known.leads.contains_key(own) {
                    known.leads.insert(own.clone(), lead.clone());
                }
            }
            None => unknown.extend(keyed.identities.iter().cloned()),
        }
    }
    unknown.retain(|identity| !known.identities.contains_key(identity));
    if !unknown.is_empty() {
        let identities: Vec<String> = unknown.into_iter().collect();
        let (leads, owners) = store.load(&identities).await?;
        for (lead_id, lead) in leads {
            known.leads.entry(lead_id).or_insert(lead);
        }
        known.identities.extend(owners);
    }
    load_departed(store, &mut known, batch).await?;
    Ok(known)
}

/// Asks for ids that left their lead's journal, for inputs that only those can tell.
async fn load_departed(
    store: &Store,
    known: &mut Known,
    batch: &[Decoded],
) -> Result<(), StoreError> {
    let asked: Vec<_> = inputs(batch)
        .filter_map(|(_, keyed)| {
            let lead_id = known.identities.get(keyed.identities.first()?)?;
            let lead: &Lead = known.leads.get(lead_id)?;
            lead.journal.asks_departed(&keyed.input).then(|| {
                (
                    lead_id.clone(),
                    keyed.input.order.id.clone(),
                    keyed.input.sent_at,
                )
            })
        })
        .collect();
    if !asked.is_empty() {
        known.departed = store.departed(&asked).await?;
    }
    Ok(())
}

fn inputs(batch: &[Decoded]) -> impl Iterator<Item = (i32, &Keyed)> {
    batch.iter().filter_map(|decoded| {
        let keyed = decoded.content.as_ref().ok()?;
        Some((decoded.record.partition, keyed))
    })
}
