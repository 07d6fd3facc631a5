//! Checks and compiles the document outside of its steps.

use std::collections::BTreeMap;
use std::time::Duration;

use leadstream_schemas::UndeliveredClass;
use serde_saphyr::Spanned;

use super::languages::languages;
use super::phrase::{Scope, check_languages, phrase};
use super::schedule::schedule;
use super::template::{ensure_template, templates};
use super::{Fault, Faults, ensure, fault, parse_within};
use crate::flow::document::{
    ChosenBy as ChosenByDocument, Document, LocalizedText, LocalizedWords, ReactionDocument,
    ReengageDocument, UndeliveredDocument,
};
use crate::flow::field::Fields;
use crate::flow::keyword::{OptOutWords, PersonWords, START, declines, key, opt_outs, skips};
use crate::flow::prompt::{MAX_BODY, is_identifier};
use crate::flow::schedule::Schedule;
use crate::flow::time::{WINDOW, parse_duration};
use crate::flow::undelivered::{Reaction, Reactions};
use crate::flow::{ChosenBy, Flow, FlowStep, Keywords, Messages, Reengage, Timers};

const MAX_NAME_CHARS: usize = 50;
const MAX_KEYWORD_CHARS: usize = 50;
const MAX_KEYWORDS: usize = 50;
const MAX_BURST_WAIT: Duration = Duration::from_secs(30);
const MAX_TIMER: Duration = Duration::from_secs(365 * 24 * 3600);
const HOUR: u64 = 3600;

/// The document outside of its steps.
pub(super) struct Head {
    version: u32,
    pub(super) languages: Vec<String>,
    chosen_by: ChosenBy,
    keywords: Keywords,
    timers: Timers,
    burst_wait: Duration,
    schedule: Schedule,
}

/// Compiles the head; none if it has faults.
pub(super) fn head(document: &Document, faults: &mut Faults) -> Option<Head> {
    let name = faults.collect(ensure(
        is_identifier(&document.name.value, MAX_NAME_CHARS),
        &document.name,
        || {
            format!(
                "`{}` is no name for a flow; use up to {MAX_NAME_CHARS} letters, digits, `-` and `_`",
                document.name.value
            )
        },
    ));
    let version = faults.collect(version(&document.version));
    let languages = faults.collect(languages(&document.language));
    let chosen_by = faults.collect(chosen_by(&document.chosen_by));
    let timers = faults.collect(timers(document));
    let burst_wait = faults.collect(burst_wait(document.burst_wait.as_ref()));
    let schedule = faults.collect(schedule(document));
    let (Some(()), Some(languages)) = (name, languages) else {
        return None;
    };
    let keywords = faults.collect(keywords(document, &languages));
    Some(Head {
        version: version?,
        languages,
        chosen_by: chosen_by?,
        keywords: keywords?,
        timers: timers?,
        burst_wait: burst_wait?,
        schedule: schedule?,
    })
}

impl Head {
    pub(super) fn into_flow(
        self,
        document: &Document,
        steps: Vec<FlowStep>,
        anywhere: &Fields,
        faults: &mut Faults,
    ) -> Option<Flow> {
        let templates = templates(document, &self.languages, anywhere, faults);
        let messages = faults.collect(messages(document, &self.languages, anywhere))?;
        Some(Flow {
            name: document.name.value.clone(),
            version: self.version,
            languages: self.languages,
            start: document.start.value.clone(),
            chosen_by: self.chosen_by,
            keywords: self.keywords,
            messages,
            timers: self.timers,
            undelivered: reactions(&document.undelivered),
            burst_wait: self.burst_wait,
            schedule: self.schedule,
            types: anywhere.types(),
            referral_fields: Vec::new(),
            templates,
            steps,
        })
    }
}

fn version(written: &Spanned<String>) -> Result<u32, Fault> {
    parse_within(written, 1..=i32::MAX.unsigned_abs(), || {
        "version; write a whole number from 1".into()
    })
}

