//! Images and link buttons of prompts.

use super::*;

const SHOWN: &str = r#"name: roofs
version: 1
language: [en, pt]
start: HELLO
steps:
  HELLO:
    prompt: {en: Hello, pt: Olá}
    image: https://example.com/roof.jpg
    next: NAME
  NAME:
    prompt: {en: Your name?, pt: Seu nome?}
    expect: text
    fill: name
    next: ROOF
  ROOF:
    prompt: {en: Your roof?, pt: Seu telhado?}
    image: {en: "https://example.com/en.png", pt: "https://example.com/pt.png"}
    expect:
      choice:
        options:
          - {value: flat, title: {en: Flat, pt: Plano}}
          - {value: steep, title: {en: Steep, pt: Inclinado}}
    fill: roof
    next: TIME
  TIME:
    prompt: {en: Choose a time., pt: Escolha um horário.}
    link:
      title: {en: Calendar, pt: Agenda}
      url: "https://cal.example/new?name={name}&roof={roof}"
    completes: true
"#;

#[test]
fn what_cannot_be_shown_beside_a_prompt_is_named_with_its_remedy() {
    let loaded = Flow::check("roofs.yaml", SHOWN);
    assert_eq!((loaded.flow.is_some(), loaded.findings), (true, Vec::new()));
    let roof = "https://example.com/roof.jpg";
    let long = format!("https://example.com/{}", "a".repeat(2_000));
    let cases = [
        (
            roof,
            "http://example.com/roof.jpg",
            "8:12",
            "no address that WhatsApp opens",
        ),
        (roof, "roof.jpg", "8:12", "no address that WhatsApp opens"),
        (
            roof,
            "https://ann:secret@example.com/",
            "8:12",
            "no address",
        ),
        (
            roof,
            "https://example.com/my roof.jpg",
            "8:12",
            "percent-encoded",
        ),
        (
            roof,
            "https://example.com/telhadão.jpg",
            "8:12",
            "percent-encoded",
        ),
        (roof, long.as_str(), "8:12", "up to 2000 characters"),
        (
            roof,
            "https://example.com/roof.webp",
            "8:12",
            "JPEG or PNG only, and this is `.webp`",
        ),
        (
            roof,
            "https://example.com/Roof.GIF?size=2",
            "8:12",
            "JPEG or PNG only, and this is `.gif`",
        ),
        (
            "pt: \"https://example.com/pt.png\"",
            "pt: \"https://example.com/pt.avif\"",
            "17:12",
            "JPEG or PNG only, and this is `.avif`",
        ),
        (
            "\"https://example.com/en.png\"",
            "\"https://example.com/?n={name}\"",
            "17:12",
            "the same for every lead",
        ),
        (
            ", pt: \"https://example.com/pt.png\"",
            "",
            "17:12",
            "`pt` is missing",
        ),
        (
            "    prompt: {en: Hello, pt: Olá}\n",
            "",
            "7:12",
            "the image stands beside a text; add a `prompt`",
        ),
        (
            "    prompt: {en: Choose a time., pt: Escolha um horário.}\n",
            "",
            "",
            "the link stands beside a text",
        ),
        (
            "{en: Calendar,",
            "{en: A title that is too long,",
            "",
            "up to 20 characters",
        ),
        (
            "?name={name}&",
            "{name}?",
            "",
            "after the `?` of an address",
        ),
        (
            "https://cal",
            "https://{name}.cal",
            "",
            "after the `?` of an address",
        ),
        ("roof={roof}", "roof={color}", "", "fills `color`"),
        (
            "      title: {en: Calendar, pt: Agenda}\n",
            "",
            "",
            "has no `title`; add it",
        ),
        // What shares a message.
        (
            "    fill: name\n    next: ROOF\n",
            "    fill: name\n    next: MORE\n  MORE:\n    prompt: {en: Look, pt: Veja}\n    image: https://example.com/a.png\n    next: ROOF\n",
            "",
            "`ROOF` shows several images in one message",
        ),
        (
            "    fill: roof\n    next: TIME\n",
            "    fill: roof\n    next: MORE\n  MORE:\n    prompt: {en: Look, pt: Veja}\n    link: {title: {en: A, pt: A}, url: https://example.com}\n    next: TIME\n",
            "",
            "`TIME` shows several links in one message",
        ),
        (
            "    image: {en",
            "    link: {title: {en: A, pt: A}, url: https://example.com}\n    image: {en",
            "",
            "`ROOF` asks by buttons, a list or a form, and WhatsApp shows no link button",
        ),
        (
            "        options:\n",
            "        button: {en: Choose, pt: Escolher}\n        options:\n          - {value: a, title: {en: A, pt: A}}\n          - {value: b, title: {en: B, pt: B}}\n",
            "",
            "`ROOF` asks by a list, and WhatsApp shows no image above one",
        ),
    ];
    for (from, to, place, reason) in cases {
        assert_reason(SHOWN, from, to, &format!("demo.yaml:{place}"), reason);
    }
}

#[test]
fn a_wrong_address_brings_no_other_error() {
    for wrong in ["http://example.com/roof.jpg", "roof.jpg"] {
        let text = SHOWN.replacen("https://example.com/roof.jpg", wrong, 1);
        let findings = Flow::check("roofs.yaml", &text).findings;
        assert_eq!(findings.len(), 1, "{findings:#?}");
    }
}

#[test]
fn a_text_beside_an_image_or_link_is_shorter() {
    let fits = |length: usize, more: &str| {
        let words = "a".repeat(length);
        let flow = format!(
            "name: demo\nversion: 1\nlanguage: en\nstart: A\nsteps:\n  A:\n    prompt: {words}\n{more}"
        );
        Flow::parse("demo.yaml", &flow).is_ok()
    };
    let end = "    completes: true\n";
    let image = "    image: https://example.com/a.png\n";
    let link = "    link: {title: Look, url: https://example.com}\n";
    // The next step's text is in the same message.
    let onward = format!("{image}    next: B\n  B:\n    prompt: bb\n{end}");
    for (most, more) in [
        (4_096, end.to_owned()),
        (1_024, format!("{image}{end}")),
        (1_024, format!("{link}{end}")),
        (1_020, onward),
    ] {
        assert!(fits(most, &more) && !fits(most + 1, &more), "{more}");
    }
}

#[test]
fn an_image_of_another_format_is_refused_by_a_check_and_loads_where_it_is_published() {
    let at = |path: &str| SHOWN.replace("https://example.com/roof.jpg", path);
    for path in [
        "https://example.com/roof.JPEG",
        "https://example.com/roof.png?format=webp",
        "https://example.com/image.php",
        "https://example.com/a.webp/roof",
    ] {
        assert!(
            Flow::check("roofs.yaml", &at(path)).flow.is_some(),
            "{path}"
        );
    }
    let published = at("https://example.com/roof.webp");
    assert!(Flow::check("roofs.yaml", &published).flow.is_none());
    assert!(Flow::parse("roofs.yaml", &published).is_ok());
}
