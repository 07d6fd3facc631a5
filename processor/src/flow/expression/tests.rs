use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::flow::amount::MAX_AMOUNT;
use crate::flow::field::Kind;

fn fields() -> Fields {
    let certain = [
        (
            "budget",
            Kind::Number {
                least: 0.0,
                most: MAX_AMOUNT,
            },
        ),
        (
            "people",
            Kind::Number {
                least: 1.0,
                most: 500.0,
            },
        ),
        ("name", Kind::Text { most: 1_000 }),
        ("bill", Kind::Media),
        ("where_to", Kind::Place),
    ];
    let unsure = [
        (
            "visits".to_owned(),
            Kind::Number {
                least: 0.0,
                most: MAX_AMOUNT,
            },
        ),
        ("email".to_owned(), Kind::Text { most: 254 }),
    ];
    let mut fields = Fields::possible_only(&Arc::new(unsure.into()));
    for (name, kind) in certain {
        fields.insert(name.to_owned(), kind);
    }
    fields
}

fn score(source: &str, data: &Value) -> Option<i32> {
    let score = Expression::score(source, &fields()).unwrap();
    score.points(data.as_object().unwrap(), 7, false)
}

#[test]
fn whole_and_decimal_amounts_compare_alike() {
    let source = "budget > 5000 ? 100 : 50";
    for (budget, expected) in [
        (json!(5000), 50),
        (json!(5001), 100),
        (json!(5000.5), 100),
        (json!(0), 50),
    ] {
        assert_eq!(
            score(source, &json!({ "budget": budget })),
            Some(expected),
            "{budget}"
        );
    }
}

#[test]
fn texts_lists_and_the_score_so_far_can_be_read() {
    let source = "score + (name in [\"Ann\", \"Bob\"] && budget == 1 ? 10 : size(name))";
    assert_eq!(
        score(source, &json!({"budget": 1, "name": "Bob"})),
        Some(17)
    );
    assert_eq!(
        score(source, &json!({"budget": 2, "name": "Bob"})),
        Some(10)
    );
}

#[test]
fn a_condition_holds_or_not_and_what_cannot_be_told_does_not() {
    let large =
        Expression::condition("people >= 50.0 && !name.startsWith('x')", &fields()).unwrap();
    let holds = |data: &Value| large.holds(data.as_object().unwrap(), 0, false);
    assert!(holds(&json!({"people": 50, "name": "Ann"})));
    assert!(!holds(&json!({"people": 49.5, "name": "Ann"})));
    assert!(!holds(&json!({"people": 50})));
    assert!(!holds(&json!({"people": "50", "name": true})));
}

#[test]
fn a_score_stays_within_its_column() {
    assert_eq!(
        score("int(budget * 1000.0)", &json!({"budget": 1e14})),
        Some(i32::MAX)
    );
}

#[test]
fn a_field_without_a_value_gives_no_score() {
    let source = "int(budget / 2.0)";
    assert_eq!(score(source, &json!({"budget": 13})), Some(6));
    assert_eq!(score(source, &json!({})), None);
    assert_eq!(score(source, &json!({"budget": null})), None);
}