fn chosen_by(written: &ChosenByDocument) -> Result<ChosenBy, Fault> {
    let plain = |list: &[Spanned<String>]| {
        list.iter()
            .map(|it| {
                ensure((1..=200).contains(&it.value.len()), it, || {
                    "an id here has from 1 to 200 characters".into()
                })?;
                Ok(it.value.clone())
            })
            .collect::<Result<Vec<_>, Fault>>()
    };
    Ok(ChosenBy {
        referrals: plain(&written.referrals)?,
        keywords: words(&written.keywords)?,
        written_keywords: plain(&written.keywords)?,
        numbers: plain(&written.numbers)?,
    })
}

/// Returns the keys of keywords.
fn words(list: &[Spanned<String>]) -> Result<Vec<String>, Fault> {
    if let Some(beyond) = list.get(MAX_KEYWORDS) {
        return Err(fault(
            beyond,
            format!("at most {MAX_KEYWORDS} keywords are allowed; remove some"),
        ));
    }
    list.iter()
        .map(|keyword| {
            let word = keyword.value.trim();
            let is_fit = (1..=MAX_KEYWORD_CHARS).contains(&word.chars().count());
            ensure(is_fit, keyword, || {
                format!("a keyword has from 1 to {MAX_KEYWORD_CHARS} characters")
            })?;
            Ok(key(word))
        })
        .collect()
}

/// Compiles the keywords of all languages together, because a lead may write any of them.
fn keywords(document: &Document, languages: &[String]) -> Result<Keywords, Fault> {
    let written = &document.keywords;
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mut all = |name: &str, lists: Option<&Spanned<LocalizedWords>>| {
        let Some(lists) = lists else {
            return Ok(Vec::new());
        };
        let mut kept: Vec<String> = Vec::new();
        let mut add = |list: &[Spanned<String>]| {
            for (word, at) in words(list)?.into_iter().zip(list) {
                if let Some(other) = taken.insert(word.clone(), name.to_owned()) {
                    ensure(other == name, at, || {
                        format!("`{}` is a keyword for `{other}`, too; remove one", at.value)
                    })?;
                }
                kept.push(word);
            }
            Ok::<_, Fault>(())
        };
        match &lists.value {
            LocalizedWords::One(list) => add(list)?,
            LocalizedWords::Each(each) => {
                check_languages(lists, &each.iter().map(|(language, _)| language), languages)?;
                each.iter().try_for_each(|(_, list)| add(list))?;
            }
        }
        Ok::<_, Fault>(kept)
    };
    let mut keywords = Keywords {
        restart: all("restart", written.restart.as_ref())?,
        stop: all("stop", written.stop.as_ref())?,
        opt_out: Vec::new(),
        opt_out_words: OptOutWords::default(),
        start: all("start", written.start.as_ref())?,
        human: all("human", written.human.as_ref())?,
        person: PersonWords::default(),
        back: all("back", written.back.as_ref())?,
        change: Vec::new(),
        skip: all("skip", written.skip.as_ref())?,
        decline: Vec::new(),
    };
    for (state, step) in document.steps() {
        if let Some(change) = &step.change {
            let name = format!("change of {}", state.value);
            let words = all(&name, Some(change))?;
            keywords.change.push((words, state.value.clone()));
        }
    }
    let is_optional = document.steps().iter().any(|(_, step)| step.optional);
    if let Some(skip) = &written.skip {
        ensure(is_optional, skip, || {
            "no question can be skipped; add `optional: true` to a step, or remove `skip`".into()
        })?;
    }
    if let Some(stop) = &written.stop
        && !keywords.stop.is_empty()
    {
        ensure(!keywords.start.is_empty(), stop, || {
            "a lead could stop and never come back, unless it guesses START; add `start` keywords, too".into()
        })?;
        ensure(document.messages.stopped.is_some(), stop, || {
            "nothing would confirm it; add `stopped` to `messages`".into()
        })?;
    }
    // The document's own keywords take precedence.
    let is_free = |word: &String| !taken.contains_key(word);
    keywords.opt_out = opt_outs(languages).into_iter().filter(is_free).collect();
    let phrases = keywords.opt_out.iter().chain(&keywords.stop);
    keywords.opt_out_words = OptOutWords::new(languages, phrases);
    let may_ask = |word: &String| taken.get(word).is_none_or(|name| *name == "human");
    keywords.person = PersonWords::new(languages, may_ask);
    if is_optional {
        keywords
            .skip
            .extend(skips(languages).into_iter().filter(is_free));
        keywords.decline = declines(languages).into_iter().filter(is_free).collect();
    }
    keywords.start.extend(Some(key(START)).filter(is_free));
    Ok(keywords)
}

