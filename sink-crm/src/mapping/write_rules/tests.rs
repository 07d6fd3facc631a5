use std::collections::BTreeMap;

use leadstream_schemas::Revision;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Remote, WrittenFields, decide, needs_read};
use crate::compare::RemoteRecord;
use crate::mapping::document::{Field, Target};
use crate::mapping::render::Rendered;
use crate::mapping::{DEFAULT, Mapping};

/// A field of a CRM, a ledger's row about it, and the requests between them.
struct World {
    target: Target,
    /// The CRM's record; `None` if there is none.
    record: Option<Map<String, Value>>,
    known: WrittenFields,
    /// Whether the outcome of each earlier request is known.
    is_known: bool,
    is_attempted: bool,
    adopted: bool,
    revision: u64,
    reads: usize,
}

impl World {
    fn new(field: Value) -> Self {
        let mut target = DEFAULT.parse::<Mapping>().unwrap().hubspot;
        let field: Field = serde_json::from_value(field).unwrap();
        target.status = None;
        target.fields = BTreeMap::from([("f".to_owned(), field)]);
        Self {
            target,
            record: None,
            known: WrittenFields::default(),
            is_known: true,
            is_attempted: false,
            adopted: false,
            revision: 0,
            reads: 0,
        }
    }

    /// Lets sales have a record with this value, which is adopted.
    fn adopting(mut self, value: &str) -> Self {
        self.adopted = true;
        self.sales(value);
        self
    }

    fn sales(&mut self, value: &str) {
        let record = self.record.get_or_insert_default();
        record.insert("f".into(), json!(value));
    }

    fn held(&self) -> &str {
        let held = self.record.as_ref().and_then(|record| record.get("f"));
        held.and_then(Value::as_str).unwrap_or_default()
    }

    /// Sends the lead with a value; its default if `is_provisional`. The outcome may be lost, and the
    /// request before it.
    fn send(&mut self, value: Option<&str>, is_provisional: bool, arrives: bool, is_told: bool) {
        self.revision += 1;
        let values = BTreeMap::from([("f".to_owned(), value.map(|value| json!(value)))]);
        let mut rendered = Rendered {
            values,
            ..Rendered::default()
        };
        if is_provisional {
            rendered.provisional.insert("f".into());
        }
        let guarded = self.target.guarded(&rendered);
        let may_exist = self.adopted || self.is_attempted;
        let read = may_exist && needs_read(&self.target, &guarded, &self.known, self.is_known);
        let held = self.record.clone().map(|values| RemoteRecord {
            id: "1".into(),
            values,
            converted: false,
        });
        let remote = match &held {
            _ if !read => Remote::Unread,
            None => Remote::Absent,
            Some(record) => Remote::Record(record),
        };
        self.reads += usize::from(read);
        let decided = decide(&self.target, &guarded, remote, &self.known, self.adopted);
        if arrives {
            let record = self.record.get_or_insert_default();
            if decided.omitted.is_empty() {
                record.insert("f".into(), json!(value.unwrap_or_default()));
            }
            let revision = &self.target.revision;
            record.insert(revision.clone(), json!(self.revision));
        }
        self.is_attempted = true;
        self.is_known = arrives && is_told;
        if self.is_known {
            let written = decided.written.at(Revision(self.revision));
            self.known = WrittenFields::from_bytes(&written.to_bytes());
            assert_eq!(self.known, written, "the ledger keeps all of it");
        }
    }

    fn say(&mut self, value: &str) {
        self.send(Some(value), false, true, true);
    }
}

const RULES: [&str; 3] = ["once", "if_empty", "while_ours"];

fn with(rule: &str) -> World {
    World::new(json!({"from": "data.company", "write": rule}))
}

#[test]
fn a_value_is_written_until_sales_writes_another() {
    // By rule: what the field holds after the lead said A and B, after sales wrote S and the lead
    // said C, and after sales cleared it and the lead said D.
    for (rule, expected, reads) in [
        ("always", ["A", "B", "C", "D"], 0),
        ("once", ["A", "A", "S", ""], 0),
        ("if_empty", ["A", "A", "S", "D"], 3),
        ("while_ours", ["A", "B", "S", "D"], 3),
    ] {
        let mut world = with(rule);
        let mut held = Vec::new();
        world.say("A");
        held.push(world.held().to_owned());
        world.say("B");
        held.push(world.held().to_owned());
        world.sales("S");
        world.say("C");
        held.push(world.held().to_owned());
        world.sales("");
        world.say("D");
        held.push(world.held().to_owned());
        assert_eq!(
            (held, world.reads),
            (expected.map(str::to_owned).to_vec(), reads),
            "{rule}"
        );
    }
}

#[test]
fn an_adopted_record_keeps_what_it_had_and_gets_what_it_lacked() {
    for rule in RULES {
        let mut world = with(rule).adopting("S");
        world.say("A");
        world.say("B");
        assert_eq!(world.held(), "S", "{rule}");
        let mut world = with(rule).adopting("");
        world.say("A");
        assert_eq!(world.held(), "A", "{rule}");
        // Sales has chosen the value that the lead gives by chance.
        let mut world = with(rule).adopting("A");
        world.say("A");
        world.say("B");
        assert_eq!(world.held(), "A", "{rule}");
    }
}

#[test]
fn a_default_gives_way_to_the_lead_s_first_value_and_to_sales() {
    for rule in ["once", "while_ours"] {
        let mut world = with(rule);
        world.send(Some("Unknown"), true, true, true);
        world.say("A");
        assert_eq!(world.held(), "A", "{rule}");
        let mut world = with(rule);
        world.send(Some("Unknown"), true, true, true);
        world.sales("S");
        world.say("A");
        assert_eq!(world.held(), "S", "{rule}");
    }
}

