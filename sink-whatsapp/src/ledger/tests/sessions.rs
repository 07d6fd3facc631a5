//! Tests which messages of sessions are replies, and which a person wrote.

use leadstream_schemas::{Echo, Platform, Recipient};

use super::*;
use crate::ledger::SessionMessage;
use crate::statuses::session::{address, text_digest};

const PROCESS: Uuid = Uuid::from_u128(7);
const ANN: &str = "1555@s.whatsapp.net";
const NAME: &str = "What is your name?";

fn at(seconds: u64) -> Timestamp {
    after(NOW, Duration::from_secs(seconds))
}

/// Returns a status of the message `id` of session 501, with `body` if it is an echo.
fn of(id: &str, jid: &str, what: DeliveryStatus, body: Option<&str>) -> MessageStatus {
    let (user, server) = jid.split_once('@').unwrap();
    let is_lid = server == "lid";
    MessageStatus {
        id: format!("501/{id}"),
        platform: Platform::Wasender,
        recipient: Recipient {
            wa_id: (!is_lid).then(|| user.to_owned()),
            user_id: None,
            lid: is_lid.then(|| user.to_owned()),
            jid: Some(jid.to_owned()),
        },
        reply_id: None,
        body: body.map(str::to_owned),
        echo: body.map(|_| Echo::Session),
        ..status(Uuid::nil(), id, what, NOW)
    }
}

fn echo(id: &str, jid: &str, body: &str) -> MessageStatus {
    of(id, jid, DeliveryStatus::Sent, Some(body))
}

impl Scratch {
    /// Claims the due replies of session 501.
    async fn claimed(&self, now: Timestamp) -> Vec<ClaimedReply> {
        let lease = Lease {
            token: PROCESS,
            until: after(now, LEASE),
        };
        let policy = UnknownPolicy::Evidence;
        let claim = self.ledger.claim("501", 9, policy, lease, now);
        claim.await.unwrap()
    }

    /// Reads replies, claims the due ones, and notes their requests. Returns the notes.
    async fn send(&self, replies: &[Reply], text: &str) -> Vec<i64> {
        let mut notes = Vec::new();
        for (offset, reply) in replies.iter().enumerate() {
            let arrival = arrival(i64::try_from(offset).unwrap(), reply.clone());
            self.ledger.write(&[arrival], NOW, NOW).await.unwrap();
        }
        let mut claimed = self.claimed(NOW).await;
        claimed.sort_by_key(|it| it.revision);
        for claimed in &claimed {
            notes.push(self.note(claimed.token, text).await);
        }
        notes
    }

    async fn note(&self, token: Uuid, text: &str) -> i64 {
        let message = SessionMessage {
            token,
            number: "501",
            address: &address("+1555"),
            text_digest: text_digest(text),
        };
        self.ledger.note_message(message, NOW).await.unwrap()
    }

    async fn end(&self, id: &str, state: ReplyState, now: Timestamp) {
        let outcome = Outcome {
            token: token(id),
            state,
            due_at: after(now, Duration::from_secs(60)),
            attempts: Attempts {
                made: 1,
                unknown: u32::from(state == ReplyState::Unknown),
                ..Attempts::default()
            },
            unknown_since: None,
            provider_id: None,
            class: None,
            code: None,
            reason: None,
        };
        self.ledger.record(PROCESS, &[outcome], now).await.unwrap();
    }

    /// Does what the intake of the statuses does.
    async fn hear(&self, statuses: &[MessageStatus]) {
        let plan = plan(statuses);
        let noted = self.ledger.note_statuses(&plan.sessions, at(3), NOW);
        noted.await.unwrap();
        self.rematch().await;
    }

    async fn rematch(&self) {
        self.ledger.match_messages(NOW).await.unwrap();
        let matched = self.ledger.matched_statuses(100).await.unwrap();
        let changes = matched.iter().map(|it| it.change.clone());
        for round in rounds(changes) {
            self.ledger.apply_statuses(&round, NOW).await.unwrap();
        }
        self.ledger.forget_statuses(&matched).await.unwrap();
    }

