use std::collections::HashMap;
use std::time::Duration;

use leadstream_schemas::reply::{WithdrawReason, WithdrawScope};
use leadstream_schemas::{LeadId, Reply, ReplyContent, ReplyKind, Revision, Timestamp};

use super::{OpenReply, Plan, plan};
use crate::memory_ledger::{MemoryLedger, Row, arrival, prompt};
use crate::reply_row::{ReplyState, token};
use crate::time::after;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn of_kind(kind: ReplyKind, id: &str) -> Reply {
    Reply {
        kind: Some(kind),
        ..prompt(id, "ann")
    }
}

fn withdrawal(scope: WithdrawScope) -> Reply {
    let reason = WithdrawReason::Takeover;
    Reply {
        kind: None,
        content: ReplyContent::Withdraw { scope, reason },
        ..prompt("z", "ann")
    }
}

/// Every record of a lead that may follow a reply.
fn later() -> [Reply; 5] {
    [
        of_kind(ReplyKind::Prompt, "z"),
        of_kind(ReplyKind::Notice, "z"),
        of_kind(ReplyKind::AgentMessage, "z"),
        withdrawal(WithdrawScope::Prompts),
        withdrawal(WithdrawScope::All),
    ]
}

/// Returns what `later` makes of `first`, which the ledger has in `state`.
fn change(first: &Reply, state: ReplyState, later: &Reply) -> Option<OpenReply> {
    let mut ledger = MemoryLedger::default();
    ledger.write(&[arrival(0, first.clone())], NOW);
    let row = ledger.rows.get_mut(&token(&first.id)).unwrap();
    row.open.state = state;
    row.open.unknown_since = Some(NOW);
    row.open.due_at = after(NOW, Duration::from_secs(30));
    row.attempts.made = 1;
    let plan = ledger.write(&[arrival(9, later.clone())], NOW);
    let is_new = !later.is_withdrawal();
    assert_eq!(plan.new.len(), usize::from(is_new));
    plan.changed.into_iter().next()
}

#[test]
fn a_later_record_ends_a_prompt_at_once_or_after_its_request() {
    let first = prompt("a", "ann");
    for later in later() {
        let end = match later.is_withdrawal() {
            true => ReplyState::Withdrawn,
            false => ReplyState::Superseded,
        };
        let waiting = change(&first, ReplyState::Waiting, &later).unwrap();
        assert_eq!((waiting.state, waiting.ends_as), (end, None));
        let sending = change(&first, ReplyState::Sending, &later).unwrap();
        assert_eq!(
            (sending.state, sending.ends_as),
            (ReplyState::Sending, Some(end))
        );
        let unknown = change(&first, ReplyState::Unknown, &later).unwrap();
        if later.is_withdrawal() {
            assert_eq!((unknown.state, unknown.ends_as), (end, None));
        } else {
            let until = after(NOW, Duration::from_secs(10));
            assert_eq!(
                (unknown.state, unknown.ends_as, unknown.due_at),
                (ReplyState::Unknown, Some(end), until)
            );
        }
        // A status may still say that it failed.
        for accepted in [ReplyState::Accepted, ReplyState::Held, ReplyState::Sent] {
            let changed = change(&first, accepted, &later).unwrap();
            assert_eq!((changed.state, changed.ends_as), (accepted, Some(end)));
        }
        for ended in [
            ReplyState::Delivered,
            ReplyState::Read,
            ReplyState::Failed,
            ReplyState::Expired,
            ReplyState::HandedOff,
        ] {
            assert_eq!(change(&first, ended, &later), None, "{ended:?}");
        }
    }
}

#[test]
fn what_a_withdrawal_ended_is_superseded_by_nothing() {
    for state in [ReplyState::Sending, ReplyState::Accepted] {
        let mut ledger = MemoryLedger::default();
        ledger.write(&[arrival(0, prompt("a", "ann"))], NOW);
        ledger.rows.get_mut(&token("a")).unwrap().open.state = state;
        for (offset, later) in (1..).zip(later().into_iter().rev()) {
            let later = Reply {
                id: format!("z{offset}"),
                ..later
            };
            ledger.write(&[arrival(offset, later)], NOW);
            let ends_as = ledger.rows[&token("a")].open.ends_as;
            assert_eq!(ends_as, Some(ReplyState::Withdrawn));
        }
    }
}

#[test]
fn words_of_people_and_notices_end_by_a_withdrawal_of_all_only() {
    let mut without_kind = prompt("a", "ann");
    without_kind.kind = None;
    let firsts = [
        of_kind(ReplyKind::Notice, "a"),
        of_kind(ReplyKind::AgentMessage, "a"),
        without_kind,
    ];
    for first in firsts {
        for later in later() {
            let all = later == withdrawal(WithdrawScope::All);
            for state in [
                ReplyState::Waiting,
                ReplyState::Sending,
                ReplyState::Unknown,
            ] {
                assert_eq!(change(&first, state, &later).is_some(), all, "{later:?}");
            }
        }
    }
}

#[test]
fn an_old_record_that_is_written_once_more_ends_nothing_newer() {
    let newer = Reply {
        revision: Revision(2),
        ..prompt("a", "ann")
    };
    for later in later() {
        assert_eq!(change(&newer, ReplyState::Waiting, &later), None);
    }
}

#[test]
fn other_leads_are_left_alone() {
    let first = prompt("a", "bea");
    for later in later() {
        assert_eq!(change(&first, ReplyState::Waiting, &later), None);
    }
}

/// Returns the states of the new replies of a batch.
fn states(plan: &Plan) -> Vec<(&str, ReplyState)> {
    let new = plan.new.iter();
    new.map(|it| (it.reply.id.as_str(), it.row.state)).collect()
}

