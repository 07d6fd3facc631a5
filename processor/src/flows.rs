//! Holds the published versions of flows and chooses the one that a conversation follows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use leadstream_schemas::{FlowRef, Timestamp};

use crate::flow::{DEFAULT_FLOW, Flow, FlowError, TurnInput};

/// The least time between a publication or withdrawal and its effect. Every processor reads the
/// change within this time, before it folds an input that the change concerns.
pub const VISIBILITY_WINDOW: Duration = Duration::from_secs(30);

/// The delay that a publication adds: [`VISIBILITY_WINDOW`], and the time that its transaction may
/// take.
pub(crate) const ACTIVATION_DELAY: Duration = Duration::from_secs(VISIBILITY_WINDOW.as_secs() + 15);

/// A published document as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    pub name: String,
    pub version: u32,
    pub text: String,
    /// The time from which conversations can begin with the version.
    pub new_conversations_from: Timestamp,
    /// The time from which none does, if the version was withdrawn.
    pub new_conversations_until: Option<Timestamp>,
}

/// The origin of a conversation's first message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The business number that received the message.
    pub number: &'a str,
    /// The ad or post that led to the message.
    pub referral: Option<&'a str>,
}

/// The published versions with the times from which they are in effect. Never empty.
#[derive(Debug)]
pub struct Flows {
    versions: BTreeMap<(String, u32), Flow>,
    /// The version for every time before the other versions.
    first: (String, u32),
    /// The versions by time, ascending.
    timeline: Vec<ActiveVersion>,
    by_origin: bool,
}

#[derive(Debug)]
struct ActiveVersion {
    from: Timestamp,
    until: Option<Timestamp>,
    key: (String, u32),
}

impl ActiveVersion {
    fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }
}

impl Flows {
    /// Creates the flows; `first` is in effect before every other version.
    #[must_use]
    pub fn new(first: Flow, later: Vec<(Timestamp, Flow)>) -> Self {
        let later = later.into_iter().map(|(from, flow)| (from, None, flow));
        Self::of(first, later.collect())
    }

    /// Reads published documents in the order of their times; without any, the default flow.
    ///
    /// # Errors
    /// Returns an error for a document that this version cannot read.
    pub fn read(published: &[Published]) -> Result<Self, FlowError> {
        let mut flows = Vec::with_capacity(published.len());
        for it in published {
            let file = format!("published flow `{}` version {}", it.name, it.version);
            let flow = Flow::parse(&file, &it.text)?;
            flows.push((it.new_conversations_from, it.new_conversations_until, flow));
        }
        if flows.is_empty() {
            let flow = Flow::parse("the default flow", DEFAULT_FLOW)?;
            return Ok(Self::of(flow, Vec::new()));
        }
        let (from, until, first) = flows.remove(0);
        let withdrawn = until.map(|until| (from, until));
        let mut all = Self::of(first, flows);
        if let Some((from, until)) = withdrawn {
            let key = all.first.clone();
            all.timeline.insert(
                0,
                ActiveVersion {
                    from,
                    until: Some(until),
                    key,
                },
            );
        }
        Ok(all)
    }

    fn of(first: Flow, later: Vec<(Timestamp, Option<Timestamp>, Flow)>) -> Self {
        let key = |flow: &Flow| {
            let reference = flow.reference();
            (reference.name, reference.version)
        };
        let first_key = key(&first);
        let mut timeline: Vec<ActiveVersion> = later
            .iter()
            .map(|(from, until, flow)| ActiveVersion {
                from: *from,
                until: *until,
                key: key(flow),
            })
            .collect();
        timeline.sort_by(|a, b| (a.from, &a.key).cmp(&(b.from, &b.key)));
        let mut versions: BTreeMap<_, _> = later
            .into_iter()
            .map(|(_, _, flow)| (key(&flow), flow))
            .collect();
        versions.insert(first_key.clone(), first);
        Self {
            by_origin: versions.values().any(Flow::is_chosen_by_origin),
            versions,
            first: first_key,
            timeline,
        }
    }

    #[must_use]
    pub fn get(&self, reference: &FlowRef) -> Option<&Flow> {
        self.versions
            .get(&(reference.name.clone(), reference.version))
    }

    /// Returns whether a business number or an ad can choose a flow.
    #[must_use]
    pub fn are_chosen_by_origin(&self) -> bool {
        self.by_origin
    }

    /// Returns every published version.
    pub fn all(&self) -> impl Iterator<Item = &Flow> {
        self.versions.values()
    }

