//! Settings of numbers, and the texts that show values.

use super::*;

const QUESTION: &str = "expect: number\n    fill: amount";

fn with(settings: &str) -> String {
    format!("expect: {{number: {{{settings}}}}}\n    fill: amount")
}

#[test]
fn what_is_wrong_with_the_settings_of_a_number_is_named_with_its_place() {
    let long = format!("units: [{}]", "x".repeat(31));
    let many = format!("units: [{}]", ["a"; 51].join(", "));
    for (settings, place, reason) in [
        (
            "period: fortnight",
            "10:31",
            "`period` takes one of `none`, `hour`",
        ),
        ("other_periods: often", "10:38", "one of `ask`, `convert`"),
        (
            "period: none, other_periods: convert",
            "10:52",
            "nothing to convert to",
        ),
        (
            "period: hour, other_periods: convert",
            "10:52",
            "nothing to convert to",
        ),
        (
            "currency: reais",
            "10:33",
            "`reais` is no currency that is read here",
        ),
        ("currency: brl", "10:33", "`brl` is no currency"),
        ("currency: [BRL, XXX]", "10:39", "`XXX` is no currency"),
        ("currency: [BRL, USD, BRL]", "10:44", "`BRL` is there twice"),
        ("currency: []", "10:33", "from 1 to 20 codes"),
        (
            "currency: {BRL: 1}",
            "10:33",
            "`currency` takes a text, or a list, and this is a mapping",
        ),
        ("units: []", "10:30", "from 1 to 50 words"),
        ("units: ['20']", "10:31", "`20` is no unit"),
        ("units: ['']", "10:31", "`` is no unit"),
        (&long, "10:31", "up to 30 characters"),
        (&many, "10:30", "from 1 to 50 words"),
        (
            "units: {en: [people]}",
            "10:31",
            "`en` is none of the flow's languages",
        ),
        ("units: people", "10:30", "write a list, as in `[people]`"),
        ("approximate: maybe", "10:36", "`true` or `false`"),
        ("periods: month", "10:23", "periods"),
    ] {
        assert_reason(
            FLOW,
            QUESTION,
            &with(settings),
            &format!("demo.yaml:{place}: "),
            reason,
        );
    }
    for settings in [
        "period: year, other_periods: convert",
        "period: none, units: [people, m²], approximate: false",
        "units: {pt-BR: [pessoas, kWh]}",
        "currency: BRL",
        "currency: any",
        "currency: [USD, any]",
    ] {
        let document = FLOW.replacen(QUESTION, &with(settings), 1);
        let checked = Flow::check("demo.yaml", &document);
        assert!(checked.flow.is_some(), "{settings}: {:?}", checked.findings);
    }
}

#[test]
fn a_currency_is_a_field_where_every_answer_has_one() {
    let reads = |currency: &str| {
        FLOW.replacen(QUESTION, &with(currency), 1).replacen(
            "amount > 10",
            "amount_currency == 'USD'",
            1,
        )
    };
    let loads = |document: &str| Flow::check("demo.yaml", document).flow.is_some();
    assert!(loads(&reads("currency: [BRL, USD]")));
    assert!(loads(&reads("currency: [BRL, any]")));
    assert!(!loads(&reads("currency: any")));
    assert!(!loads(&reads("min: 1")));
    let shows = reads("currency: BRL").replacen("Why {amount}?", "Why {amount_currency}?", 1);
    assert!(loads(&shows));
    // The field is a text, and a name has up to 50 characters.
    let taken = shows.replacen("fill: reason", "fill: amount_currency", 1);
    assert!(loads(&taken.replacen("{reason}", "{amount_currency}", 1)));
    let taken = taken.replacen("expect: text", "expect: number", 1);
    assert_reason(
        &taken,
        "{reason}",
        "{amount_currency}",
        "",
        "is a number in one step and a text in another",
    );
    let long = format!(
        "expect: {{number: {{currency: BRL}}}}\n    fill: {}",
        "a".repeat(45)
    );
    assert_reason(
        FLOW,
        QUESTION,
        &long,
        "demo.yaml:11:11: ",
        "is no name for a field",
    );
}
