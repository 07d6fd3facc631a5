//! Restores a backup older than the consumers' data, after the log lost its records, and kills the
//! recovery repeatedly. In the end consumers know the state of each lead.

use std::collections::{BTreeMap, HashSet};
use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use anyhow::{Context, ensure};
use leadstream_harness::{Site, World, eventually};
use leadstream_local::deployment::Service;
use leadstream_schemas::codec::decode;
use leadstream_schemas::{Cause, LeadEvent, SyncPriority, Topic};

use super::{back_up, delete_log, refuses, restore, rows, say};
use crate::clients::abort_transaction;
use crate::generated_conversation::{Expected, Script, scripts};
use crate::resting_state;

const SIGABRT: i32 = 6;

pub(crate) fn a_recovery_killed_after_every_commit_publishes_each_correction_once(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "interrupted").await?;
        site.start_all().await?;
        let mut scripts = scripts(12, 13);
        say(&site, &scripts, |length| 0..length / 3).await?;
        rows(&site, &scripts, |length| length / 3).await?;
        resting_state::outbox_is_empty(&site).await?;
        back_up(&site).await?;
        let lost = |length: usize| length / 3..length * 2 / 3;
        say(&site, &scripts, lost).await?;
        rows(&site, &scripts, |length| length * 2 / 3).await?;
        resting_state::outbox_is_empty(&site).await?;
        site.stop("processor").await?;
        delete_log(&site).await?;
        restore(&site, "backup").await?;
        say(&site, &scripts, |length| length * 2 / 3..length).await?;
        abort_transaction(&site, &site.topic(Topic::LeadInputs))?;
        refuses(&site, "PostgreSQL lost commits").await?;

        let kills = recover(&site).await?;
        ensure!(kills > 3, "only {kills} commits");
        site.start(Service::Processor, "processor").await?;

        let mut wanted = Vec::new();
        for script in &mut scripts {
            let lost = lost(script.said.len());
            let known = script.first(lost.end)?;
            script.said.drain(lost);
            wanted.push(Wanted {
                known,
                explained: script.expected()?,
            });
        }
        events(&site, &wanted)?;
        replies(&site, &wanted)?;
        eventually(Duration::from_secs(90), async || {
            crm_and_rows(&site, &wanted).await
        })
        .await?;
        let sent = resting_state::messages(&site).await?;
        let ids: HashSet<&String> = sent.iter().map(|(_, id, _)| id).collect();
        ensure!(ids.len() == sent.len(), "a reply was sent twice");
        site.finish().await
    })
}

/// Runs the recovery until no commit is left to kill it after; returns the number of kills.
async fn recover(site: &Site<'_>) -> anyhow::Result<usize> {
    let killed = async |point: &str| {
        let point = format!("{point}=abort");
        let variables = [
            ("LEADSTREAM_FAILPOINTS", point.as_str()),
            ("PROCESSOR_BATCH_RECORDS", "7"),
        ];
        let command = ["recover", "--accept-loss", "--apply"];
        let (status, log) = site.tool_with(&command, &variables).await?;
        let killed = status.signal() == Some(SIGABRT);
        ensure!(killed || status.success(), "{log}");
        anyhow::Ok(killed)
    };
    // A member that ended by an error has left its group.
    let first = eventually(Duration::from_secs(30), async || killed("committed").await).await?;
    ensure!(first, "nothing is folded");
    refuses(site, "a recovery has begun and is not through").await?;
    // By now the outbox's records are published and not yet removed.
    let second = eventually(Duration::from_secs(30), async || killed("forget").await).await?;
    ensure!(second, "the outbox is empty");
    let mut kills = 2;
    while killed("committed").await? {
        kills += 1;
        ensure!(kills < 40, "it does not go on where it stood");
    }
    Ok(kills)
}

/// The earlier events of a lead, and the result of the remaining log.
struct Wanted {
    known: Expected,
    explained: Expected,
}

impl Wanted {
    /// Returns whether consumers could not learn the lead's state from its own events.
    fn is_corrected(&self) -> bool {
        let (known, explained) = (self.known.events.len(), self.explained.events.len());
        let same = || {
            !self
                .known
                .conversation
                .differs(&self.explained.conversation)
        };
        explained < known || explained == known && !same()
    }

    fn revision(&self) -> usize {
        match self.is_corrected() {
            true => self.known.events.len() + 1,
            false => self.explained.events.len(),
        }
    }
}

