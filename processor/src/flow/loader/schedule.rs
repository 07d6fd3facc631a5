//! Checks and compiles the time zone.

use chrono_tz::{TZ_VARIANTS, Tz};
use serde_saphyr::Spanned;
use strsim::osa_distance;

use super::{Fault, Faults, fault};
use crate::flow::document::{Document, Expect};
use crate::flow::schedule::Schedule;

/// The typing mistakes of a name that is taken for another.
const MAX_SLIPS: usize = 3;

pub(super) fn schedule(document: &Document) -> Result<Schedule, Fault> {
    Ok(Schedule {
        zone: document.time_zone.as_ref().map_or(Ok(Tz::UTC), zone)?,
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
    let distance = |known: &str| {
        let known = known.to_lowercase();
        let city = known.rsplit('/').next().unwrap_or_default();
        osa_distance(&known, &said).min(osa_distance(city, &said))
    };
    let names = TZ_VARIANTS.iter().map(|zone| zone.name());
    let near = names.map(|known| (distance(known), known)).min()?;
    (near.0 <= MAX_SLIPS).then_some(near.1)
}
