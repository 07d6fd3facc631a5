use leadstream_schemas::Timestamp;

use crate::flow::{
    Conversation, DEFAULT_FLOW, Flow, HUMAN_HANDOFF, OPTED_OUT, Step, TurnInput, step,
};

const AUTO_REPLY: &str = "We are closed. We will answer soon.";

fn text(body: &str) -> TurnInput {
    TurnInput::Text(body.to_owned())
}

/// A lead that writes to a flow, some seconds after each message.
struct Lead {
    flow: Flow,
    conversation: Conversation,
    now: i64,
}

impl Lead {
    fn new(document: &str) -> Self {
        let flow = Flow::parse("flow.yaml", document).unwrap();
        Self {
            conversation: Conversation::start(&flow),
            flow,
            now: 1_800_000_000,
        }
    }

    fn finished() -> Self {
        let mut lead = Self::new(DEFAULT_FLOW);
        for said in ["Hi", "Ana", "5000"] {
            lead.says(10, &text(said));
        }
        assert!(lead.conversation.is_completed);
        lead
    }

    fn says(&mut self, after: i64, input: &TurnInput) -> Step {
        self.now += after;
        let turn = step(
            &self.flow,
            &self.conversation,
            Timestamp::from_secs(self.now),
            input,
        );
        self.conversation = turn.conversation.clone();
        turn
    }

    /// Returns how many of `count` messages get a reply.
    fn answered(&mut self, count: u32, after: i64, input: impl Fn(u32) -> TurnInput) -> u32 {
        let replies = (0..count).map(|number| self.says(after, &input(number)).prompt.is_some());
        replies.map(u32::from).sum()
    }

    fn is_silent(&self) -> bool {
        self.conversation
            .is_silent_to_machine(Timestamp::from_secs(self.now))
    }
}

#[test]
fn the_same_words_over_and_over_get_three_replies() {
    for apart in [0, 1, 60, 3_600, 5 * 3_600] {
        for words in [AUTO_REPLY, "Gracias por escribirnos.", "ok", "5000"] {
            let mut lead = Lead::finished();
            assert_eq!(
                lead.answered(20, apart, |_| text(words)),
                3,
                "{words} {apart}"
            );
            assert!(lead.is_silent());
        }
        let mut lead = Lead::finished();
        assert_eq!(lead.answered(20, apart, |_| TurnInput::Other), 3);
    }
}

#[test]
fn other_words_within_minutes_of_the_flow_s_end_get_five_replies() {
    for apart in [0, 1, 60, 600] {
        let mut lead = Lead::finished();
        let answered = lead.answered(20, apart, |n| {
            text(&format!("It is 10:{n}. We are closed."))
        });
        assert_eq!(answered, 5, "{apart}");
    }
    let mut lead = Lead::finished();
    let answered = lead.answered(20, 601, |n| text(&format!("Question {n}")));
    assert_eq!(answered, 20);
}

#[test]
fn a_person_is_answered_again_after_some_time_and_whatever_else_they_say() {
    for (after, replies) in [(601, true), (86_400, true), (5, false)] {
        let mut lead = Lead::finished();
        lead.answered(9, 5, |n| text(&format!("Hello {n}")));
        assert_eq!(
            lead.says(after, &text("Hello?")).prompt.is_some(),
            replies,
            "{after}"
        );
    }
    let mut lead = Lead::finished();
    lead.answered(9, 5, |_| text("Hello"));
    assert!(lead.says(86_400, &text("Hello")).prompt.is_some());
    assert!(!lead.is_silent());
    // What the flow understands always counts.
    for (said, state) in [
        ("RESTART", "AWAITING_NAME"),
        ("STOP", OPTED_OUT),
        ("HUMAN", HUMAN_HANDOFF),
    ] {
        let mut lead = Lead::finished();
        lead.answered(9, 5, |_| text(AUTO_REPLY));
        let turn = lead.says(5, &text(said));
        assert_eq!(turn.conversation.state, state);
        assert!(turn.prompt.is_some(), "{said}");
        assert!(!lead.is_silent());
    }
}