#[test]
fn a_first_value_that_comes_late_fills_an_empty_field_only() {
    for rule in RULES {
        let empty = || {
            let mut world = with(rule);
            world.record = Some(Map::new());
            world.is_attempted = true;
            world
        };
        let mut world = empty();
        world.say("A");
        assert_eq!(world.held(), "A", "{rule}");
        let mut world = empty();
        world.sales("S");
        world.say("A");
        assert_eq!(world.held(), "S", "{rule}");
    }
}

#[test]
fn the_owner_that_a_crm_gives_a_new_record_is_no_choice_of_sales() {
    let owner = || World::new(json!({"from": "assignee", "values": {"ana": "1", "bo": "2"}}));
    let mut world = owner();
    world.is_attempted = true;
    world.sales("the integration's user");
    world.say("1");
    assert_eq!(world.held(), "1");
    world.sales("3");
    world.say("2");
    assert_eq!(world.held(), "3", "once");
    let mut world = owner().adopting("of sales");
    world.say("1");
    assert_eq!(world.held(), "of sales");
}

#[test]
fn a_record_of_a_ledger_that_remembers_nothing_is_ours_by_the_mapping_s_values() {
    let list = json!({"from": "data.x", "values": {"a": "A", "b": "B"}, "write": "while_ours"});
    for (adopted, held, expected) in [(false, "A", "B"), (false, "S", "S"), (true, "A", "A")] {
        let mut world = World::new(list.clone());
        world.is_attempted = true;
        world.adopted = adopted;
        world.sales(held);
        world.say("B");
        assert_eq!(world.held(), expected, "{held}, {adopted}");
    }
}

#[test]
fn a_request_whose_outcome_was_lost_is_recognised_by_the_record_s_revision() {
    let list =
        json!({"from": "data.x", "values": {"a": "A", "b": "B", "c": "C"}, "write": "while_ours"});
    let mut world = World::new(list);
    world.say("A");
    world.send(Some("B"), false, true, false);
    world.say("C");
    assert_eq!(world.held(), "C");
}

#[test]
fn a_record_that_sales_deleted_is_made_again_with_every_field() {
    for rule in RULES {
        let mut world = with(rule);
        world.say("A");
        world.record = None;
        world.is_known = false;
        world.say("A");
        assert_eq!(world.held(), "A", "{rule}");
    }
}

#[test]
fn a_cleared_answer_clears_only_what_is_ours() {
    let field = json!({"from": "data.x", "clear": true, "write": "while_ours"});
    let mut world = World::new(field.clone());
    world.say("A");
    world.send(None, false, true, true);
    assert_eq!(world.held(), "");
    let mut world = World::new(field);
    world.say("A");
    world.sales("S");
    world.send(None, false, true, true);
    assert_eq!(world.held(), "S");
}

#[test]
fn nothing_is_read_while_no_guarded_value_changes() {
    for rule in RULES {
        let mut world = with(rule);
        for _ in 0..5 {
            world.say("A");
        }
        assert_eq!(world.reads, 0, "{rule}");
    }
}

#[test]
fn values_are_compared_in_any_notation() {
    let mut world = World::new(json!({"from": "phone", "write": "while_ours"}));
    world.say("+5511987650001");
    world.sales("+55 (11) 8765-0001");
    world.say("+5511987650002");
    assert_eq!(world.held(), "+5511987650002", "HubSpot's notation of ours");
    let mut world = World::new(json!({"from": "data.n", "type": "number", "write": "while_ours"}));
    world.say("7500");
    world.sales("7500.0");
    world.say("8000");
    assert_eq!(world.held(), "8000");
}

#[test]
fn what_is_no_memory_remembers_nothing() {
    for bytes in [&b""[..], b"short", b"12345678odd"] {
        let known = WrittenFields::from_bytes(bytes);
        assert!(known.fields.is_empty());
    }
}

proptest! {
    /// Sales' values begin with S. Whatever happens, only sales changes them.
    #[test]
    fn what_sales_wrote_stays(
        rule in 0usize..3,
        adopted: bool,
        steps in prop::collection::vec((0usize..4, 0usize..3, any::<bool>(), any::<bool>()), 1..30),
    ) {
        let rule = RULES[rule];
        let list = json!({"from": "data.x", "values": {"a": "A", "b": "B", "c": "C"}, "write": rule});
        let mut world = World::new(list);
        world.adopted = adopted;
        world.record = adopted.then(Map::new);
        for (step, value, arrives, is_told) in steps {
            let before = world.held().to_owned();
            match step {
                0 if world.record.is_some() => world.sales(["S1", "S2", ""][value]),
                1 => world.say(["A", "B", "C"][value]),
                _ => world.send(Some(["A", "B", "C"][value]), false, arrives, is_told),
            }
            if before.starts_with('S') && step != 0 {
                prop_assert_eq!(world.held(), before, "{}", rule);
            }
        }
    }

    /// Without sales, the field follows the lead, whatever outcomes are lost.
    #[test]
    fn a_field_that_sales_leaves_alone_follows_the_lead(
        steps in prop::collection::vec((0usize..3, any::<bool>(), any::<bool>()), 0..30),
        last in 0usize..3,
    ) {
        let list = json!({"from": "data.x", "values": {"a": "A", "b": "B", "c": "C"}, "write": "while_ours"});
        let mut world = World::new(list);
        for (value, arrives, is_told) in steps {
            world.send(Some(["A", "B", "C"][value]), false, arrives, is_told);
        }
        let last = ["A", "B", "C"][last];
        world.say(last);
        prop_assert_eq!(world.held(), last);
    }
}