    async fn state(&self, id: &str) -> String {
        let query = sqlx::query_scalar("SELECT state FROM whatsapp_replies WHERE token = $1");
        query.bind(token(id)).fetch_one(&self.pool).await.unwrap()
    }

    /// Returns the ids of the messages that are a person's at that time.
    async fn people(&self, seconds: u64) -> Vec<String> {
        let echoed = self.ledger.echoed(10, at(seconds)).await.unwrap();
        let mut ids: Vec<_> = echoed.into_iter().map(|it| it.message_id).collect();
        ids.sort_unstable();
        ids
    }
}

fn session_prompt(id: &str, revision: u64) -> Reply {
    Reply {
        platform: Platform::Wasender,
        revision: Revision(revision),
        kind: Some(ReplyKind::AgentMessage),
        ..prompt(id, "ann")
    }
}

#[tokio::test]
async fn the_next_reply_goes_once_a_webhook_confirms_the_one_before() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let replies = [session_prompt("a", 1), session_prompt("b", 2)];
    let notes = scratch.send(&replies, NAME).await;
    assert_eq!(notes.len(), 1, "b waits for a");
    scratch.ledger.note_send_id(notes[0], "7").await.unwrap();
    scratch.end("a", ReplyState::Accepted, NOW).await;
    let soon = after(NOW, Duration::from_millis(300));
    assert!(scratch.claimed(soon).await.is_empty());
    // An update alone names a message that is not known yet.
    scratch
        .hear(&[of("3EB0", ANN, DeliveryStatus::Delivered, None)])
        .await;
    assert!(scratch.claimed(soon).await.is_empty());
    let sent = MessageStatus {
        echo: Some(Echo::Api),
        send_id: Some("7".into()),
        ..of("3EB0", "2000@lid", DeliveryStatus::Sent, None)
    };
    scratch.hear(&[sent]).await;
    assert_eq!(scratch.state("a").await, "delivered");
    assert_eq!(scratch.claimed(soon).await.len(), 1);
    scratch
        .hear(&[of("3EB0", ANN, DeliveryStatus::Read, None)])
        .await;
    assert_eq!(scratch.state("a").await, "read");
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM whatsapp_unmatched_statuses")
        .fetch_one(&scratch.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
    scratch.drop().await;
}

#[tokio::test]
async fn an_echo_with_the_same_text_resolves_a_lost_answer() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    scratch.send(&[session_prompt("a", 1)], NAME).await;
    scratch.end("a", ReplyState::Unknown, NOW).await;
    let other = [
        echo("3EB1", "1556@s.whatsapp.net", NAME),
        echo("3EB2", ANN, "What is your budget?"),
    ];
    scratch.hear(&other).await;
    assert_eq!(scratch.state("a").await, "unknown");
    scratch
        .hear(&[echo("3EB0", ANN, "*What is your name?* ")])
        .await;
    assert_eq!(scratch.state("a").await, "sent");
    assert_eq!(scratch.people(3).await, ["501/3EB1", "501/3EB2"]);
    // A second copy of the words is no reply's.
    scratch.hear(&[echo("3EB3", ANN, NAME)]).await;
    assert_eq!(scratch.people(3).await.len(), 3);
    scratch.drop().await;
}

#[tokio::test]
async fn an_echo_before_the_answer_is_ours_and_a_failure_before_it_counts() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let notes = scratch.send(&[session_prompt("a", 1)], NAME).await;
    scratch.hear(&[echo("3EB0", ANN, NAME)]).await;
    assert_eq!(scratch.state("a").await, "sent");
    scratch.ledger.note_send_id(notes[0], "7").await.unwrap();
    scratch.end("a", ReplyState::Accepted, NOW).await;
    assert_eq!(scratch.state("a").await, "sent");
    assert!(scratch.people(60).await.is_empty());

    scratch.send(&[session_prompt("b", 2)], "Thanks").await;
    let failed = MessageStatus {
        echo: Some(Echo::Api),
        ..of("3EB1", ANN, DeliveryStatus::Failed, Some("Thanks"))
    };
    scratch.hear(&[failed]).await;
    assert_eq!(scratch.state("b").await, "sending");
    scratch.end("b", ReplyState::Accepted, NOW).await;
    assert_eq!(
        scratch.state("b").await,
        "waiting",
        "its sender judges the failure"
    );
    scratch.drop().await;
}

