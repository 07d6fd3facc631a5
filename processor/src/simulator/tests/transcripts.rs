//! Files of transcripts: their errors, differences, updates and recordings.

use std::path::Path;
use std::time::Duration;

use leadstream_schemas::Content;
use leadstream_schemas::input::MediaType;

use super::*;
use crate::simulator::{Recorder, transcripts_schema};

const SHIPPED: [(&str, &str); 3] = [
    (
        DEFAULT_FLOW,
        include_str!("../../../flows/qualification.test.yaml"),
    ),
    (
        include_str!("../../../flows/consultation.yaml"),
        include_str!("../../../flows/consultation.test.yaml"),
    ),
    (
        include_str!("../../../flows/solar.yaml"),
        include_str!("../../../flows/solar.test.yaml"),
    ),
];

#[test]
fn a_difference_says_where_and_shows_both_sides() {
    let transcripts = "
transcripts:
  - name: Wrong
    turns:
      - {lead: Hi, bot: Hello!, state: AWAITING_BUDGET, score: 1}
      - {lead: John}
      - {lead: x, bot: [any, Bye]}
";
    let differences = play(DEFAULT_FLOW, transcripts);
    assert_eq!(
        differences,
        [
            "test.yaml:5:9: Wrong, turn 1 (lead: Hi)
  state:
    expected          got
    AWAITING_BUDGET   AWAITING_NAME
  score:
    expected   got
    1          0
  bot:
    expected   got
    Hello!     Welcome! What is your full name?",
            "test.yaml:6:9: Wrong, turn 2 (lead: John)
  bot:
    expected    got
    (nothing)   Thanks John. What is your monthly budget?",
            "test.yaml:7:9: Wrong, turn 3 (lead: x)
  bot:
    expected     got
    (any text)   Please provide a numeric value for your budget.
    Bye",
        ]
    );
}

#[test]
fn a_tap_on_an_option_that_is_not_there_is_refused_with_its_place() {
    let flow = include_str!("../../../flows/consultation.yaml");
    let text = |choice: &str| {
        format!(
            "transcripts:\n  - name: Taps\n    turns:\n      - {{lead: Hi, bot: any}}\n      - {{lead: {{choice: {choice}}}, bot: any}}\n"
        )
    };
    let played = |choice: &str| {
        let file = TranscriptFile::parse("test.yaml", &text(choice)).unwrap();
        let updated = file.updated(&flows(flow)).map(|_| ());
        let played = file.play(&flows(flow)).map(|_| ());
        assert_eq!(updated.is_ok(), played.is_ok(), "{choice}");
        played.map_err(|error| error.to_string())
    };
    // By value, by the id of the button, by the title, and a keyword on a button of a template.
    for there in ["es", "AWAITING_LANGUAGE/es", "Español", "STOP"] {
        assert_eq!(played(there), Ok(()), "{there}");
    }
    for away in [
        "fr",
        "hospitality",
        "AWAITING_NAME/es",
        "AWAITING_LANGUAGE/fr",
    ] {
        let refused = played(away).unwrap_err();
        let expected = "test.yaml:5:9: no question so far has the option";
        assert!(refused.starts_with(expected), "{refused}");
        assert!(
            refused.contains("the options of `AWAITING_LANGUAGE` are `en`, `es`"),
            "{refused}"
        );
    }
}

#[test]
fn any_accepts_any_text_but_not_silence() {
    let turns = |turns: &str| format!("transcripts:\n  - name: Any\n    turns:\n{turns}");
    let any = turns("      - {lead: Hi, bot: any}\n      - {lead: John, bot: [any]}\n");
    assert_eq!(play(DEFAULT_FLOW, &any), Vec::<String>::new());
    let silent = turns("      - {lead: STOP, bot: any}\n      - {lead: Hello, bot: any}\n");
    let differences = play(DEFAULT_FLOW, &silent);
    assert_eq!(differences.len(), 1, "{differences:#?}");
    assert!(
        differences[0].contains("(any text)   (nothing)"),
        "{differences:#?}"
    );
}