#[test]
fn a_wrong_expression_is_named_with_its_remedy() {
    for (source, expected) in [
        ("budget >", "no CEL expression"),
        (
            "age > 3 ? 1 : 0",
            "`age`, which not every way to this step fills; known here: `bill`, `budget`, `name`, `people`, `where_to`, `score`",
        ),
        (
            "where_to == 'x' ? 1 : 0",
            "a location, which expressions cannot",
        ),
        ("bill == 'x' ? 1 : 0", "a file, which expressions cannot"),
        ("budget", "put int(…) around it"),
        ("budget > 5000", "gives true or false and no integer"),
        (
            "budget > 5000 ? 1 : 'low'",
            "a whole number in one case and a text in the other",
        ),
        ("budget * 2", "write constants beside them as 2.0"),
        (
            "name > 3 ? 1 : 0",
            "applies `>` to a text and a whole number",
        ),
        (
            "name == 3 ? 1 : 0",
            "applies `==` to a text and a whole number",
        ),
        ("name < 'b' ? 1 : 0", "applies `<` to a text and a text"),
        ("budget ? 1 : 0", "applies `?:` to"),
        ("int(name)", "applies `int` to a text"),
        ("int(1.0 / budget)", "could divide by zero"),
        ("7 / (score - score)", "could divide by zero"),
        (
            "score * score * score",
            "could pass the limits of whole numbers",
        ),
        ("int(budget * budget)", "beyond their limits"),
        ("int(1e300 * 10.0)", "could pass the limits of numbers"),
        (
            "frobnicate(budget)",
            "`frobnicate`, which flows do not have",
        ),
        (
            "name.matches('a+') ? 1 : 0",
            "`matches`, which flows do not have",
        ),
        ("score % 2", "which flows do not have"),
        ("[1, 2].all(x, x > 1) ? 1 : 0", "a loop"),
        ("{'a': 1} == {'a': 1} ? 1 : 0", "a loop, a map"),
        ("[1][0]", "`_[_]`, which flows do not have"),
        ("name.first == 'a' ? 1 : 0", "a member"),
        ("1u > 0u ? 1 : 0", "an unsigned number"),
        ("null == null ? 1 : 0", "null"),
        (&format!("{}1", "1 + ".repeat(200)), "801 characters"),
    ] {
        let error = Expression::score(source, &fields()).unwrap_err();
        assert!(error.contains(expected), "{source}: {error}");
    }
    let error = Expression::condition("budget + 1.0", &fields()).unwrap_err();
    assert!(error.contains("not true or false"), "{error}");
}

#[test]
fn a_field_that_may_have_no_value_is_read_where_has_proves_one() {
    for (source, without, with) in [
        ("has(email) ? 1 : 0", 0, 1),
        ("has(email) ? size(email) : 100", 100, 3),
        ("!has(email) ? 100 : size(email)", 100, 3),
        ("has(email) && email == 'a@b' ? 1 : 0", 0, 1),
        ("!has(email) || email == 'x' ? 1 : 0", 1, 0),
        (
            "has(email) && has(visits) ? size(email) + int(visits) : 0",
            0,
            10,
        ),
        ("!(has(email) && has(visits)) ? 0 : int(visits)", 0, 7),
        ("!has(email) || !has(visits) ? 0 : size(email)", 0, 3),
        (
            "(has(email) ? size(email) : 0) + (has(visits) ? int(visits) : 0)",
            0,
            10,
        ),
        ("has(name) ? size(name) : 9", 3, 3),
    ] {
        let data = json!({"name": "Ann"});
        assert_eq!(score(source, &data), Some(without), "{source}");
        let data = json!({"name": "Ann", "email": "a@b", "visits": 7});
        assert_eq!(score(source, &data), Some(with), "{source}");
    }
    // A field that every way fills may have no value all the same, as one of a referral.
    let guarded = "has(name) && name == 'Ann' ? 1 : 0";
    assert_eq!(score(guarded, &json!({"name": "Ann"})), Some(1));
    assert_eq!(score(guarded, &json!({})), Some(0));
    for (source, expected) in [
        ("size(email)", "ask for it first, as in `has(email) && …`"),
        (
            "has(email) ? 1 : size(email)",
            "`email`, which not every way",
        ),
        (
            "!has(email) ? size(email) : 0",
            "`email`, which not every way",
        ),
        (
            "email == '' && has(email) ? 1 : 0",
            "`email`, which not every way",
        ),
        (
            "has(email) || email == '' ? 1 : 0",
            "`email`, which not every way",
        ),
        (
            "has(visits) ? size(email) : 0",
            "`email`, which not every way",
        ),
        (
            "has(email) || has(visits) ? size(email) : 0",
            "`email`, which not every way",
        ),
        (
            "has(email) == true ? size(email) : 0",
            "`email`, which not every way",
        ),
        ("has(age) ? 1 : 0", "asks for `age`, which no step fills"),
        ("has('email') ? 1 : 0", "`has` takes the name of a field"),
        ("has(email, visits) ? 1 : 0", "`email`, which not every way"),
        ("has(email)", "gives true or false and no integer"),
    ] {
        let error = Expression::score(source, &fields()).unwrap_err();
        assert!(error.contains(expected), "{source}: {error}");
    }
}

