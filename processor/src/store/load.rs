//! Loads leads, identities and evicted ids.

use foldhash::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use leadstream_schemas::{Account, Identity, LeadId, Revision, Timestamp};
use sqlx::Row;

use super::{Store, StoreError, column, pool};
use crate::engine::batch::{DedupId, Evicted};
use crate::erasure::{ErasureRecord, Tombstone};
use crate::lead::{Address, Lead};

const LOAD: &str = "
SELECT lead_id, serialized_state FROM leads WHERE lead_id = ANY($1::text[])";

const IDENTIFY: &str = "
SELECT i.identity, i.lead_id, l.serialized_state, NULL::bytea AS tombstone,
    NULL::timestamptz AS erased_at, NULL::bigint AS last_revision
FROM lead_identities i JOIN leads l ON l.lead_id = i.lead_id
WHERE i.identity = ANY($1::text[])
UNION ALL
SELECT NULL, NULL, NULL, tombstone, erased_at, last_revision FROM erasures
WHERE tombstone = ANY($2::bytea[])";

const LOCATE: &str = "
SELECT l.lead_id, l.serialized_state FROM lead_identities i JOIN leads l ON l.lead_id = i.lead_id
WHERE i.identity = $1 AND l.account = $2";

/// A lead that was looked up.
#[derive(Debug)]
pub(crate) struct Located {
    pub(crate) lead_id: LeadId,
    pub(crate) lead: Lead,
    /// The closed leads that became it and had the id.
    pub(crate) closed: Vec<LeadId>,
}

/// The stored state of identities.
#[derive(Debug, Default)]
pub(crate) struct Identified {
    /// Leads by lead id.
    pub(crate) leads: HashMap<LeadId, Box<Lead>>,
    /// Lead id by identity.
    pub(crate) owners: HashMap<Identity, LeadId>,
    /// Erasures by identity.
    pub(crate) erased: HashMap<Identity, ErasureRecord>,
}

impl Store {
    /// Returns those of `lead_ids` that exist, by id.
    pub(crate) async fn load(
        &self,
        lead_ids: &[LeadId],
    ) -> Result<HashMap<LeadId, Box<Lead>>, StoreError> {
        self.rows(sqlx::query(LOAD).bind(lead_ids), |row| {
            Ok((
                row.try_get("lead_id")?,
                Box::new(Lead::from_bytes(row.try_get("serialized_state")?)?),
            ))
        })
        .await
    }

    /// Returns the leads, owners and tombstones of `identities`.
    pub(crate) async fn identify(&self, identities: &[Identity]) -> Result<Identified, StoreError> {
        let tombstones: HashMap<Tombstone, &Identity> = identities
            .iter()
            .flat_map(|id| self.erasure.tombstones(id).map(move |it| (it, id)))
            .collect();
        let hashes: Vec<&Tombstone> = tombstones.keys().collect();
        let query = sqlx::query(IDENTIFY).bind(identities).bind(&hashes);
        self.bounded(async {
            let mut found = Identified::default();
            let mut transaction = pool::begin(&self.pool).await?;
            let rows = query.fetch_all(&mut *transaction).await?;
            transaction.commit().await?;
            for row in rows {
                let Some(lead_id) = row.try_get::<Option<LeadId>, _>("lead_id")? else {
                    let hash: Tombstone = row.try_get("tombstone")?;
                    if let Some(identity) = tombstones.get(&hash) {
                        let at: DateTime<Utc> = row.try_get("erased_at")?;
                        let last_revision: i64 = row.try_get("last_revision")?;
                        let erasure = ErasureRecord {
                            until: Timestamp::from_millis(at.timestamp_millis()),
                            last_revision: Revision::from_bigint(last_revision),
                        };
                        found
                            .erased
                            .entry((*identity).clone())
                            .or_default()
                            .join(erasure);
                    }
                    continue;
                };
                if !found.leads.contains_key(&lead_id) {
                    let lead = Lead::from_bytes(row.try_get("serialized_state")?)?;
                    found.leads.insert(lead_id.clone(), Box::new(lead));
                }
                found.owners.insert(row.try_get("identity")?, lead_id);
            }
            Ok(found)
        })
        .await
    }

    /// Returns the lead at `address`, following every merge. A lead that is known by a number is
    /// found by either notation of it.
    pub(crate) async fn lead_of(&self, address: &Address) -> Result<Option<Located>, StoreError> {
        for identity in address.identities() {
            if let Some(found) = self.lead_with(identity, address.account()).await? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    async fn lead_with(
        &self,
        identity: &Identity,
        account: &Account,
    ) -> Result<Option<Located>, StoreError> {
        let mut wanted = identity.clone();
        let mut closed = Vec::new();
        loop {
            let query = sqlx::query(LOCATE).bind(&wanted).bind(account);
            let found: Vec<(LeadId, Lead)> = self
                .rows(query, |row| {
                    let lead = Lead::from_bytes(row.try_get("serialized_state")?)?;
                    Ok((row.try_get("lead_id")?, lead))
                })
                .await?;
            let Some((lead_id, lead)) = found.into_iter().next() else {
                return Ok(None);
            };
            match lead.merged_into {
                Some(survivor) => wanted = Identity::from(&survivor),
                None => {
                    return Ok(Some(Located {
                        lead_id,
                        lead,
                        closed,
                    }));
                }
            }
            closed.push(lead_id);
        }
    }

    /// Returns those of `inputs` that were evicted from their lead's journal.
    pub(crate) async fn evicted(&self, inputs: &[Evicted]) -> Result<HashSet<DedupId>, StoreError> {
        let query = sqlx::query(
            "SELECT d.lead_id, d.input_id FROM dedup_ids d
             JOIN unnest($1::text[], $2::text[], $3::timestamptz[]) AS u (lead_id, input_id, sent_at)
               ON d.day = (u.sent_at AT TIME ZONE 'UTC')::date AND d.lead_id = u.lead_id
                 AND d.input_id = u.input_id",
        )
        .bind(column(inputs, |it| &it.id.lead_id))
        .bind(column(inputs, |it| &it.id.input_id))
        .bind(column(inputs, |it| it.sent_at.datetime()));
        self.rows(query, |row| {
            Ok(DedupId {
                lead_id: row.try_get("lead_id")?,
                input_id: row.try_get("input_id")?,
            })
        })
        .await
    }
}