#[test]
fn within_a_batch_the_order_of_the_log_decides() {
    let arrivals = [
        arrival(0, of_kind(ReplyKind::AgentMessage, "a")),
        arrival(1, prompt("b", "ann")),
        arrival(2, withdrawal(WithdrawScope::All)),
        arrival(3, of_kind(ReplyKind::Notice, "c")),
        arrival(4, prompt("d", "ann")),
        arrival(5, prompt("e", "ann")),
    ];
    let plan = plan(&arrivals, Vec::new(), HashMap::new(), NOW, NOW);
    assert_eq!(
        states(&plan),
        [
            ("a", ReplyState::Withdrawn),
            ("b", ReplyState::Withdrawn),
            ("c", ReplyState::Waiting),
            ("d", ReplyState::Superseded),
            ("e", ReplyState::Waiting),
        ]
    );
    assert_eq!(plan.ended().count(), 3);
}

#[test]
fn a_known_id_is_a_duplicate_or_a_conflict() {
    let mut ledger = MemoryLedger::default();
    let first = prompt("a", "ann");
    ledger.write(&[arrival(0, first.clone())], NOW);
    let mut other = first.clone();
    other.content = ReplyContent::text("other".into());
    let batch = [
        arrival(1, first),
        arrival(2, other.clone()),
        arrival(3, prompt("b", "bea")),
        arrival(4, prompt("b", "bea")),
        arrival(5, other),
    ];
    let plan = ledger.write(&batch, NOW);
    assert_eq!(plan.duplicates, 2);
    let conflicts = plan.conflicts.iter().map(|it| it.offset.0);
    assert!(conflicts.eq([2, 5]));
    assert_eq!(states(&plan), [("b", ReplyState::Waiting)]);
    assert!(plan.changed.is_empty());
}

#[test]
fn a_burst_is_answered_ten_seconds_after_its_first_reply_at_the_latest() {
    let mut ledger = MemoryLedger::default();
    let mut due = Vec::new();
    for second in 0..14_u64 {
        let now = after(NOW, Duration::from_secs(second));
        let mut reply = prompt(&format!("r{second}"), "ann");
        reply.not_before = Some(after(now, Duration::from_secs(3)));
        let offset = i64::try_from(second).unwrap();
        let plan = ledger.write(&[arrival(offset, reply)], now);
        due.push((plan.new[0].row.due_at.millis() - NOW.millis()) / 1000);
    }
    // The first reply would go at 3 s; so its successors wait until 13 s at most.
    assert_eq!(due, [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 13, 13, 13]);
}

#[test]
fn an_erasure_leaves_nothing_before_it() {
    let mut ledger = MemoryLedger::default();
    let first = [
        arrival(0, prompt("a", "ann")),
        arrival(1, prompt("b", "bea")),
    ];
    ledger.write(&first, NOW);
    let mut erasure = withdrawal(WithdrawScope::All);
    erasure.content = ReplyContent::Withdraw {
        scope: WithdrawScope::All,
        reason: WithdrawReason::Erasure,
    };
    let batch = [
        arrival(2, of_kind(ReplyKind::Notice, "c")),
        arrival(3, erasure),
        arrival(4, of_kind(ReplyKind::Notice, "d")),
    ];
    let plan = ledger.write(&batch, NOW);
    assert!(plan.erased.keys().map(LeadId::as_str).eq(["ann"]));
    let (erased, waits) = (("", ReplyState::Withdrawn), ("d", ReplyState::Waiting));
    assert_eq!(states(&plan), [erased, waits]);
    assert!(plan.changed.is_empty());
    let left = ledger.rows.values().map(|it| it.reply.id.as_str());
    let mut left: Vec<&str> = left.filter(|id| !id.is_empty()).collect();
    left.sort_unstable();
    assert_eq!(left, ["b", "d"]);
    let of_ann = |row: &&Row| row.open.lead_id.as_str() == "ann";
    assert_eq!(ledger.rows.values().filter(of_ann).count(), 1);
}

#[test]
fn records_that_come_again_after_an_erasure_send_nothing_and_end_nothing_newer() {
    let mut ledger = MemoryLedger::default();
    let mut erasure = withdrawal(WithdrawScope::All);
    erasure.content = ReplyContent::Withdraw {
        scope: WithdrawScope::All,
        reason: WithdrawReason::Erasure,
    };
    erasure.revision = Revision(2);
    let mut returned = prompt("c", "ann");
    returned.revision = Revision(3);
    let log = [
        arrival(0, prompt("a", "ann")),
        arrival(1, erasure),
        arrival(2, returned),
    ];
    ledger.write(&log, NOW);
    for again in [&log[..], &log[..1], &log[1..]] {
        let plan = ledger.write(again, NOW);
        assert!(plan.new.is_empty() && plan.conflicts.is_empty());
        let waiting = ledger.rows.values();
        let waiting = waiting.filter(|row| row.open.state == ReplyState::Waiting);
        assert!(waiting.map(|row| row.reply.id.as_str()).eq(["c"]));
    }
}

#[test]
fn a_reply_of_a_backlog_waits_until_the_rest_was_read() {
    let hold = after(NOW, Duration::from_secs(2));
    let mut later = prompt("b", "bea");
    later.not_before = Some(after(NOW, Duration::from_secs(3)));
    let arrivals = [arrival(0, prompt("a", "ann")), arrival(1, later)];
    let plan = plan(&arrivals, Vec::new(), HashMap::new(), hold, NOW);
    let due = plan.new.iter().map(|it| it.row.due_at);
    assert!(due.eq([hold, after(NOW, Duration::from_secs(3))]));
}
