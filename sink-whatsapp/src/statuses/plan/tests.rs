use leadstream_schemas::reply::token;
use leadstream_schemas::{DeliveryStatus, MessageStatus, StatusError, Timestamp};

use super::{Plan, StatusChange, plan};
use crate::memory_ledger::status;
use crate::reply_row::{NO_CODE, ReplyState};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn of(id: &str, message: &str, what: DeliveryStatus) -> MessageStatus {
    status(token(id), message, what, NOW)
}

fn only(plan: &Plan) -> &StatusChange {
    assert_eq!(plan.rounds.iter().map(Vec::len).sum::<usize>(), 1);
    &plan.rounds[0][0]
}

#[test]
fn of_one_message_the_highest_status_counts_in_any_order() {
    use DeliveryStatus::{Delivered, Played, Read, Sent};
    for order in [
        [Sent, Delivered, Read],
        [Read, Delivered, Sent],
        [Delivered, Played, Sent],
    ] {
        let statuses = order.map(|it| of("a", "wamid.1", it));
        let plan = plan(&[&statuses[..], &statuses[..]].concat());
        let change = only(&plan);
        assert_eq!(change.token, token("a"));
        assert_eq!(change.state, Some(ReplyState::Read), "{order:?}");
        assert_eq!(
            (change.sent_at, change.delivered_at, change.read_at),
            (Some(NOW), Some(NOW), Some(NOW))
        );
    }
}

#[test]
fn a_failure_counts_unless_the_message_was_delivered() {
    let mut failed = of("a", "wamid.1", DeliveryStatus::Failed);
    let without_code = plan(std::slice::from_ref(&failed));
    assert_eq!(only(&without_code).failure, Some(NO_CODE));
    failed.errors.push(StatusError {
        code: 131_026,
        title: None,
        details: None,
    });
    let sent = of("a", "wamid.1", DeliveryStatus::Sent);
    let both = plan(&[failed.clone(), sent]);
    assert_eq!(only(&both).failure, Some(131_026));
    assert_eq!(only(&both).state, Some(ReplyState::Sent));
    for delivered in [DeliveryStatus::Delivered, DeliveryStatus::Read] {
        let delivered = of("a", "wamid.1", delivered);
        for order in [[&failed, &delivered], [&delivered, &failed]] {
            let plan = plan(&order.map(Clone::clone));
            assert_eq!(only(&plan).failure, None);
        }
    }
}

#[test]
fn two_messages_of_a_reply_are_applied_one_after_the_other() {
    let statuses = [
        of("a", "wamid.1", DeliveryStatus::Sent),
        of("b", "wamid.3", DeliveryStatus::Sent),
        of("a", "wamid.2", DeliveryStatus::Read),
        of("a", "wamid.4", DeliveryStatus::Sent),
    ];
    let plan = plan(&statuses);
    assert_eq!(plan.rounds.len(), 3);
    for round in &plan.rounds {
        let mut tokens: Vec<_> = round.iter().map(|it| it.token).collect();
        tokens.dedup();
        assert_eq!(tokens.len(), round.len());
    }
}

#[test]
fn what_is_not_ours_or_no_delivery_is_counted_and_changes_nothing() {
    let mut foreign = of("a", "wamid.1", DeliveryStatus::Sent);
    foreign.reply_id = None;
    let plan = plan(&[
        foreign,
        of("a", "wamid.1", DeliveryStatus::Deleted),
        of("a", "wamid.1", DeliveryStatus::Pending),
        of("a", "wamid.1", DeliveryStatus::Unknown),
    ]);
    assert_eq!((plan.foreign, plan.ignored), (1, 3));
    assert!(plan.rounds.is_empty());
}