#[test]
fn a_question_that_a_machine_does_not_answer_ends_with_a_person() {
    let mut lead = Lead::new(DEFAULT_FLOW);
    lead.says(1, &text("Hi"));
    lead.says(10, &text("Ana"));
    // Two retries and the notice, then silence.
    assert_eq!(lead.answered(20, 2, |_| text(AUTO_REPLY)), 3);
    assert_eq!(lead.conversation.state, HUMAN_HANDOFF);
    let many = DEFAULT_FLOW.replace("steps:\n", "tries: {limit: 20}\nsteps:\n");
    let mut lead = Lead::new(&many);
    lead.says(1, &text("Hi"));
    lead.says(10, &text("Ana"));
    assert_eq!(lead.answered(19, 2, |_| text(AUTO_REPLY)), 3);
    assert_eq!(lead.conversation.state, "AWAITING_BUDGET");
    assert!(lead.says(2, &text(AUTO_REPLY)).prompt.is_some());
    assert_eq!(lead.conversation.state, HUMAN_HANDOFF);
    // The answer counts in spite of the silence.
    let mut lead = Lead::new(&many);
    lead.says(1, &text("Hi"));
    lead.says(10, &text("Ana"));
    lead.answered(9, 2, |_| text("later"));
    assert!(lead.is_silent());
    assert!(lead.says(2, &text("5000")).prompt.is_some());
    assert!(lead.conversation.is_completed);
}

#[test]
fn a_loop_of_questions_ends_too() {
    let document = "name: loop\nversion: 1\nlanguage: en\nstart: ONE\nsteps:\n  \
        ONE: {prompt: One?, expect: text, fill: one, next: [{when: \"one == 'end'\", to: END}, {to: ONE}]}\n  \
        END: {prompt: Bye., completes: true}\n";
    let mut lead = Lead::new(document);
    lead.says(1, &text("Hi"));
    assert_eq!(lead.answered(20, 3, |_| text(AUTO_REPLY)), 3);
    let mut lead = Lead::new(document);
    lead.says(1, &text("Hi"));
    let answered = lead.answered(200, 3, |n| text(&format!("{n}")));
    assert_eq!(answered, 60);
    assert!(lead.says(61, &text("Hello?")).prompt.is_some());
    // A person takes longer for an answer than a minute, now and then.
    assert_eq!(lead.answered(200, 61, |n| text(&format!("{n}"))), 200);
}

#[test]
fn the_same_answer_to_different_questions_is_no_repetition() {
    let steps: Vec<String> = (0..9)
        .map(|n| {
            format!(
                "  S{n}: {{prompt: '{n}?', expect: {{choice: {{options: [{{value: a{n}, title: Yes}}, {{value: b{n}, title: No}}]}}}}, fill: f{n}, next: S{}}}\n",
                n + 1
            )
        })
        .collect();
    let document = format!(
        "name: many\nversion: 1\nlanguage: en\nstart: S0\nsteps:\n{}  S9: {{prompt: Bye., completes: true, retry: Hm.}}\n",
        steps.concat()
    )
    .replace("title: Yes", "title: 'Yes'")
    .replace("title: No", "title: 'No'");
    let mut lead = Lead::new(&document);
    lead.says(1, &text("Hi"));
    assert_eq!(lead.answered(9, 1, |_| text("1")), 9);
    assert!(lead.conversation.is_completed);
    assert_eq!(lead.answered(9, 1, |_| text("1")), 3);
}

#[test]
fn what_is_kept_of_repetitions_has_a_bound() {
    let mut lead = Lead::finished();
    lead.answered(50, 1, |_| text(&"x".repeat(900)));
    let size = rmp_serde::to_vec(&lead.conversation.internal.repeated)
        .unwrap()
        .len();
    assert!(size < 60, "{size}");
}