/// Checks that revisions are gapless, each is published once, and the last has the lead's state.
fn events(site: &Site<'_>, wanted: &[Wanted]) -> anyhow::Result<()> {
    let mut told: BTreeMap<String, Vec<LeadEvent>> = BTreeMap::new();
    for record in resting_state::read_all(site, &site.topic(Topic::LeadEvents))? {
        let event: LeadEvent = decode(&record.value)?;
        ensure!(record.key == event.data.lead_id.as_str().as_bytes(), "key");
        ensure!(record.headers.contains_key("traceparent"), "trace context");
        let events = told.entry(event.data.lead_id.to_string()).or_default();
        ensure!(
            event.data.revision.0 == events.len() as u64 + 1,
            "revision {} after {}",
            event.data.revision,
            events.len()
        );
        events.push(event);
    }
    ensure!(wanted.iter().any(Wanted::is_corrected), "nobody to correct");
    for lead in wanted {
        let events = told
            .remove(&lead.explained.lead_id)
            .context("a lead without events")?;
        ensure!(
            events.len() == lead.revision(),
            "{} of {} events",
            events.len(),
            lead.revision()
        );
        let (last, before) = events.split_last().context("no event")?;
        let conversation = &lead.explained.conversation;
        ensure!(last.data.current_state == conversation.state, "state");
        ensure!(last.data.qualification_score == conversation.score, "score");
        ensure!(last.data.is_completed == conversation.is_completed, "end");
        ensure!(last.data.lead_data == conversation.data, "data");
        let replays = |events: &[LeadEvent]| {
            let replay = |event: &&LeadEvent| event.data.cause == Cause::Replay;
            events.iter().filter(replay).count()
        };
        let corrections = usize::from(lead.is_corrected());
        ensure!(replays(before) == 0, "a correction before the last event");
        ensure!(
            replays(std::slice::from_ref(last)) == corrections,
            "{corrections} corrections are wanted"
        );
        if let Some(before) = before.last()
            && lead.is_corrected()
        {
            ensure!(last.data.sync_priority == SyncPriority::Low, "priority");
            ensure!(
                last.data.previous_state == before.data.current_state,
                "the correction does not go on from what consumers knew"
            );
        }
    }
    ensure!(told.is_empty(), "events of unknown leads");
    Ok(())
}

/// Checks that each folded input has exactly one reply.
fn replies(site: &Site<'_>, wanted: &[Wanted]) -> anyhow::Result<()> {
    let mut ids = HashSet::new();
    for record in resting_state::read_all(site, &site.topic(Topic::LeadReplies))? {
        let reply: leadstream_schemas::Reply = decode(&record.value)?;
        ensure!(ids.insert(reply.id), "a reply is in the topic twice");
    }
    let replies = |it: &Expected| {
        it.replies
            .iter()
            .map(|(id, _)| id.clone())
            .collect::<Vec<_>>()
    };
    let all: HashSet<String> = wanted
        .iter()
        .flat_map(|lead| [replies(&lead.known), replies(&lead.explained)].concat())
        .collect();
    ensure!(ids == all, "{} of {} replies", ids.len(), all.len());
    Ok(())
}

async fn crm_and_rows(site: &Site<'_>, wanted: &[Wanted]) -> anyhow::Result<()> {
    let contacts = site.sandbox.client()?.contacts().await?;
    for lead in wanted {
        let explained = &lead.explained;
        let row: (String, i64) = sqlx::query_as(
            "SELECT current_state, revision FROM lead_qualifications WHERE lead_id = $1",
        )
        .bind(&explained.lead_id)
        .fetch_one(&site.database)
        .await?;
        let state = explained.conversation.state.as_str();
        ensure!(
            row == (state.to_owned(), i64::try_from(lead.revision())?),
            "row"
        );
        let is_it = |contact: &&leadstream_sandbox::CrmRecord| {
            contact.text("wa_id") == Some(explained.lead_id.as_str())
        };
        let contact = contacts.iter().find(is_it).context("no contact")?;
        ensure!(contact.text("leadstream_state") == Some(state), "contact");
        resting_state::never_back(contact, "leadstream_revision")?;
    }
    Ok(())
}

impl Script {
    /// Returns the expected result of its first `count` messages.
    fn first(&self, count: usize) -> anyhow::Result<Expected> {
        let said = self.said.iter().take(count).cloned().collect();
        let person = self.person.clone();
        Script { person, said }.expected()
    }
}