#[test]
fn a_condition_proves_which_fields_have_a_value() {
    for (source, if_true, if_false) in [
        ("has(a)", vec!["a"], vec![]),
        ("!has(a)", vec![], vec!["a"]),
        ("has(a) && b > 1", vec!["a"], vec![]),
        ("has(a) && has(b)", vec!["a", "b"], vec![]),
        ("!has(a) || !has(b)", vec![], vec!["a", "b"]),
        ("has(a) || has(b)", vec![], vec![]),
        ("has(a) && has(b) || has(b)", vec!["b"], vec![]),
        ("has(a) ? true : false", vec![], vec![]),
        ("a > 1", vec![], vec![]),
        ("has(a) &&", vec![], vec![]),
    ] {
        let presence = Presence::by(source);
        assert_eq!(
            (presence.if_true, presence.if_false),
            (
                if_true.into_iter().map(String::from).collect(),
                if_false.into_iter().map(String::from).collect(),
            ),
            "{source}"
        );
    }
}

#[test]
fn hostile_nesting_is_refused_and_overflows_no_stack() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("size(", ")"),
        ("!(", ")"),
        ("-(", ")"),
        ("1+(", ")"),
        ("{1:", "}"),
    ] {
        for times in [12, 60, 500 / (open.len() + close.len()), 500 / open.len()] {
            for source in [
                format!("{}1{}", open.repeat(times), close.repeat(times)),
                open.repeat(times),
            ] {
                let _ = Expression::score(&source, &fields());
            }
        }
    }
    for link in [
        "1+",
        "1 in ",
        "1<",
        "1?1:",
        "1?",
        "true&&",
        "a.",
        "a[",
        "[1].map(x,",
    ] {
        let source = format!("{}1", link.repeat(499 / link.len()));
        assert!(Expression::score(&source, &fields()).is_err(), "{source}");
    }
    // An even number of signs cancels out.
    assert!(Expression::score(&format!("{}1", "-".repeat(498)), &fields()).is_ok());
}

#[test]
fn the_deepest_expression_evaluates_on_a_small_stack() {
    let source = format!("{}1", "score + ".repeat(MAX_DEPTH - 1));
    let deeper = Expression::score(&format!("1 + {source}"), &fields()).unwrap_err();
    assert!(deeper.contains("more than 24 levels"), "{deeper}");
    let evaluate = move || score(&source, &json!({}));
    let thread = std::thread::Builder::new()
        .stack_size(1024 * 1024)
        .spawn(evaluate);
    assert_eq!(thread.unwrap().join().unwrap(), Some(7 * 23 + 1));
}

