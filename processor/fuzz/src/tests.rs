//! Tests the seeds and hostile documents. Each takes seconds at most, and all fit in the memory of one
//! process.

use std::path::Path;
use std::time::{Duration, Instant};

use leadstream_processor::flow::Flow;

use super::{document, expression};

/// The bound of an unoptimized build on a busy machine; a fuzzer has 10 s.
const WITHIN: Duration = Duration::from_secs(60);
const MOST_BYTES: u64 = 768 << 20;

const HEAD: &str = "name: hostile\nversion: 1\nlanguage: en\nstart: A\n";
const TAIL: &str = "steps:\n  A:\n    prompt: Done.\n    completes: true\n";

fn timed(what: &str, check: impl FnOnce()) {
    let began = Instant::now();
    check();
    let took = began.elapsed();
    assert!(took < WITHIN, "{what} took {took:?}");
}

/// Returns the peak memory of this process.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.unwrap().trim().trim_end_matches(" kB");
    kilobytes.parse::<u64>().unwrap() << 10
}

/// Checks that a document is refused, with the reason.
fn refused(what: &str, text: &str) -> String {
    let mut reason = String::new();
    timed(what, || {
        document(text.as_bytes());
        let error = Flow::parse("hostile.yaml", text).expect_err(what);
        reason = error.to_string();
    });
    assert!(reason.len() < 1000, "{what} has a long reason: {reason}");
    reason
}

#[test]
fn the_flows_that_ship_hold_what_must_hold_of_every_document() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../flows");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read(file.unwrap().path()).unwrap();
        for end in [text.len(), text.len() / 2, text.len() / 3] {
            document(&text[..end]);
        }
        count += 1;
    }
    assert!(count > 2);
}

#[test]
fn the_seeds_hold_what_must_hold_of_every_expression() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds/expression");
    let mut count = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        expression(&std::fs::read(file.unwrap().path()).unwrap());
        count += 1;
    }
    assert!(count > 5);
}

#[test]
fn hostile_documents_are_refused_in_time() {
    let bomb = (1..40).fold("a0: &a0 [x, x]\n".to_owned(), |text, n| {
        text + &format!("a{n}: &a{n} [*a{}, *a{}]\n", n - 1, n - 1)
    });
    let steps = |count: usize, step: &dyn Fn(usize) -> String| {
        let steps: String = (0..count).map(step).collect();
        format!("{HEAD}steps:\n{steps}")
    };
    let plain = |n: usize| format!("  S{n}:\n    prompt: Hm.\n    completes: true\n");
    let scored = |n: usize| {
        let cases = "      - when: \"score > 1\"\n        to: A\n".repeat(19);
        format!("  S{n}:\n    prompt: Hm.\n    expect: text\n    next:\n{cases}      - to: A\n")
    };
    for (what, text) in [
        ("aliases that multiply", format!("{HEAD}{bomb}{TAIL}")),
        (
            "an anchor",
            format!("{HEAD}messages: &m\n  nudge: Hi\n{TAIL}"),
        ),
        (
            "a merge of itself",
            format!("{HEAD}messages: &m\n  <<: *m\n{TAIL}"),
        ),
        ("open brackets", "[".repeat(200_000)),
        ("open braces", "{a: ".repeat(60_000)),
        ("open lists", "- ".repeat(120_000)),
        (
            "deep maps",
            (0..500).map(|n| format!("{}a:\n", " ".repeat(n))).collect(),
        ),
        (
            "a huge version",
            format!("{HEAD}{TAIL}")
                .replace("version: 1", &format!("version: {}", "9".repeat(100_000))),
        ),
        (
            "a version beyond doubles",
            format!("{HEAD}{TAIL}").replace("version: 1", "version: 1e999999999"),
        ),
        (
            "a version not a number",
            format!("{HEAD}{TAIL}").replace("version: 1", "version: .nan"),
        ),
        (
            "a huge timer",
            format!("{HEAD}timers:\n  cold: {}d\n{TAIL}", "9".repeat(50_000)),
        ),
        (
            "a timer that overflows",
            format!("{HEAD}timers:\n  cold: 18446744073709551615d\n{TAIL}"),
        ),
        ("too long", format!("{HEAD}{TAIL}#{}", "x".repeat(300_000))),
        (
            "many nodes",
            format!("{HEAD}x: [{}]\n{TAIL}", "1,".repeat(100_000)),
        ),
        ("many steps", steps(2_000, &plain)),
        ("many expressions", steps(190, &scored)),
        (
            "many keywords",
            format!(
                "{HEAD}keywords:\n  restart: [{}]\n{TAIL}",
                (0..9_000).map(|n| format!("k{n},")).collect::<String>()
            ),
        ),
        (
            "many languages",
            format!("{HEAD}{TAIL}").replace(
                "language: en",
                &format!("language: [{}]", "en, ".repeat(5_000)),
            ),
        ),
        ("many documents", format!("{HEAD}{TAIL}---\n").repeat(2_000)),
        (
            "a long name",
            format!("{HEAD}{TAIL}").replace("hostile", &"n".repeat(200_000)),
        ),
        (
            "a long text",
            format!("{HEAD}{TAIL}").replace("Done.", &"d".repeat(200_000)),
        ),
        (
            "many placeholders",
            format!("{HEAD}{TAIL}").replace("Done.", &"{name}".repeat(30_000)),
        ),
        (
            "open placeholders",
            format!("{HEAD}{TAIL}").replace("Done.", &format!("\"{}\"", "{".repeat(100_001))),
        ),
        (
            "an unknown tag",
            format!("{HEAD}messages: !!binary aGk=\n{TAIL}"),
        ),
        ("a NUL", format!("{HEAD}{TAIL}").replace("Done.", "Do\0ne.")),
        (
            "the same key again and again",
            format!("{HEAD}{TAIL}{}", "name: a\n".repeat(9_000)),
        ),
        ("nothing", String::new()),
    ] {
        let reason = refused(what, &text);
        assert!(reason.starts_with("hostile.yaml:"), "{what}: {reason}");
    }
    assert!(
        peak_bytes() < MOST_BYTES,
        "it took {} MiB",
        peak_bytes() >> 20
    );
}