#[test]
fn everything_that_is_wrong_is_named_with_its_place_in_plain_words() {
    for (turn, reason) in [
        ("{lead: Hi, person: Hi}", "a turn has one of"),
        ("{bot: Hi}", "a turn has one of"),
        ("{wait: 1h, after: 1h}", "remove `after`"),
        ("{wait: long}", "`long` is no time"),
        (
            "{lead: {picture: x}}",
            "`lead` cannot be `picture`; it is one of",
        ),
        ("{lead: {medai: image}}", "did you mean `media`?"),
        ("{lead: {media: photo}}", "`media` takes one of"),
        ("{led: Hi}", "did you mean `lead`?"),
        ("{lead: Hi, score: many}", "`score` takes a whole number"),
        ("{lead: Hi, completed: yes}", "write `true` or `false`"),
        ("{lead: [Hi]}", "begins with `[` in quotes"),
        ("{lead: {form: x}}", "`form` takes a mapping"),
        (
            "{lead: {location: [x, 1]}}",
            "an item of `location` takes a number",
        ),
        ("{lead: {edit: {turn: 1}}}", "has no `text`; add it"),
        ("{agent: assign}", "assign"),
        ("{lead: *Hi*}", "`*`"),
        ("- Hi", "`turns` takes a mapping"),
    ] {
        let text = format!("transcripts:\n  - name: Wrong\n    turns:\n      - {turn}\n");
        let error = TranscriptFile::parse("test.yaml", &text).unwrap_err();
        let shown = error.to_string();
        assert!(shown.contains(reason), "{turn}: {shown}");
        assert!(
            error.faults.iter().all(|fault| fault.0 == 4),
            "{turn}: {shown}"
        );
        for foreign in [
            "invalid",
            "variant",
            "struct",
            "sequence",
            "enum",
            "i32",
            "expected a",
        ] {
            assert!(!shown.contains(foreign), "{turn}: {shown}");
        }
    }
    let two = "transcripts:\n  - name: Wrong\n    turns:\n      - {led: Hi}\n      - {lead: Hi, score: many}\n";
    let error = TranscriptFile::parse("test.yaml", two).unwrap_err();
    assert_eq!(error.faults.len(), 2, "{error}");
}

