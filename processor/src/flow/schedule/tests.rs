//! Tests working hours, also where the clock changes.

use super::*;

fn schedule(zone: &str, days: [&[(u16, u16)]; 7], holidays: Vec<Holiday>) -> Schedule {
    let spans = |day: &[(u16, u16)]| {
        day.iter()
            .map(|&(from, to)| Span {
                from: from * 60,
                to: to * 60,
            })
            .collect()
    };
    Schedule {
        zone: zone.parse().unwrap(),
        hours: Some(Hours {
            days: days.map(spans),
            holidays,
        }),
    }
}

/// Monday to Friday with a break, and Saturday morning.
fn office(zone: &str) -> Schedule {
    let day: &[(u16, u16)] = &[(9, 12), (13, 18)];
    schedule(
        zone,
        [day, day, day, day, day, &[(9, 13)], &[]],
        vec![
            Holiday::On(NaiveDate::from_ymd_opt(2026, 11, 30).unwrap()),
            Holiday::Yearly { month: 12, day: 25 },
        ],
    )
}

fn at(text: &str) -> Timestamp {
    let time: DateTime<chrono::Utc> = text.parse().unwrap();
    Timestamp::from_millis(time.timestamp_millis())
}

fn shown(at: Option<Timestamp>) -> Option<String> {
    let at = DateTime::from_timestamp_millis(at?.millis())?;
    Some(at.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[test]
fn people_are_there_within_the_hours_of_the_zone() {
    // São Paulo is three hours behind UTC. The 27th of November 2026 is a Friday.
    let office = office("America/Sao_Paulo");
    for (now, is_open, opens, closed) in [
        (
            "2026-11-27T11:59:59Z",
            false,
            "2026-11-27T12:00:00Z",
            "2026-11-26T21:00:00Z",
        ),
        (
            "2026-11-27T12:00:00Z",
            true,
            "2026-11-27T12:00:00Z",
            "2026-11-26T21:00:00Z",
        ),
        (
            "2026-11-27T14:30:00Z",
            true,
            "2026-11-27T14:30:00Z",
            "2026-11-27T14:30:00Z",
        ),
        (
            "2026-11-27T15:00:00Z",
            false,
            "2026-11-27T16:00:00Z",
            "2026-11-27T15:00:00Z",
        ),
        (
            "2026-11-27T21:00:00Z",
            false,
            "2026-11-28T12:00:00Z",
            "2026-11-27T21:00:00Z",
        ),
        // Sunday, and a holiday on Monday.
        (
            "2026-11-28T16:00:00Z",
            false,
            "2026-12-01T12:00:00Z",
            "2026-11-28T16:00:00Z",
        ),
        (
            "2026-11-30T15:30:00Z",
            false,
            "2026-12-01T12:00:00Z",
            "2026-11-28T16:00:00Z",
        ),
        // Every Christmas.
        (
            "2026-12-25T13:00:00Z",
            false,
            "2026-12-26T12:00:00Z",
            "2026-12-24T21:00:00Z",
        ),
        (
            "2028-12-25T13:00:00Z",
            false,
            "2028-12-26T12:00:00Z",
            "2028-12-23T16:00:00Z",
        ),
    ] {
        assert_eq!(office.is_open(at(now)), is_open, "{now}");
        assert_eq!(
            shown(office.opens_at(at(now))).as_deref(),
            Some(opens),
            "{now}"
        );
        assert_eq!(
            shown(office.closed_at(at(now))).as_deref(),
            Some(closed),
            "{now}"
        );
    }
    // Nobody was there in the last two days.
    assert_eq!(office.closed_at(at("2026-12-01T04:00:00Z")), None);
    assert!(UTC.is_open(at("2026-11-29T03:00:00Z")));
}

#[test]
fn hours_that_the_clock_skips_or_repeats_are_there_once() {
    let night: &[(u16, u16)] = &[(1, 3)];
    let london = schedule("Europe/London", [night; 7], Vec::new());
    // On the 29th of March 2026 the clock skips 01:00 to 02:00.
    assert!(!london.is_open(at("2026-03-29T00:59:59Z")));
    assert!(london.is_open(at("2026-03-29T01:00:00Z")));
    assert!(!london.is_open(at("2026-03-29T02:00:00Z")));
    // On the 25th of October 2026 it shows 01:00 to 02:00 twice.
    for (now, is_open) in [
        ("2026-10-24T23:59:59Z", false),
        ("2026-10-25T00:00:00Z", true),
        ("2026-10-25T01:30:00Z", true),
        ("2026-10-25T02:59:59Z", true),
        ("2026-10-25T03:00:00Z", false),
    ] {
        assert_eq!(london.is_open(at(now)), is_open, "{now}");
    }
    // A span that lies in the gap is no span, and a time in it is no appointment.
    let gap = schedule("America/New_York", [&[(2, 3)]; 7], Vec::new());
    assert!(!gap.is_open(at("2026-03-08T07:00:00Z")));
    let day = NaiveDate::from_ymd_opt(2026, 3, 8).unwrap();
    let half_past_two = NaiveTime::from_hms_opt(2, 30, 0).unwrap();
    let long_ago = at("2026-01-01T00:00:00Z");
    assert!(!gap.is_open_then(day, half_past_two, long_ago));
    assert!(gap.is_open_then(day.succ_opt().unwrap(), half_past_two, long_ago));
    // Samoa skipped the 30th of December 2011.
    let apia = schedule("Pacific/Apia", [&[(9, 17)]; 7], Vec::new());
    let skipped = NaiveDate::from_ymd_opt(2011, 12, 30).unwrap();
    assert!(!apia.is_open_on(skipped, at("2011-01-01T00:00:00Z")));
    assert_eq!(
        shown(apia.opens_at(at("2011-12-30T04:00:00Z"))).as_deref(),
        Some("2011-12-30T19:00:00Z")
    );
}

#[test]
fn the_day_of_a_message_is_that_of_the_zone() {
    for (zone, expected) in [
        ("America/Sao_Paulo", "2026-11-22"),
        ("UTC", "2026-11-23"),
        ("Asia/Kolkata", "2026-11-23"),
        ("Pacific/Kiritimati", "2026-11-23"),
        ("Pacific/Pago_Pago", "2026-11-22"),
    ] {
        let day = schedule(zone, [&[]; 7], Vec::new()).today(at("2026-11-23T01:30:00Z"));
        assert_eq!(day.unwrap().to_string(), expected, "{zone}");
    }
    assert_eq!(UTC.today(Timestamp::from_millis(i64::MAX)), None);
    assert!(!office("UTC").is_open(Timestamp::from_millis(i64::MIN)));
    assert_eq!(
        schedule("UTC", [&[]; 7], Vec::new()).opens_at(at("2026-11-23T01:30:00Z")),
        None
    );
}

#[test]
fn a_day_is_open_while_some_of_its_hours_are_left() {
    let office = office("America/Sao_Paulo");
    let friday = NaiveDate::from_ymd_opt(2026, 11, 27).unwrap();
    assert!(office.is_open_on(friday, at("2026-11-27T20:59:59Z")));
    assert!(!office.is_open_on(friday, at("2026-11-27T21:00:00Z")));
    assert!(!office.is_open_on(
        NaiveDate::from_ymd_opt(2026, 11, 30).unwrap(),
        at("2026-11-27T12:00:00Z")
    ));
    let time = |hour, minute| NaiveTime::from_hms_opt(hour, minute, 0).unwrap();
    let now = at("2026-11-27T13:00:00Z");
    assert!(office.is_open_then(friday, time(11, 59), now));
    assert!(!office.is_open_then(friday, time(12, 30), now));
    assert!(!office.is_open_then(friday, time(9, 30), now));
    assert!(!office.is_open_then(friday, time(18, 0), now));
}
