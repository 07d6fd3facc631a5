//! Checks the results of commands: each command has one, however often it was delivered (invariant
//! 2).

use std::collections::hash_map::Entry;

use anyhow::{Context, bail, ensure};
use leadstream_harness::Site;
use leadstream_harness::topic::Read;
use leadstream_processor::lead::{Command, CommandKind};
use leadstream_schemas::InputId;
use sqlx::Row as _;

use super::Oracle;
use super::lead::AdmitResult;

/// A result, as the records explain it.
pub(super) struct ExpectedResult {
    /// `None` if the lead did not exist.
    lead_id: Option<String>,
    /// The lead's revision after the command; `None` if the command was rejected.
    revision: Option<i64>,
}

impl Oracle {
    pub(super) fn command(
        &mut self,
        key: &str,
        command: &Command,
        record: Read,
    ) -> anyhow::Result<()> {
        let input = &command.input;
        let id = input.order.id.clone();
        self.seen.insert(id.clone().into());
        let Some(lead) = self.leads.get_mut(key) else {
            self.expect_result(id, None, None);
            return Ok(());
        };
        if command.kind == CommandKind::Erase {
            let revision = lead.erase(input.order.at)?;
            self.counts.erasures += 1;
            self.expect_result(id, None, revision);
            return Ok(());
        }
        let revision = match lead.admit(&self.flows, key, input)? {
            AdmitResult::Erased => bail!("nobody commands who is erased"),
            AdmitResult::Folded { late, rejection } => {
                let revision = i64::try_from(lead.events.len())?;
                self.counts.late += usize::from(late);
                rejection.is_none().then_some(revision)
            }
            AdmitResult::Duplicate => {
                self.counts.duplicates += 1;
                return Ok(());
            }
            AdmitResult::TooLate => {
                self.counts.too_late += 1;
                self.expect_dead_letter(record, "too_late");
                None
            }
        };
        self.expect_result(id, Some(key.to_owned()), revision);
        Ok(())
    }

    /// Records a result. A command rejected because its lead did not exist may come again.
    fn expect_result(&mut self, id: InputId, lead_id: Option<String>, revision: Option<i64>) {
        let expected = ExpectedResult { lead_id, revision };
        match self.command_results.entry(id.into()) {
            Entry::Vacant(free) => {
                free.insert(expected);
            }
            Entry::Occupied(mut known) => {
                let before = known.get();
                let is_found = before.lead_id.is_none() && expected.lead_id.is_some();
                if before.revision.is_none() && (expected.revision.is_some() || is_found) {
                    known.insert(expected);
                }
            }
        }
    }

    pub(super) async fn command_results(&mut self, site: &Site<'_>) -> anyhow::Result<()> {
        let rows =
            sqlx::query("SELECT command_id, lead_id, revision, rejection FROM command_results")
                .fetch_all(&site.database)
                .await?;
        for row in rows {
            let id: String = row.try_get("command_id")?;
            let expected = self.command_results.remove(&id);
            let expected = expected.with_context(|| format!("nobody gave {id}"))?;
            let lead_id: Option<String> = row.try_get("lead_id")?;
            let revision: Option<i64> = row.try_get("revision")?;
            let rejection: Option<String> = row.try_get("rejection")?;
            ensure!(
                lead_id == expected.lead_id && revision == expected.revision,
                "{id} led {lead_id:?} to {revision:?}, not {:?} to {:?}",
                expected.lead_id,
                expected.revision
            );
            ensure!(
                rejection.is_some() == revision.is_none(),
                "{id} is both or neither"
            );
            match revision {
                Some(_) => self.counts.applied += 1,
                None => self.counts.rejected += 1,
            }
        }
        let open = self.command_results.len();
        ensure!(open == 0, "{open} commands have no result");
        Ok(())
    }
}
