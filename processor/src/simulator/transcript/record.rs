//! Records a simulated conversation as a transcript.

use std::time::Duration;

use leadstream_schemas::{Content, Referral, UndeliveredClass};

use super::document::name;
use super::referral::members;
use super::rewrite::{json, scalar};
use super::{DEFAULT_PAUSE, PlayError, TranscriptFile};
use crate::flows::Flows;
use crate::simulator::can_have_referral;

/// The actions of a conversation so far.
#[derive(Debug, Default)]
pub struct Recorder {
    turns: Vec<String>,
    /// The ad or post that leads to the next message.
    referral: Option<Referral>,
}

impl Recorder {
    /// Adds a message or a command, `after` the turn before. Other content cannot be in a transcript,
    /// and is left out.
    pub fn add(&mut self, content: &Content, after: Duration) {
        let Some(action) = action(content) else {
            return;
        };
        let after = since(after);
        let referral = self.referral.take_if(|_| can_have_referral(content));
        let referral = referral.map_or_else(String::new, |given| {
            let members: Vec<String> = members(&given)
                .into_iter()
                .filter_map(|(name, value)| Some(format!("{name}: {}", scalar(value?))))
                .collect();
            format!("\n        referral: {{ {} }}", members.join(", "))
        });
        self.turns.push(format!("{action}{referral}{after}"));
    }

    /// Adds that the open question did not reach the lead, `after` the turn before.
    pub fn fail_to_deliver(&mut self, class: UndeliveredClass, after: Duration) {
        let class = class.as_str();
        self.turns
            .push(format!("undelivered: {class}{}", since(after)));
    }

    /// Adds the ad or post that leads to the next message of the lead.
    pub fn refer(&mut self, referral: Referral) {
        self.referral = Some(referral);
    }

    /// Adds time that passes.
    pub fn wait(&mut self, time: Duration) {
        self.turns.push(format!("wait: {}", written(time)));
    }

    /// Returns whether nothing is recorded yet.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Returns the file `before` with the transcript behind those that it has. `file` is only named in
    /// errors.
    ///
    /// # Errors
    /// Returns an error if `before` is no file of transcripts, or if a conversation follows a flow that
    /// is not published.
    pub fn appended(&self, file: &str, before: &str, flows: &Flows) -> Result<String, PlayError> {
        if before.trim().is_empty() {
            return self.file("A recorded conversation", flows);
        }
        let known = TranscriptFile::parse(file, before)?;
        let count = known.transcripts.len() + 1;
        let text = self.file(&format!("Recorded conversation {count}"), flows)?;
        let Some(indent) = known.indent() else {
            let reason =
                "the transcripts stand in brackets; write them below each other, each behind `- `";
            return Err(known.refused(1, 1, reason.to_owned()).into());
        };
        let mut all = before.trim_end().to_owned();
        for line in text.lines().skip_while(|line| !line.starts_with("  - ")) {
            all.push('\n');
            all.push_str(&" ".repeat(indent));
            all.push_str(line.strip_prefix("  ").unwrap_or(line));
        }
        all.push('\n');
        Ok(all)
    }

    /// Returns the file of the transcript, with the results that `flows` give.
    ///
    /// # Errors
    /// Returns an error if a conversation follows a flow that is not published.
    pub fn file(&self, name: &str, flows: &Flows) -> Result<String, PlayError> {
        let mut text = format!(
            "# yaml-language-server: $schema=transcripts.schema.json\ntranscripts:\n  - name: {}\n    turns:",
            scalar(name)
        );
        if self.turns.is_empty() {
            text.push_str(" []");
        }
        let last = self.turns.len().saturating_sub(1);
        for (index, turn) in self.turns.iter().enumerate() {
            text.push_str(&format!("\n      - {turn}\n        state: \"\""));
            if index == last {
                text.push_str("\n        score: 0\n        completed: false\n        data: {}");
            }
        }
        text.push('\n');
        // The results are written where the empty ones differ.
        let file = TranscriptFile::parse("the recorded conversation", &text)?;
        Ok(file.updated(flows)?.0)
    }
}

/// Writes the time since the turn before.
fn since(after: Duration) -> String {
    if after == DEFAULT_PAUSE {
        return String::new();
    }
    format!("\n        after: {}", written(after))
}

fn action(content: &Content) -> Option<String> {
    Some(match content {
        Content::Text { body } => format!("lead: {}", scalar(body)),
        Content::Choice { id: Some(id), .. } => format!("lead: {{ choice: {} }}", scalar(id)),
        Content::Media { media, .. } => format!("lead: {{ media: {} }}", name(*media)),
        Content::Location {
            latitude,
            longitude,
            ..
        } => format!("lead: {{ location: [{latitude:?}, {longitude:?}] }}"),
        Content::Form { response_json, .. } => {
            let form = serde_json::from_str(response_json).ok()?;
            format!("lead: {{ form: {} }}", json(&form))
        }
        Content::Takeover { body } => {
            format!("person: {}", scalar(body.as_deref().unwrap_or_default()))
        }
        Content::Release => "agent: release".to_owned(),
        Content::Restart => "agent: restart".to_owned(),
        _ => return None,
    })
}

/// Writes a time in its greatest whole unit.
fn written(time: Duration) -> String {
    let millis = time.as_millis();
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    let whole = units
        .into_iter()
        .find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit));
    whole.map_or_else(
        || format!("{millis}ms"),
        |(unit, name)| format!("{}{name}", millis / unit),
    )
}
