//! Decides whether a template or a form may be sent now. Pure. A fault of one stops that one only:
//! its replies wait, and one of them probes it from time to time.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use leadstream_schemas::{ReplyContent, ReplyTemplate, Timestamp};
use uuid::Uuid;

use super::gate::{LONGEST_PROBE, PROBE};
use crate::send_result::{Class, ContentKind, WAIT_OF_TEMPLATE};
use crate::time::after;

/// How long the others wait for the answer to a probe.
const ANSWER: Duration = Duration::from_secs(10);
/// The wait that [`WAIT_OF_TEMPLATE`] asks for.
const LONG_WAIT: Duration = Duration::from_secs(10 * 60);

/// What a message is made of, as far as WhatsApp can refuse it for everybody.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Content {
    Template { name: String, language: String },
    Form { flow_id: String },
    Other,
}

impl Content {
    #[must_use]
    pub fn of(content: &ReplyContent) -> Self {
        match content {
            ReplyContent::Template(template) => Self::of_template(template),
            ReplyContent::Form { flow_id, .. } => Self::Form {
                flow_id: flow_id.clone(),
            },
            _ => Self::Other,
        }
    }

    #[must_use]
    pub fn of_template(template: &ReplyTemplate) -> Self {
        Self::Template {
            name: template.name.clone(),
            language: template.language.clone(),
        }
    }

    #[must_use]
    pub const fn kind(&self) -> ContentKind {
        match self {
            Self::Template { .. } => ContentKind::Template,
            Self::Form { .. } => ContentKind::Form,
            Self::Other => ContentKind::Other,
        }
    }
}

impl std::fmt::Display for Content {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Template { name, language } => write!(f, "template {name} in {language}"),
            Self::Form { flow_id } => write!(f, "form {flow_id}"),
            Self::Other => f.write_str("message"),
        }
    }
}

/// The reason why a template or form is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    pub class: Class,
    pub code: Option<i64>,
    /// The time of the next probe.
    pub until: Timestamp,
    probes: u32,
}

/// The templates and forms of one number.
#[derive(Debug, Default)]
pub struct Contents {
    stops: BTreeMap<Content, Stop>,
    /// Those in flight.
    under_way: HashMap<Uuid, Content>,
}

impl Contents {
    /// Admits a reply, maybe as the probe of its content.
    ///
    /// # Errors
    /// Returns why and until when it has to wait.
    pub fn admit(&mut self, token: Uuid, content: Content, now: Timestamp) -> Result<(), Stop> {
        if let Some(stop) = self.stops.get_mut(&content) {
            if stop.until > now {
                return Err(*stop);
            }
            stop.probes = stop.probes.saturating_add(1);
            stop.until = after(now, ANSWER);
        }
        if content != Content::Other {
            self.under_way.insert(token, content);
        }
        Ok(())
    }

    /// Returns the content of a reply that was answered.
    pub fn finish(&mut self, token: &Uuid) -> Content {
        self.under_way.remove(token).unwrap_or(Content::Other)
    }

    /// Records that WhatsApp took such a content.
    pub fn accepted(&mut self, content: &Content) {
        self.stops.remove(content);
    }

    /// Stops a content, and returns the time of the next probe.
    pub fn stop(
        &mut self,
        content: Content,
        class: Class,
        code: Option<i64>,
        now: Timestamp,
    ) -> Timestamp {
        let probes = self.stops.get(&content).map_or(0, |stop| stop.probes);
        let pause = match code {
            Some(WAIT_OF_TEMPLATE) => LONG_WAIT,
            _ => PROBE
                .saturating_mul(2_u32.saturating_pow(probes))
                .min(LONGEST_PROBE),
        };
        let until = after(now, pause);
        let stop = Stop {
            class,
            code,
            until,
            probes,
        };
        self.stops.insert(content, stop);
        until
    }

    /// Returns what is stopped.
    pub const fn stopped(&self) -> &BTreeMap<Content, Stop> {
        &self.stops
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn template(name: &str) -> Content {
        Content::Template {
            name: name.into(),
            language: "de".into(),
        }
    }

    #[test]
    fn a_stopped_template_waits_alone_and_one_reply_probes_it() {
        let mut contents = Contents::default();
        let admit = |contents: &mut Contents, name: &str, now| {
            contents.admit(Uuid::new_v4(), template(name), now)
        };
        let (mut now, mut pauses) = (NOW, Vec::new());
        for _ in 0..8 {
            assert_eq!(admit(&mut contents, "a", now), Ok(()));
            let until = contents.stop(template("a"), Class::StopTemplate, Some(132_015), now);
            pauses.push((until.millis() - now.millis()) / 1000);
            assert!(admit(&mut contents, "a", now).is_err());
            assert_eq!(admit(&mut contents, "b", now), Ok(()));
            now = until;
        }
        assert_eq!(pauses, [30, 60, 120, 240, 480, 960, 1800, 1800]);
        assert_eq!(admit(&mut contents, "a", now), Ok(()), "the probe");
        let stop = admit(&mut contents, "a", now).unwrap_err();
        assert_eq!(stop.until, after(now, ANSWER), "the others wait for it");
        contents.accepted(&template("a"));
        assert_eq!(admit(&mut contents, "a", now), Ok(()));
        assert!(contents.stopped().is_empty());
    }

    #[test]
    fn a_template_that_whatsapp_asks_to_wait_for_waits_ten_minutes() {
        let mut contents = Contents::default();
        let code = Some(WAIT_OF_TEMPLATE);
        let until = contents.stop(template("a"), Class::StopTemplate, code, NOW);
        assert_eq!(until, after(NOW, Duration::from_secs(600)));
    }

    #[test]
    fn an_answer_belongs_to_the_content_of_its_reply() {
        let mut contents = Contents::default();
        let token = Uuid::new_v4();
        assert_eq!(contents.admit(token, template("a"), NOW), Ok(()));
        assert_eq!(contents.finish(&token), template("a"));
        assert_eq!(contents.finish(&token), Content::Other);
    }
}