#[test]
fn hostile_patterns_are_refused_or_matched_in_time() {
    let ask = |pattern: &str| {
        let pattern = serde_json::Value::from(pattern);
        format!(
            "{HEAD}steps:\n  A:\n    prompt: Hm?\n    expect:\n      text: {{pattern: {pattern}}}\n    next: B\n  B:\n    prompt: Done.\n    completes: true\n"
        )
    };
    for (what, pattern) in [
        (
            "repeats of repeats",
            "(((a{999}){999}){999}){999}".to_owned(),
        ),
        ("every letter, often", r"(\p{L}|\p{N}){1,900}".to_owned()),
        ("too long", "a|".repeat(400)),
        ("deep", format!("{}a{}", "(".repeat(240), ")".repeat(240))),
    ] {
        refused(what, &ask(&pattern));
    }
    for (what, pattern) in [
        ("stars of stars", "^((a*)*)*b$".to_owned()),
        (
            "wide alternatives",
            (0..120).map(|n| format!("{n}|")).collect::<String>() + "x",
        ),
    ] {
        timed(what, || {
            document(ask(&pattern).as_bytes());
            Flow::parse("hostile.yaml", &ask(&pattern)).expect(what);
        });
    }
}

#[test]
fn hostile_expressions_are_refused_or_evaluated_in_time() {
    let sources = [
        "(".repeat(500),
        format!("{}1{}", "(".repeat(249), ")".repeat(249)),
        "-".repeat(499) + "1",
        "!".repeat(495) + "true",
        "[".repeat(500),
        format!("{}1{}", "[".repeat(240), "]".repeat(240)),
        "1+".repeat(249) + "1",
        "1?".repeat(250),
        "true?1:".repeat(70) + "1",
        "a.".repeat(249) + "a",
        "a[".repeat(240),
        "size(".repeat(99) + "name",
        "name+".repeat(99) + "name",
        format!("size({}name)", "name+name+".repeat(45)),
        format!("count in [{}1]", "1,".repeat(240)),
        "9".repeat(500),
        format!("1e{}", "9".repeat(400)),
        "9223372036854775807+9223372036854775807".to_owned(),
        "-9223372036854775808/-1".to_owned(),
        "1/0".to_owned(),
        "int(1e308*10.0)".to_owned(),
        "\"".repeat(500),
        format!("'{}'", "\\u0000".repeat(80)),
        "name.matches('(a*)*b')".to_owned(),
        "[1,2].all(x, x > 0)".to_owned(),
        "[0,1,2,3,4,5,6,7,8,9].map(a,[0,1,2,3,4,5,6,7,8,9].map(b,a*b))".to_owned(),
        "{'a': 1}.a".to_owned(),
        "🦀".repeat(500),
        "\u{0}".repeat(500),
        "x".repeat(100_000),
    ];
    for source in sources {
        timed(&source, || expression(source.as_bytes()));
    }
    assert!(
        peak_bytes() < MOST_BYTES,
        "it took {} MiB",
        peak_bytes() >> 20
    );
}