/// Expressions of every form, sound or not.
fn any_expression() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "budget",
        "people",
        "name",
        "score",
        "1",
        "0",
        "2.5",
        "0.0",
        "'a'",
        "''",
        "true",
        "[1, 2]",
        "['a', name]",
        "[]",
        "9000000000000000000",
        "1e299",
        "where_to",
        "bill",
        "age",
        "visits",
        "email",
        "has(visits)",
        "has(visits)",
        "has(email)",
        "!has(email)",
        "has(name)",
    ])
    .prop_map(ToOwned::to_owned);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        let signs = prop::sample::select(vec![
            "+", "-", "*", "/", "==", "!=", "<", "<=", ">", ">=", "&&", "||", "in", "%",
        ]);
        let calls = prop::sample::select(vec!["int", "double", "string", "size", "-", "!"]);
        prop_oneof![
            4 => (two.clone(), signs).prop_map(|((a, b), sign)| format!("({a} {sign} {b})")),
            2 => (calls, inner.clone()).prop_map(|(call, a)| format!("{call}({a})")),
            1 => (two.clone(), prop::sample::select(vec!["contains", "startsWith", "endsWith"]))
                .prop_map(|((a, b), call)| format!("{a}.{call}({b})")),
            2 => (inner, two).prop_map(|(c, (a, b))| format!("({c} ? {a} : {b})")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The types and bounds are right: what was accepted has a value for every answer.
    #[test]
    fn an_accepted_expression_never_fails(
        source in any_expression(),
        budget in prop_oneof![Just(0.0), Just(1e15), 0.0..1e15, Just(0.5)],
        people in 1.0..=500.0_f64,
        name in "(?s).{0,20}",
        points in prop_oneof![any::<i32>(), Just(i32::MIN), Just(i32::MAX)],
        visits in prop::option::of(0.0..1e15),
        email in prop::option::of("[a-z]{0,5}"),
    ) {
        let mut data = json!({"budget": budget, "people": people, "name": name});
        let data = data.as_object_mut().unwrap();
        data.extend(visits.map(|visits| ("visits".into(), json!(visits))));
        data.extend(email.map(|email| ("email".into(), json!(email))));
        let data = &*data;
        if let Ok(score) = Expression::score(&source, &fields()) {
            prop_assert!(score.points(data, points, false).is_some(), "{} of {:?}", source, data);
        }
        if let Ok(condition) = Expression::condition(&source, &fields()) {
            let value = condition.evaluate(data, points, false);
            prop_assert!(matches!(value, Some(cel::Value::Bool(_))), "{}: {:?}", source, value);
        }
    }
}

#[test]
fn the_guide_has_every_operator_and_function() {
    let guide = include_str!("../../../../docs/reference/flow-language.md");
    let (_, table) = guide.split_once("## CEL: operators and functions").unwrap();
    let (table, _) = table.split_once("\n\nAn expression has").unwrap();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let first = rows.filter_map(|row| {
        row.replace("&#124;", "!")
            .split('|')
            .nth(1)
            .map(str::to_owned)
    });
    let first: String = first.collect();
    let called = |text: &str| -> std::collections::BTreeSet<String> {
        let before = text.match_indices('(').map(|(at, _)| &text[..at]);
        let name = |before: &str| {
            let name = before.rsplit(|c: char| !c.is_alphanumeric()).next();
            name.unwrap_or_default().to_owned()
        };
        before.map(name).filter(|name| !name.is_empty()).collect()
    };
    let known = types::FUNCTIONS.map(str::to_owned);
    assert_eq!(
        called(&first),
        std::collections::BTreeSet::from(known),
        "{first}"
    );
    // Each operator of the guide works, and what the guide says to be missing is refused.
    for (sign, source) in [
        ("?", "budget > 1 ? true : false"),
        ("&&", "true && false"),
        ("!!", "true || false"),
        ("!a", "!true"),
        ("==", "name == 'a'"),
        ("!=", "name != 'a'"),
        ("< b", "budget < 1"),
        ("<=", "budget <= 1"),
        ("> b", "budget > 1"),
        (">=", "budget >= 1"),
        ("in list", "name in ['a']"),
        ("a + b", "budget + 1.0 > 2.0"),
        ("a - b", "budget - 1.0 > 2.0"),
        ("a * b", "budget * 1.0 > 2.0"),
        ("a / b", "budget / 2.0 > 2.0"),
        ("-a", "-budget < 0.0"),
    ] {
        assert!(first.contains(sign), "the guide has no `{sign}`: {first}");
        Expression::condition(source, &fields()).unwrap();
    }
    for source in [
        "5 % 2 == 1",
        "[1, 2][0] == 1",
        "name.matches('a')",
        "[1].all(x, x > 0)",
        "name.size == 1",
        "{'a': 1} == {'a': 1}",
        "name == null",
        "b'a' == b'a'",
        "1u == 1u",
        "type(name) == string",
        "timestamp(name) == timestamp(name)",
        "duration('1s') == duration('1s')",
        "bool('true')",
        "uint(1) == 1u",
        "dyn(name) == 'a'",
        "max(1, 2) == 2",
    ] {
        assert!(
            Expression::condition(source, &fields()).is_err(),
            "{source} is in no guide"
        );
    }
}
