use serde_json::json;

use super::*;

fn fields() -> BTreeMap<String, Kind> {
    BTreeMap::from([("budget".into(), Kind::Number), ("name".into(), Kind::Text)])
}

fn score(source: &str, data: &Value) -> Option<i32> {
    let score = Score::compile(source, &fields()).unwrap();
    score.evaluate(data.as_object().unwrap(), 7)
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
fn a_score_stays_within_its_column() {
    assert_eq!(
        score("int(budget * 1000.0)", &json!({"budget": 1e12})),
        Some(i32::MAX)
    );
}

#[test]
fn a_score_that_fails_at_run_time_is_none() {
    let source = "budget == 42.25 ? 1 : int(1000000.0 / (budget - 1234.5))";
    let error = Score::compile(source, &fields()).unwrap_err();
    assert!(error.contains("1234.5"), "{error}");
    let source = "int(budget / (budget - 3.25 * 2.0))";
    assert_eq!(score(source, &json!({"budget": 6.5})), None);
    assert_eq!(score(source, &json!({"budget": 13})), Some(2));
    assert_eq!(score(source, &json!({})), None);
    assert_eq!(score(source, &json!({"budget": null})), None);
}

#[test]
fn a_wrong_expression_is_named_with_its_remedy() {
    for (source, expected) in [
        ("budget >", "no CEL expression"),
        (
            "age > 3 ? 1 : 0",
            "`age`, which no step fills before it; known here: `budget`, `name`, `score`",
        ),
        ("budget", "gives a float and no integer"),
        ("budget > 5000", "gives a bool and no integer"),
        ("budget > 5000 ? 1 : 'low'", "gives a string and no integer"),
        ("budget * 2", "Unsupported binary operator"),
        ("name > 3 ? 1 : 0", "fails"),
        ("int(name)", "fails"),
        (
            "frobnicate(budget)",
            "`frobnicate`, which flows do not have",
        ),
        (
            "name.matches('a+') ? 1 : 0",
            "`matches`, which flows do not have",
        ),
        ("[1, 2].all(x, x > 1) ? 1 : 0", "a loop"),
        ("{'a': 1} == {'a': 1} ? 1 : 0", "a loop, a map"),
        ("[1][0]", "`_[_]`, which flows do not have"),
        ("name.first == 'a' ? 1 : 0", "a member"),
        (&format!("{}1", "1 + ".repeat(200)), "801 characters"),
    ] {
        let error = Score::compile(source, &fields()).unwrap_err();
        assert!(error.contains(expected), "{source}: {error}");
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
                let _ = Score::compile(&source, &fields());
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
        assert!(Score::compile(&source, &fields()).is_err(), "{source}");
    }
    // An even number of signs cancels out.
    assert!(Score::compile(&format!("{}1", "-".repeat(498)), &fields()).is_ok());
}

#[test]
fn the_deepest_expression_evaluates_on_a_small_stack() {
    let source = format!("{}1", "score + ".repeat(MAX_DEPTH - 1));
    let deeper = Score::compile(&format!("1 + {source}"), &fields()).unwrap_err();
    assert!(deeper.contains("more than 24 levels"), "{deeper}");
    let evaluate = move || score(&source, &json!({}));
    let thread = std::thread::Builder::new()
        .stack_size(1024 * 1024)
        .spawn(evaluate);
    assert_eq!(thread.unwrap().join().unwrap(), Some(7 * 23 + 1));
}
