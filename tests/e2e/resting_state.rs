//! Compares the state at rest with the pure fold's result.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use leadstream_harness::Site;
use leadstream_sandbox::MessageQuery;
use leadstream_schemas::codec::decode;
use leadstream_schemas::reply::token;
use leadstream_schemas::{Cause, LeadEvent, Reply, ReplyContent, ReplyKind, SyncPriority, Topic};
use sqlx::Row;

use crate::generated_conversation::{Expected, ExpectedEvent};
pub(crate) use leadstream_harness::topic::read_all;

/// Waits until rows, replies and both CRMs match the fold.
pub(crate) async fn at_rest(site: &Site<'_>, expected: &[Expected]) -> anyhow::Result<()> {
    let within = Duration::from_secs(150);
    leadstream_harness::eventually(within, async || {
        rows(site, expected).await?;
        crms(site, expected).await?;
        let sent: HashSet<String> = messages(site).await?.into_iter().map(|it| it.1).collect();
        let replaced = replaced(site)?;
        let replies = expected.iter().flat_map(|lead| &lead.replies);
        let open = replies.filter(|(id, _)| {
            let token = token(id).to_string();
            !sent.contains(&token) && !replaced.contains(&token)
        });
        let open = open.count();
        ensure!(open == 0, "{open} replies are neither sent nor replaced");
        Ok(())
    })
    .await
}

async fn rows(site: &Site<'_>, expected: &[Expected]) -> anyhow::Result<()> {
    let rows = sqlx::query("SELECT * FROM lead_qualifications")
        .fetch_all(&site.database)
        .await?;
    ensure!(
        rows.len() == expected.len(),
        "{} of {} rows",
        rows.len(),
        expected.len()
    );
    let mut by_id: HashMap<String, _> = rows
        .into_iter()
        .map(|row| Ok((row.try_get::<String, _>("lead_id")?, row)))
        .collect::<anyhow::Result<_>>()?;
    for lead in expected {
        let row = by_id.remove(&lead.lead_id).context("a lead has no row")?;
        let conversation = &lead.conversation;
        let revision = i64::try_from(lead.events.len())?;
        ensure!(row.try_get::<String, _>("wa_id")? == lead.lead_id, "wa_id");
        ensure!(
            row.try_get::<String, _>("current_state")? == conversation.state,
            "state"
        );
        ensure!(
            row.try_get::<i32, _>("qualification_score")? == conversation.score,
            "score"
        );
        ensure!(
            row.try_get::<bool, _>("is_completed")? == conversation.is_completed,
            "completion"
        );
        let data: serde_json::Value = row.try_get("lead_data")?;
        ensure!(
            data == serde_json::Value::Object(conversation.data.clone()),
            "data"
        );
        ensure!(row.try_get::<i64, _>("revision")? == revision, "revision");
        let last: chrono::DateTime<chrono::Utc> = row.try_get("last_interaction")?;
        ensure!(
            Some(last) == lead.last_interaction.datetime(),
            "last interaction"
        );
    }
    Ok(())
}

async fn crms(site: &Site<'_>, expected: &[Expected]) -> anyhow::Result<()> {
    let client = site.sandbox.client()?;
    let contacts = client.contacts().await?;
    let leads = client.leads().await?;
    ensure!(
        contacts.len() == expected.len(),
        "{} contacts",
        contacts.len()
    );
    ensure!(
        leads.len() == expected.len(),
        "{} Salesforce leads",
        leads.len()
    );
    for lead in expected {
        let id = lead.lead_id.as_str();
        let find = |records: &'_ [leadstream_sandbox::CrmRecord], key: &str| {
            records
                .iter()
                .find(|record| record.text(key) == Some(id))
                .cloned()
        };
        let contact = find(&contacts, "wa_id").context("a contact is missing")?;
        equals_contact(lead, &contact).context(id.to_owned())?;
        let record = find(&leads, "WA_Id__c").context("a Salesforce lead is missing")?;
        equals_salesforce_lead(lead, &record).context(id.to_owned())?;
    }
    Ok(())
}

fn equals_contact(lead: &Expected, contact: &leadstream_sandbox::CrmRecord) -> anyhow::Result<()> {
    let id = lead.lead_id.as_str();
    let revision = lead.events.len();
    let state = lead.conversation.state.as_str();
    let score = lead.conversation.score;
    ensure!(
        contact.text("leadstream_state") == Some(state),
        "contact's state"
    );
    ensure!(
        contact.text("leadstream_score") == Some(&score.to_string()),
        "contact's score"
    );
    // A revision without another change is not sent.
    let written = contact.text("leadstream_revision");
    let written: Option<usize> = written.and_then(|written| written.parse().ok());
    ensure!(
        written.is_some_and(|written| (1..=revision).contains(&written)),
        "contact's revision"
    );
    ensure!(
        contact.text("phone") == Some(&format!("+{id}")),
        "contact's phone"
    );
    let budget = lead.conversation.data.get("budget");
    ensure!(
        contact.text("leadstream_budget") == budget.map(ToString::to_string).as_deref(),
        "contact's budget"
    );
    never_back(contact, "leadstream_revision")
}