#[test]
fn an_update_writes_what_differs_and_leaves_the_rest() {
    let text = "# The first comment.
transcripts:
  - name: Kept   # and a comment

    turns:
      - { lead: Hi, bot: \"Hello!\", state: AWAITING_BUDGET, score: 0 }   # flow
      - lead: John
        state: AWAITING_NAME
        # Before the next turn.
      - lead: {reaction: 👍}
        bot:
          - What?
          - Why?
      - { bot: Got it, lead: \"10k\", completed: false, data: { name: Ann } }
      - lead: 10k
        bot: any
";
    let file = TranscriptFile::parse("test.yaml", text).unwrap();
    let (updated, changed) = file.updated(&flows(DEFAULT_FLOW)).unwrap();
    assert_eq!(
        updated,
        "# The first comment.
transcripts:
  - name: Kept   # and a comment

    turns:
      - { lead: Hi, bot: Welcome! What is your full name?, state: AWAITING_NAME, score: 0 }   # flow
      - lead: John
        state: AWAITING_BUDGET
        bot: Thanks John. What is your monthly budget?
        # Before the next turn.
      - lead: {reaction: 👍}
      - { bot: Got it! A specialist will contact you shortly., lead: \"10k\", completed: true, data: { budget: 10000, name: John } }
      - lead: 10k
        bot: any
"
    );
    assert_eq!(changed, 4);
    assert_eq!(play(DEFAULT_FLOW, &updated), Vec::<String>::new());
}

#[test]
fn an_update_of_a_shipped_file_without_results_makes_it_right() {
    for (flow, text) in SHIPPED {
        let file = TranscriptFile::parse("test.yaml", text).unwrap();
        let unchanged = file.updated(&flows(flow)).unwrap();
        assert_eq!(unchanged, (text.to_owned(), 0));
        let spoiled = text
            .replace("bot: ", "bot: Wrong. ")
            .replace("state: ", "state: X");
        let spoiled = spoiled
            .replace("Wrong. |", "|")
            .replace("Wrong. [", "[")
            .replace("Wrong. \"", "\"Wrong. ");
        let file = TranscriptFile::parse("test.yaml", &spoiled).unwrap();
        let (updated, changed) = file.updated(&flows(flow)).unwrap();
        assert!(changed > 5, "{spoiled}");
        assert_eq!(play(flow, &updated), Vec::<String>::new(), "{updated}");
        let comments = |text: &str| {
            text.lines()
                .filter(|line| line.trim().starts_with('#'))
                .count()
        };
        assert_eq!(comments(text), comments(&updated));
    }
}

#[test]
fn a_recorded_conversation_plays_as_it_went() {
    let text = |body: &str| Content::Text { body: body.into() };
    let pause = Duration::from_secs(10);
    let mut recorder = Recorder::default();
    recorder.add(&text("Hi: \"there\""), pause);
    recorder.add(&text("José 😀"), pause);
    let media = Content::Media {
        media: MediaType::Voice,
        id: None,
        url: None,
        mime_type: None,
        sha256: None,
        caption: None,
        filename: None,
        size: None,
    };
    recorder.add(&media, Duration::from_millis(100));
    recorder.wait(Duration::from_secs(23 * 3600));
    recorder.add(&text("7,500"), pause);
    recorder.add(
        &Content::Takeover {
            body: Some("Hello, I am Eva.".into()),
        },
        pause,
    );
    recorder.add(&Content::Release, pause);
    let written = recorder.file("Recorded", &flows(DEFAULT_FLOW)).unwrap();
    assert_eq!(
        play(DEFAULT_FLOW, &written),
        Vec::<String>::new(),
        "{written}"
    );
    for part in [
        "# yaml-language-server: $schema=transcripts.schema.json",
        "      - lead: \"Hi: \\\"there\\\"\"\n",
        "        after: 100ms\n",
        "      - wait: 23h\n",
        "      - lead: { media: voice }\n",
        "      - person: \"Hello, I am Eva.\"\n",
        "      - agent: release\n",
        "        state: COMPLETED\n        score: 100\n        completed: true\n",
    ] {
        assert!(written.contains(part), "{part:?} in {written}");
    }
    let empty = Recorder::default()
        .file("Empty", &flows(DEFAULT_FLOW))
        .unwrap();
    assert!(empty.ends_with("turns: []\n"), "{empty}");
}

fn read(text: &str) -> serde_json::Value {
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(text, options).unwrap()
}

/// `UPDATE_SCHEMAS=1` writes the file.
#[test]
fn the_schema_of_transcripts_is_what_the_types_say_and_fits_the_shipped_files() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("flows/transcripts.schema.json");
    if std::env::var_os("UPDATE_SCHEMAS").is_some() {
        std::fs::write(&path, transcripts_schema()).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(
        file,
        transcripts_schema(),
        "UPDATE_SCHEMAS=1 writes the file"
    );
    let schema = serde_json::from_str(&file).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    for (_, text) in SHIPPED {
        assert!(text.starts_with("# yaml-language-server: $schema=transcripts.schema.json"));
        let document: serde_json::Value = read(text);
        let errors: Vec<_> = schema
            .iter_errors(&document)
            .map(|it| it.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new());
        let misspelt = text.replacen("lead:", "led:", 1);
        let document: serde_json::Value = read(&misspelt);
        assert!(!schema.is_valid(&document));
    }
}

#[test]
fn a_score_in_quotes_is_a_number_and_another_text_is_refused() {
    let text = |score: &str| {
        format!(
            "transcripts:\n  - name: Scores\n    turns:\n      - {{lead: Hi, bot: any, score: {score}}}\n"
        )
    };
    assert_eq!(play(DEFAULT_FLOW, &text("\"0\"")), [""; 0]);
    let differences = play(DEFAULT_FLOW, &text("'50'"));
    assert_eq!(differences.len(), 1, "{differences:#?}");
    for wrong in ["\"ten\"", "\"5.5\"", "\"50 points\"", "[50]"] {
        let error = TranscriptFile::parse("test.yaml", &text(wrong)).unwrap_err();
        let error = error.to_string();
        let is_plain =
            error.contains("test.yaml:4:") && error.contains("`score` takes a whole number");
        assert!(is_plain, "{wrong}: {error}");
    }
}