fn messages(
    document: &Document,
    languages: &[String],
    anywhere: &Fields,
) -> Result<Messages, Fault> {
    // These messages can come at any time, so no field is certain.
    let scope = Scope {
        languages,
        known: anywhere,
    };
    let message = |words: Option<&Spanned<LocalizedText>>| {
        words
            .map(|words| {
                let phrase = phrase(words, &scope)?;
                ensure(phrase.longest() <= MAX_BODY, words, || {
                    format!("the text has over {MAX_BODY} characters; shorten it")
                })?;
                Ok(phrase)
            })
            .transpose()
    };
    let written = &document.messages;
    Ok::<_, Fault>(Messages {
        stopped: message(written.stopped.as_ref())?,
        started: message(written.started.as_ref())?,
        handoff: message(written.handoff.as_ref())?,
        nudge: message(written.nudge.as_ref())?,
    })
}

fn timers(document: &Document) -> Result<Timers, Fault> {
    let written = &document.timers;
    let timer = |written: Option<&Spanned<String>>, hours: u64| match written {
        None => Ok(Some(Duration::from_secs(hours * HOUR))),
        Some(off) if off.value == "off" => Ok(None),
        Some(time) => duration(time, MAX_TIMER).map(Some),
    };
    let nudge = timer(written.nudge.as_ref(), 23)?;
    if let (Some(at), Some(nudge)) = (&written.nudge, nudge) {
        ensure(nudge < WINDOW, at, || {
            "WhatsApp takes such a message only within 24 hours of the lead's last one; nudge earlier, such as after `23h`".into()
        })?;
    }
    Ok(Timers {
        nudge,
        cold: timer(written.cold.as_ref(), 24)?,
        handoff: timer(written.handoff.as_ref(), 12)?,
        reengage: written
            .reengage
            .as_ref()
            .map(|written| reengage(document, written))
            .transpose()?,
    })
}

fn reengage(document: &Document, written: &ReengageDocument) -> Result<Reengage, Fault> {
    let after = duration(&written.after, MAX_TIMER)?;
    ensure(after >= WINDOW, &written.after, || {
        "a template is for the time after WhatsApp's window; write a time from `24h` on, or let `nudge` ask before that".into()
    })?;
    ensure_template(document, &written.template)?;
    Ok(Reengage {
        after,
        template: written.template.value.clone(),
    })
}

fn reactions(written: &UndeliveredDocument) -> Reactions {
    let by_class = [
        (UndeliveredClass::Unreachable, written.unreachable),
        (UndeliveredClass::WindowClosed, written.window_closed),
        (UndeliveredClass::Marketing, written.marketing),
        (UndeliveredClass::Experiment, written.experiment),
        (UndeliveredClass::Template, written.template),
        (UndeliveredClass::Form, written.form),
        (UndeliveredClass::Rejected, written.rejected),
        (UndeliveredClass::UnknownOutcome, written.unknown_outcome),
    ];
    let reactions = by_class.into_iter().filter_map(|(class, reaction)| {
        let reaction = match reaction? {
            ReactionDocument::Cold => Reaction::Cold,
            ReactionDocument::HandOff => Reaction::HandOff,
            ReactionDocument::Nothing => Reaction::Nothing,
        };
        Some((class, reaction))
    });
    Reactions(reactions.collect())
}

fn burst_wait(written: Option<&Spanned<String>>) -> Result<Duration, Fault> {
    match written {
        None => Ok(Duration::from_secs(1)),
        Some(off) if off.value == "off" => Ok(Duration::ZERO),
        Some(time) => duration(time, MAX_BURST_WAIT),
    }
}

fn duration(written: &Spanned<String>, most: Duration) -> Result<Duration, Fault> {
    let parsed = parse_duration(&written.value).filter(|it| !it.is_zero() && *it <= most);
    parsed.ok_or_else(|| {
        fault(
            written,
            format!(
                "`{}` is no time here; write one such as 30s, 90m, 23h or 2d, up to {} s, or `off`",
                written.value,
                most.as_secs()
            ),
        )
    })
}