fn equals_salesforce_lead(
    lead: &Expected,
    record: &leadstream_sandbox::CrmRecord,
) -> anyhow::Result<()> {
    let revision = lead.events.len();
    let budget = lead.conversation.data.get("budget");
    let state = lead.conversation.state.as_str();
    let score = lead.conversation.score;
    ensure!(
        record.text("Leadstream_State__c") == Some(state),
        "lead's state"
    );
    ensure!(
        record.values.get("Leadstream_Score__c") == Some(&score.into()),
        "lead's score"
    );
    let written = record.values.get("Leadstream_Revision__c");
    let written = written.and_then(serde_json::Value::as_u64);
    ensure!(
        written.is_some_and(|written| (1..=revision as u64).contains(&written)),
        "lead's revision"
    );
    ensure!(
        record.values.get("Leadstream_Budget__c") == budget,
        "lead's budget"
    );
    ensure!(record.assignments == 0, "assignment rules ran");
    never_back(record, "Leadstream_Revision__c")
}

/// Checks that no older revision overwrote a newer one (invariant 6).
pub(crate) fn never_back(
    record: &leadstream_sandbox::CrmRecord,
    revision: &str,
) -> anyhow::Result<()> {
    let mut last = 0;
    for write in &record.history {
        let value = write
            .values
            .get(revision)
            .context("a write without its revision")?;
        let written = value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let written = written.context("a revision that is no number")?;
        ensure!(
            written >= last,
            "revision {written} was written over {last}"
        );
        last = written;
    }
    Ok(())
}

/// Checks that first deliveries are gapless and in order, and duplicates identical to the byte
/// (invariant 4).
pub(crate) fn events(site: &Site<'_>, expected: &[Expected]) -> anyhow::Result<usize> {
    let mut seen: HashMap<String, Vec<Vec<u8>>> = HashMap::new();
    let mut repeats = 0;
    for record in read_all(site, &site.topic(Topic::LeadEvents))? {
        let event: LeadEvent = decode(&record.value)?;
        ensure!(
            record.key == event.data.lead_id.as_str().as_bytes(),
            "an event under another key"
        );
        ensure!(
            record.headers.contains_key("traceparent"),
            "an event without trace context"
        );
        let copies = seen.entry(event.data.lead_id.to_string()).or_default();
        let index = usize::try_from(event.data.revision.0)? - 1;
        match copies.get(index) {
            Some(first) => {
                ensure!(
                    *first == record.value,
                    "a repeat differs from its first copy"
                );
                repeats += 1;
            }
            None => {
                ensure!(copies.len() == index, "a gap before revision {}", index + 1);
                copies.push(record.value);
            }
        }
    }
    for lead in expected {
        let copies = seen.remove(&lead.lead_id).unwrap_or_default();
        ensure!(
            copies.len() == lead.events.len(),
            "{} of {} events",
            copies.len(),
            lead.events.len()
        );
        for (value, wanted) in copies.iter().zip(&lead.events) {
            event_is(&decode(value)?, lead, wanted)?;
        }
    }
    ensure!(seen.is_empty(), "events of unknown leads");
    Ok(repeats)
}

fn event_is(event: &LeadEvent, lead: &Expected, wanted: &ExpectedEvent) -> anyhow::Result<()> {
    let data = &event.data;
    let name = wanted.after.data.get("name").and_then(|name| name.as_str());
    ensure!(
        event.id == format!("{}:{}", lead.lead_id, wanted.revision),
        "id"
    );
    ensure!(event.timestamp == wanted.timestamp, "timestamp");
    ensure!(data.revision.0 == wanted.revision, "revision");
    ensure!(
        data.previous_state == wanted.previous_state,
        "previous state"
    );
    ensure!(data.current_state == wanted.after.state, "state");
    ensure!(data.qualification_score == wanted.after.score, "score");
    ensure!(data.is_completed == wanted.after.is_completed, "completion");
    ensure!(data.lead_data == wanted.after.data, "data");
    ensure!(
        data.lead_metadata.name.as_deref() == name.or(Some(&lead.profile_name)),
        "name"
    );
    ensure!(data.lead_metadata.platform == "WhatsApp", "platform");
    ensure!(
        data.cause == Cause::Message && data.sync_priority == SyncPriority::High,
        "cause"
    );
    ensure!(data.flow == wanted.after.flow, "flow");
    Ok(())
}

