//! Reads what `lead.replies` asks for and what WhatsApp accepted.

use std::collections::{HashMap, HashSet};

use anyhow::Context;
use leadstream_harness::Site;
use leadstream_harness::topic::for_each;
use leadstream_sandbox::{MessageQuery, SentMessage};
use leadstream_schemas::codec::decode;
use leadstream_schemas::reply::{ReplyKind, WithdrawReason, WithdrawScope};
use leadstream_schemas::{Reply, ReplyContent, Timestamp, Topic};
use leadstream_sink_whatsapp::reply_row::token;

/// A record of `lead.replies`.
pub(super) struct Asked {
    pub(super) id: String,
    pub(super) lead_id: String,
    pub(super) number: String,
    pub(super) revision: u64,
    /// Digits of the recipient, or its user id.
    pub(super) to: String,
    pub(super) text: Option<String>,
    pub(super) is_prompt: bool,
    pub(super) expires_at: Option<Timestamp>,
    /// Set of a record that withdraws earlier replies.
    pub(super) withdraws: Option<WithdrawScope>,
}

/// The topic and WhatsApp's messages.
pub(super) struct Record {
    /// By lead, in the order of the topic. A repeated record is left out.
    pub(super) leads: HashMap<String, Vec<Asked>>,
    /// Leads of which nothing is kept.
    pub(super) erased: HashSet<String>,
    /// Ids of replies with a dead letter.
    pub(super) dead: HashSet<String>,
    /// What WhatsApp accepted, in that order, with the reply's id.
    pub(super) messages: Vec<(String, SentMessage)>,
}

impl Record {
    pub(super) async fn read(site: &Site<'_>) -> anyhow::Result<Self> {
        let mut leads: HashMap<String, Vec<Asked>> = HashMap::new();
        let (mut erased, mut seen) = (HashSet::new(), HashSet::new());
        let mut by_callback_data = HashMap::new();
        for_each(site, &site.topic(Topic::LeadReplies), |record| {
            let reply: Reply = decode(&record.value)?;
            if !seen.insert(reply.id.clone()) {
                return Ok(());
            }
            if let ReplyContent::Withdraw { reason, .. } = &reply.content
                && *reason == WithdrawReason::Erasure
            {
                erased.insert(reply.lead_id.as_str().to_owned());
            }
            // The sink's own id of a message is the reply's, or its token.
            let token = token(&reply.id);
            for data in [
                reply.id.clone(),
                token.to_string(),
                token.simple().to_string(),
            ] {
                by_callback_data.insert(data, reply.id.clone());
            }
            let asked = asked(&reply);
            leads.entry(asked.lead_id.clone()).or_default().push(asked);
            Ok(())
        })?;
        let mut dead = HashSet::new();
        let topic = Topic::LeadReplies.dead_letters(&site.deployment.topic_prefix);
        for_each(site, &topic, |record| {
            dead.insert(decode::<Reply>(&record.value)?.id);
            Ok(())
        })?;
        let messages = messages(site).await?;
        let named = |message: SentMessage| {
            let data = message.biz_opaque_callback_data.as_ref();
            let id = data.and_then(|data| by_callback_data.get(data));
            let id = id
                .context("WhatsApp got a message that is no reply")?
                .clone();
            Ok((id, message))
        };
        Ok(Self {
            leads,
            erased,
            dead,
            messages: messages
                .into_iter()
                .map(named)
                .collect::<anyhow::Result<_>>()?,
        })
    }

    /// Returns the replies of leads that were not erased.
    pub(super) fn replies(&self) -> impl Iterator<Item = &Asked> {
        let kept = self
            .leads
            .iter()
            .filter(|(id, _)| !self.erased.contains(*id));
        let asked = kept.flat_map(|(_, asked)| asked);
        asked.filter(|asked| asked.withdraws.is_none())
    }
}

fn asked(reply: &Reply) -> Asked {
    let withdraws = match &reply.content {
        ReplyContent::Withdraw { scope, .. } => Some(*scope),
        _ => None,
    };
    let text = match &reply.content {
        ReplyContent::Text { body, .. } => Some(body.clone()),
        _ => None,
    };
    Asked {
        id: reply.id.clone(),
        lead_id: reply.lead_id.as_str().to_owned(),
        number: reply.number.clone(),
        revision: reply.revision.0,
        to: reply.recipient.key().unwrap_or_default().to_owned(),
        text,
        is_prompt: reply.kind == Some(ReplyKind::Prompt),
        expires_at: reply.expires_at,
        withdraws,
    }
}

/// Returns every message that WhatsApp accepted.
pub(super) async fn messages(site: &Site<'_>) -> anyhow::Result<Vec<SentMessage>> {
    let client = site.sandbox.client()?;
    let mut messages: Vec<SentMessage> = Vec::new();
    loop {
        let query = MessageQuery {
            after: messages.last().map_or(0, |last| last.seq),
            ..MessageQuery::default()
        };
        let page = client.messages(&query).await?;
        if page.is_empty() {
            return Ok(messages);
        }
        messages.extend(page);
    }
}

/// Returns the ids of the ledger's replies.
pub(super) async fn ledger_ids(site: &Site<'_>) -> anyhow::Result<HashSet<String>> {
    let ids = sqlx::query_scalar("SELECT reply_id FROM whatsapp_replies");
    let ids: Vec<String> = ids.fetch_all(&site.database).await?;
    Ok(ids.into_iter().collect())
}