    /// Returns the version of the flow `name` that is in effect at `at`.
    #[must_use]
    pub fn newest(&self, name: &str, at: Timestamp) -> Option<&Flow> {
        let of_it = |version: &&ActiveVersion| version.key.0 == name && version.holds(at);
        let later = self.timeline.iter().rfind(of_it).map(|held| &held.key);
        let first = (self.first.0 == name).then_some(&self.first);
        self.versions.get(later.or(first)?)
    }

    /// Returns the version for a conversation whose first message comes at `at`. Of the newest
    /// version of each flow it takes the one that fits best; of equals, the one that was published
    /// last.
    ///
    /// # Panics
    /// Never: `first` was put into the map with it.
    #[must_use]
    #[expect(clippy::expect_used, reason = "both are built together in `of`")]
    pub fn choose(&self, at: Timestamp, origin: Origin<'_>, answer: &TurnInput) -> &Flow {
        let mut seen = BTreeSet::new();
        let mut best: Option<(u8, &Flow)> = None;
        let newest_first = self.timeline.iter().rev().filter(|held| held.holds(at));
        for key in newest_first.map(|held| &held.key).chain([&self.first]) {
            let Some(flow) = self.versions.get(key).filter(|_| seen.insert(&key.0)) else {
                continue;
            };
            if let Some(fits) = flow.fits(origin.referral, origin.number, answer)
                && best.is_none_or(|(most, _)| fits > most)
            {
                best = Some((fits, flow));
            }
        }
        best.map_or_else(
            || self.versions.get(&self.first).expect("the first version"),
            |(_, flow)| flow,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(name: &str, version: u32, chosen_by: &str) -> String {
        DEFAULT_FLOW
            .replace("name: qualification", &format!("name: {name}"))
            .replace("version: 3", &format!("version: {version}\n{chosen_by}"))
    }

    fn published(name: &str, version: u32, from: i64, until: Option<i64>) -> Published {
        let chosen_by = match name {
            "ad" => "chosen_by: {referrals: ['77']}",
            "word" => "chosen_by: {keywords: [DEMO]}",
            "number" => "chosen_by: {numbers: ['100']}",
            _ => "",
        };
        Published {
            name: name.to_owned(),
            version,
            text: document(name, version, chosen_by),
            new_conversations_from: Timestamp::from_secs(from),
            new_conversations_until: until.map(Timestamp::from_secs),
        }
    }

    fn chosen(flows: &Flows, at: i64, origin: Origin<'_>, text: &str) -> (String, u32) {
        let answer = TurnInput::Text(text.to_owned());
        let flow = flows.choose(Timestamp::from_secs(at), origin, &answer);
        (flow.reference().name, flow.reference().version)
    }

    #[test]
    fn the_time_of_the_first_message_chooses_the_version() {
        let flows = Flows::read(&[
            published("main", 1, 0, None),
            published("main", 2, 100, Some(300)),
            published("main", 3, 200, Some(250)),
        ])
        .unwrap();
        let at = |at| chosen(&flows, at, Origin::default(), "Hi").1;
        let versions = [-5, 0, 99, 100, 199, 200, 249, 250, 299, 300].map(at);
        assert_eq!(versions, [1, 1, 1, 2, 2, 3, 3, 2, 2, 1]);
        let newest = |at| flows.newest("main", Timestamp::from_secs(at)).unwrap();
        assert_eq!(newest(249).reference().version, 3);
        assert_eq!(newest(300).reference().version, 1);
        assert!(flows.newest("other", Timestamp::from_secs(249)).is_none());
    }

    #[test]
    fn an_ad_a_word_or_a_number_chooses_among_flows() {
        let flows = Flows::read(&[
            published("main", 1, 0, None),
            published("ad", 1, 10, None),
            published("word", 1, 10, None),
            published("number", 1, 10, None),
        ])
        .unwrap();
        let from = |number, referral| Origin { number, referral };
        for (origin, text, at, expected) in [
            (from("9", None), "Hi", 20, "main"),
            (from("9", None), " demo ", 20, "word"),
            (from("9", None), "a demo", 20, "main"),
            (from("100", None), "Hi", 20, "number"),
            (from("100", None), "DEMO", 20, "word"),
            (from("100", Some("77")), "DEMO", 20, "ad"),
            (from("9", Some("78")), "Hi", 20, "main"),
            (from("100", Some("77")), "DEMO", 5, "main"),
        ] {
            assert_eq!(
                chosen(&flows, at, origin, text).0,
                expected,
                "{origin:?} {text}"
            );
        }
    }

    #[test]
    fn without_a_published_flow_there_is_the_default_one() {
        let flows = Flows::read(&[]).unwrap();
        assert_eq!(
            chosen(&flows, 0, Origin::default(), "Hi").0,
            "qualification"
        );
    }
}