#[tokio::test]
async fn any_other_echo_is_a_person_s_after_a_while() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let notes = scratch.send(&[session_prompt("a", 1)], NAME).await;
    let sent_by_another = MessageStatus {
        echo: Some(Echo::Api),
        ..echo("3EC0", ANN, "Your order")
    };
    let media = MessageStatus {
        body: None,
        ..echo("3EB2", ANN, "")
    };
    let edit = echo("3EB1/edit/581d4374", ANN, "Hello, it is Ana from sales");
    let copies = || echo("3EB1", ANN, "Hello, Ana from sales here");
    // The same words to a person who is named by another kind of JID may be ours.
    let lid = echo("3EB3", "2000@lid", NAME);
    let update = of("3EB9", ANN, DeliveryStatus::Read, None);
    scratch
        .hear(&[
            echo("3EC0", ANN, "Your order"),
            copies(),
            media,
            edit,
            lid,
            update,
        ])
        .await;
    scratch.hear(&[sent_by_another, copies()]).await;
    assert!(scratch.people(2).await.is_empty());
    let people = ["501/3EB1", "501/3EB1/edit/581d4374", "501/3EB2"];
    assert_eq!(scratch.people(3).await, people);
    let echoed = scratch.ledger.echoed(10, at(3)).await.unwrap();
    let input: serde_json::Value = serde_json::from_slice(&echoed[0].takeover).unwrap();
    assert_eq!(input["content"]["type"], "takeover");
    scratch.ledger.forget_echoed(&echoed).await.unwrap();
    assert!(scratch.people(3).await.is_empty());
    // The answer comes late, and names the message of the LID.
    scratch.ledger.note_send_id(notes[0], "7").await.unwrap();
    let sent = MessageStatus {
        echo: Some(Echo::Api),
        send_id: Some("7".into()),
        ..echo("3EB3", "2000@lid", NAME)
    };
    scratch.hear(&[sent]).await;
    assert_eq!(scratch.state("a").await, "sent");
    let purged = scratch.ledger.purge_sessions(NOW, 10, at(121)).await;
    assert_eq!(purged.unwrap(), 2, "of another program, and of nobody");
    scratch.drop().await;
}

#[tokio::test]
async fn what_was_not_sent_is_forgotten_and_an_erasure_leaves_ids_only() {
    let Some(scratch) = Scratch::new().await else {
        return;
    };
    let notes = scratch.send(&[session_prompt("a", 1)], NAME).await;
    scratch.ledger.forget_message(notes[0]).await.unwrap();
    scratch.hear(&[echo("3EB0", ANN, NAME)]).await;
    assert_eq!(scratch.people(3).await, ["501/3EB0"]);
    scratch.note(token("a"), "Thanks, Ada").await;
    scratch.hear(&[echo("3EB1", ANN, "Thanks, Ada")]).await;
    let erasure = Reply {
        content: ReplyContent::Withdraw {
            scope: WithdrawScope::All,
            reason: WithdrawReason::Erasure,
        },
        kind: None,
        revision: Revision(9),
        ..prompt("w", "ann")
    };
    let erasure = arrival(9, erasure);
    scratch.ledger.write(&[erasure], NOW, NOW).await.unwrap();
    let left: (String, Vec<u8>, String) =
        sqlx::query_as("SELECT address, text_digest, message_id FROM whatsapp_session_messages")
            .fetch_one(&scratch.pool)
            .await
            .unwrap();
    assert_eq!(left, (String::new(), Vec::new(), "501/3EB1".to_owned()));
    scratch.hear(&[echo("3EB1", ANN, "Thanks, Ada")]).await;
    let heard = scratch.people(3).await;
    assert!(
        heard.is_empty(),
        "{heard:?}: the person is erased, and a late echo is ours"
    );
    let purged = scratch.ledger.purge_sessions(at(1), 10, at(1));
    purged.await.unwrap();
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM whatsapp_session_messages")
        .fetch_one(&scratch.pool)
        .await
        .unwrap();
    assert_eq!(left, 0);
    scratch.drop().await;
}
