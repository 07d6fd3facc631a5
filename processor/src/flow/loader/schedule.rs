//! Checks and compiles the time zone and the working hours.

mod hours;

use chrono_tz::{TZ_VARIANTS, Tz};
use serde_saphyr::Spanned;
use strsim::osa_distance;

use super::{Fault, Faults, ensure, fault};
use crate::flow::document::{DateDocument, Document, Expect};
use crate::flow::field::{Fields, Kind};
use crate::flow::schedule::{IS_OPEN, Schedule};

/// The most typing mistakes of a name that is taken for another.
const MAX_SLIPS: usize = 3;

pub(super) fn schedule(document: &Document) -> Result<Schedule, Fault> {
    if let Some(hours) = &document.hours {
        ensure(document.time_zone.is_some(), hours, || {
            "working hours need the flow's `time_zone`; add it, such as `time_zone: America/Sao_Paulo`"
                .into()
        })?;
    }
    Ok(Schedule {
        zone: document.time_zone.as_ref().map_or(Ok(Tz::UTC), zone)?,
        hours: document.hours.as_ref().map(hours::hours).transpose()?,
    })
}

/// Warns of a date in a flow without a time zone.
pub(super) fn warn_of_no_zone(document: &Document, faults: &mut Faults) {
    if document.time_zone.is_some() {
        return;
    }
    let expects = document
        .steps()
        .iter()
        .filter_map(|(_, step)| step.expect.as_ref());
    if let Some(date) = expects
        .into_iter()
        .find(|it| matches!(it.value, Expect::Date(_)))
    {
        faults.warnings.push(fault(
            date,
            "`today` and `tomorrow` count in UTC here; add the flow's `time_zone`, such as `time_zone: America/Sao_Paulo`".into(),
        ));
    }
}

fn zone(written: &Spanned<String>) -> Result<Tz, Fault> {
    let name = written.value.as_str();
    name.parse().map_err(|_| {
        let near = nearest(name).map_or_else(
            || "write an IANA name such as America/Sao_Paulo or Europe/Madrid".to_owned(),
            |near| format!("did you mean {near}?"),
        );
        fault(written, format!("`{name}` is no time zone; {near}"))
    })
}

/// Returns the name that is nearest to `name`, or that of its city.
fn nearest(name: &str) -> Option<&'static str> {
    let said = name.trim().replace(' ', "_").to_lowercase();
    // A short name, such as an abbreviation, is like many others.
    let slips = (said.chars().count() / 5).min(MAX_SLIPS);
    let distance = |known: &str| {
        let known = known.to_lowercase();
        let city = known.rsplit('/').next().unwrap_or_default();
        osa_distance(&known, &said).min(osa_distance(city, &said))
    };
    let names = TZ_VARIANTS.iter().map(|zone| zone.name());
    let near = names.map(|known| (distance(known), known)).min()?;
    (near.0 <= slips).then_some(near.1)
}

/// Checks that an answer within the working hours has hours, and the day of its time. `known` are the
/// fields on arrival.
pub(super) fn check_schedule(expect: &Expect, known: &Fields) -> Result<(), Fault> {
    let has_hours = known.contains_key(IS_OPEN);
    let needs_hours =
        "the flow has no working hours; add them, such as `hours: {mon-fri: 09:00-18:00}`";
    match expect {
        Expect::Date(DateDocument {
            open: Some(open), ..
        }) => ensure(has_hours || !open.value, open, || needs_hours.into()),
        Expect::Time(time) => {
            let Some(of) = &time.of else {
                return Ok(());
            };
            ensure(has_hours, of, || needs_hours.into())?;
            ensure(known.get(&of.value) == Some(&Kind::Date), of, || {
                format!(
                    "`{}` is no date that every way to here fills; name the field of an earlier `expect: date`",
                    of.value
                )
            })
        }
        _ => Ok(()),
    }
}