/// Checks that every reply is in the topic, once for a consumer that deduplicates by id.
pub(crate) fn replies(site: &Site<'_>, expected: &[Expected]) -> anyhow::Result<()> {
    let mut seen: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let mut by_lead: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for record in read_all(site, &site.topic(Topic::LeadReplies))? {
        let reply: Reply = decode(&record.value)?;
        if let Some(first) = seen.get(&reply.id) {
            ensure!(
                *first == record.value,
                "a repeated reply differs from its first copy"
            );
            continue;
        }
        if reply.is_withdrawal() {
            continue;
        }
        let ReplyContent::Text { body, .. } = reply.content else {
            bail!("a reply that is no text");
        };
        by_lead
            .entry(reply.lead_id.to_string())
            .or_default()
            .push((reply.id.clone(), body));
        seen.insert(reply.id, record.value);
    }
    for lead in expected {
        let found = by_lead.remove(&lead.lead_id).unwrap_or_default();
        ensure!(
            found == lead.replies,
            "replies of a lead: {} of {}",
            found.len(),
            lead.replies.len()
        );
    }
    ensure!(by_lead.is_empty(), "replies to unknown leads");
    Ok(())
}

/// Returns what WhatsApp accepted, in order: recipient, token of the reply, text.
pub(crate) async fn messages(site: &Site<'_>) -> anyhow::Result<Vec<(String, String, String)>> {
    let query = MessageQuery::default();
    let messages = site.sandbox.client()?.messages(&query).await?;
    let ours = |message: leadstream_sandbox::SentMessage| {
        let token = message.biz_opaque_callback_data;
        let to = message.to.trim_start_matches('+').to_owned();
        let text = message.text.context("a message that is no text")?;
        Ok((to, token.context("a message without our token")?, text))
    };
    messages.into_iter().map(ours).collect()
}

/// Returns the tokens of the replies that a newer one may supersede: prompts with a later record of
/// the same lead.
pub(crate) fn replaced(site: &Site<'_>) -> anyhow::Result<HashSet<String>> {
    let mut prompts: HashMap<String, Vec<String>> = HashMap::new();
    let (mut seen, mut replaced) = (HashSet::new(), HashSet::new());
    for record in read_all(site, &site.topic(Topic::LeadReplies))? {
        let reply: Reply = decode(&record.value)?;
        if !seen.insert(reply.id.clone()) {
            continue;
        }
        let prompts = prompts.entry(reply.lead_id.to_string()).or_default();
        replaced.extend(prompts.drain(..));
        if reply.kind == Some(ReplyKind::Prompt) {
            prompts.push(token(&reply.id).to_string());
        }
    }
    Ok(replaced)
}

/// Checks that WhatsApp accepted each reply once and in order, except superseded ones. Each lead
/// may have one duplicate send per kill (`kills`) of the sender. Returns the number of duplicates.
pub(crate) async fn sent(
    site: &Site<'_>,
    expected: &[Expected],
    kills: usize,
) -> anyhow::Result<usize> {
    let mut by_lead: HashMap<String, Vec<(String, String)>> = HashMap::new();
    for (to, token, text) in messages(site).await? {
        by_lead.entry(to).or_default().push((token, text));
    }
    let replaced = replaced(site)?;
    let mut repeats = 0;
    for lead in expected {
        let found = by_lead.remove(&lead.lead_id).unwrap_or_default();
        let mut firsts: Vec<(String, String)> = Vec::new();
        for message in &found {
            if !firsts.contains(message) {
                firsts.push(message.clone());
            }
        }
        let sent =
            |reply: &&(String, String)| firsts.contains(reply) || !replaced.contains(&reply.0);
        let replies = lead.replies.iter();
        let replies: Vec<(String, String)> = replies
            .map(|(id, text)| (token(id).to_string(), text.clone()))
            .collect();
        let wanted: Vec<_> = replies.iter().filter(sent).cloned().collect();
        ensure!(
            firsts == wanted,
            "what WhatsApp accepted differs from the replies"
        );
        let extra = found.len() - firsts.len();
        ensure!(
            extra <= kills,
            "{extra} repeats to one lead after {kills} kills"
        );
        repeats += extra;
    }
    ensure!(by_lead.is_empty(), "messages to unknown people");
    Ok(repeats)
}

/// Waits until the outbox is empty.
pub(crate) async fn outbox_is_empty(site: &Site<'_>) -> anyhow::Result<()> {
    leadstream_harness::eventually(Duration::from_secs(20), async || {
        let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox")
            .fetch_one(&site.database)
            .await?;
        ensure!(rows == 0, "{rows} rows are left in the outbox");
        Ok(())
    })
    .await
}
