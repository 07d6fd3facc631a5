mod opt_out;

use leadstream_schemas::input::MediaType;
use leadstream_schemas::{Content, Timestamp};

use super::*;
use crate::flow::{DEFAULT_FLOW, HUMAN_HANDOFF, OPTED_OUT, step};

const CONSULTATION: &str = include_str!("../../../flows/consultation.yaml");

/// The default flow, with any text as the name.
fn default_flow() -> Flow {
    let document = DEFAULT_FLOW.replace("expect: name", "expect: text");
    Flow::parse("qualification.yaml", &document).unwrap()
}

fn consultation() -> Flow {
    Flow::parse("consultation.yaml", CONSULTATION).unwrap()
}

fn text(body: &str) -> TurnInput {
    TurnInput::from(&Content::Text { body: body.into() })
}

fn button(id: Option<&str>, title: &str) -> TurnInput {
    TurnInput::from(&Content::Choice {
        id: id.map(ToOwned::to_owned),
        title: title.into(),
        description: None,
    })
}

fn captioned(caption: &str) -> TurnInput {
    TurnInput::from(&Content::Media {
        media: MediaType::Image,
        id: None,
        url: None,
        mime_type: None,
        sha256: None,
        caption: Some(caption.into()),
        filename: None,
        size: None,
    })
}

/// The conversation after `said`, ten seconds apart.
fn after(flow: &Flow, said: &[TurnInput]) -> Conversation {
    let mut conversation = Conversation::start(flow);
    for (answer, at) in said.iter().zip((1_800_000_000..).step_by(10)) {
        conversation = step(flow, &conversation, Timestamp::from_secs(at), answer).conversation;
    }
    conversation
}

/// The state of a lead of the default flow that answers the question for its name.
fn named(answer: TurnInput) -> String {
    after(&default_flow(), &[text("Hi"), answer]).state
}

/// `word` as people and their phones decorate it.
fn decorated(word: &str) -> Vec<String> {
    let upper = word.to_uppercase();
    let title: String = word
        .chars()
        .take(1)
        .flat_map(char::to_uppercase)
        .chain(word.chars().skip(1))
        .collect();
    let around = [
        ("", ""),
        ("", "."),
        ("", "!"),
        ("", "!!!"),
        ("", " !"),
        ("", "…"),
        ("", "?!"),
        ("¡", "!"),
        ("¿", "?"),
        ("\n", "\r\n"),
        ("*", "*"),
        ("_", "_"),
        ("~", "~"),
        ("`", "`"),
        ("```", "```"),
        ("*_~", "~_*"),
        ("\"", "\""),
        ("'", "'"),
        ("“", "”"),
        ("„", "“"),
        ("‘", "’"),
        ("«", "»"),
        ("« ", " »"),
        ("「", "」"),
        ("ʼ", "ʼ"),
        ("(", ")"),
        ("[", "]"),
        ("<", ">"),
        ("#", ""),
        ("- ", ""),
        ("> ", ""),
        ("...", "..."),
        ("", " 🛑"),
        ("🛑", "🛑"),
        ("✋🏽 ", ""),
        ("", " 🙅🏿\u{200d}♀\u{fe0f}"),
        ("", " 👨\u{200d}👩\u{200d}👧"),
        (
            "🇪🇸 ",
            " 🏴\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
        ),
        ("", " ☹\u{fe0f}"),
        ("", " ❤\u{fe0e}"),
        ("ℹ\u{fe0f} ", " 🅿\u{fe0f}"),
        ("", " 1\u{fe0f}\u{20e3}"),
        ("Ⓜ\u{fe0f}", "™"),
        ("", " :)"),
        ("\u{200b}", "\u{200b}"),
        ("\u{feff}", "\u{2060}"),
        ("\u{202a}", "\u{202c}"),
        ("\u{2066}", "\u{2069}"),
        ("\u{200f}", "\u{61c}"),
        ("\u{a0}", "\u{3000}"),
        ("\u{3164}", "\u{2800}"),
        ("\u{ad}", "\u{34f}"),
        ("", "。"),
        ("", "؟"),
        ("", "।"),
    ];
    let mut texts: Vec<String> = around
        .iter()
        .flat_map(|(before, after)| {
            [word, &upper, &title].map(|word| format!("{before}{word}{after}"))
        })
        .collect();
    for between in [".", " ", "-", "\u{200d}", "\u{ad}", "*", "\u{301}", "!!"] {
        let letters: Vec<String> = upper.chars().map(String::from).collect();
        texts.push(letters.join(between));
    }
    texts.push(upper.nfd().collect());
    texts.push(word.nfc().collect());
    let wide = |c: char| char::from_u32(u32::from(c) + 0xfee0).filter(|_| c.is_ascii_graphic());
    texts.push(upper.chars().map(|c| wide(c).unwrap_or(c)).collect());
    texts
}

#[test]
fn a_keyword_is_the_whole_message_whatever_decorates_it() {
    for (word, state) in [
        ("stop", OPTED_OUT),
        ("unsubscribe", OPTED_OUT),
        ("opt out", OPTED_OUT),
        ("human", HUMAN_HANDOFF),
    ] {
        for said in decorated(word) {
            assert_eq!(named(text(&said)), state, "{said:?}");
            assert_eq!(named(captioned(&said)), state, "caption {said:?}");
            assert_eq!(named(button(None, &said)), state, "title {said:?}");
            assert_eq!(named(button(Some(&said), "Tap")), state, "id {said:?}");
        }
    }
    for said in decorated("restart") {
        let restarted = after(&default_flow(), &[text("Hi"), text("Ann"), text(&said)]);
        assert_eq!(restarted.state, "AWAITING_NAME", "{said:?}");
        assert!(restarted.data.is_empty(), "{said:?}");
    }
    for said in decorated("start") {
        let back = after(&default_flow(), &[text("Hi"), text("Stop."), text(&said)]);
        assert_eq!(back.state, "AWAITING_NAME", "{said:?}");
    }
    for said in decorated("consulta") {
        assert_eq!(
            consultation().fits(None, "", &text(&said)),
            Some(2),
            "{said:?}"
        );
    }
}

#[test]
fn words_of_a_keyword_may_be_joined_or_parted_otherwise() {
    for said in [
        "opt-out",
        "OptOut",
        "OPT_OUT",
        "opt\nout",
        "opt 🛑 out",
        "O.P.T. O.U.T",
        "stop-it",
        "STOPALL",
        "st\u{200d}op",
        "s\u{ad}top",
        "Stop, stop!",
        "don’t text me",
        "dont text me",
    ] {
        assert_eq!(named(text(said)), OPTED_OUT, "{said:?}");
    }
}

#[test]
fn letters_of_other_styles_are_the_same_letters() {
    for said in [
        "𝐒𝐓𝐎𝐏",
        "𝓼𝓽𝓸𝓹",
        "ⓢⓣⓞⓟ",
        "🅂🅃🄾🄿",
        "ＳＴＯＰ！",
        "ſtop",
        "S\u{336}T\u{336}O\u{336}P",
        "unsubſcrıbe",
        "UNSUBSCRİBE",
    ] {
        assert_eq!(named(text(said)), OPTED_OUT, "{said:?}");
    }
}

#[test]
fn what_has_more_letters_than_a_keyword_is_an_answer() {
    for said in [
        "stop, John isn't coming",
        "Stop Shop Ltd",
        "nonstop",
        "non-stop",
        "I can't stop",
        "stops",
        "stopper",
        "top",
        "stop 2",
        "st",
        "Christop",
        "Human Resources Ltd",
        "a human",
        "Humana",
        "Hu Man",
        "Hu-Man",
        "H. Uman",
        "H U Man",
        "S. Top",
        "St. Op",
        "Sto P",
        "Re Start",
        "Opto Ut",
        "Opt\nO ut",
        "Hu 🙂 Man",
        "Baja California",
        "please restart",
        "restarts",
        "стоп-кран",
        "s",
    ] {
        assert_eq!(named(text(said)), "AWAITING_BUDGET", "{said:?}");
        // No free text, and no keyword either.
        for other in [
            button(None, said),
            button(Some(said), said),
            captioned(said),
        ] {
            assert_eq!(named(other.clone()), "AWAITING_NAME", "{other:?}");
        }
    }
    let long = format!("stop {}", "x".repeat(2_000));
    assert_eq!(named(text(&long)), "AWAITING_BUDGET");
}

#[test]
fn signs_alone_are_no_keyword_but_the_one_that_is_written_so() {
    let signs = [
        "",
        "...",
        "👍",
        "🛑",
        "?",
        "*",
        "🇪🇸",
        "1\u{fe0f}\u{20e3}",
        "\u{301}",
        "-",
    ];
    for said in signs {
        for keywords in [&default_flow().keywords, &consultation().keywords] {
            let all = [
                &keywords.stop,
                &keywords.opt_out,
                &keywords.human,
                &keywords.restart,
            ];
            let is_one = all.iter().any(|keys| is_one_of(keys, said));
            assert!(!is_one, "{said:?}");
        }
    }
    let document = DEFAULT_FLOW
        .replace("stop: [STOP]", "stop: [STOP, 🛑]")
        .replace("expect: name", "expect: text");
    let flow = Flow::parse("signs.yaml", &document).unwrap();
    let state = |said: &str| after(&flow, &[text("Hi"), text(said)]).state;
    assert_eq!(state(" 🛑 "), OPTED_OUT);
    assert_eq!(state("👍"), "AWAITING_BUDGET");
}

#[test]
fn the_opt_outs_of_every_language_of_the_flow_count_and_those_of_english() {
    for said in [
        "parar.",
        "¡PARAR!",
        "parár",
        "PARA\u{301}R",
        "Stop",
        "baja",
        "Darse de baja",
    ] {
        for language in ["1", "2"] {
            let out = after(
                &consultation(),
                &[text("CONSULTA"), text(language), text(said)],
            );
            assert_eq!(out.state, OPTED_OUT, "{said:?}");
        }
    }
    for (language, words) in [
        ("es", "Cancelar suscripción|CANCELAR SUSCRIPCION|baja!|stop"),
        (
            "pt-BR",
            "Parar|SAIR|descadastrar|Descadastre-me|stop promotions",
        ),
        ("de", "Stopp!|ABMELDEN|abmelden.|STOP"),
        ("fr", "Arrêt|ARRET|arrêt.|Désabonner|se désabonner|Stop"),
        ("ru", "Стоп.|СТОП|отписаться"),
        ("tr", "abonelikten çık|ABONELİKTEN ÇIK|Dur!"),
        ("ar", "إلغاء الاشتراك|الغاء الاشتراك|أوقــف|stop"),
        ("zh-Hant-TW", "退訂|退 訂。"),
        ("ko", "수신거부|수신 거부!"),
        ("ja", "ストップ|ｽﾄｯﾌﾟ|停止。"),
        ("el", "Στοπ!|ΔΙΑΚΟΠΗ"),
        ("hi", "बंद करो।|स्टॉप"),
        ("th", "หยุด"),
        ("vi", "Huỷ đăng ký|huy dang ky"),
        ("bg", "СТОП."),
        ("xx", "stop|Unsubscribe"),
    ] {
        let document = DEFAULT_FLOW.replace("language: en", &format!("language: {language}"));
        let flow = Flow::parse("language.yaml", &document).unwrap();
        for said in words.split('|') {
            let out = after(&flow, &[text("Hi"), text(said)]);
            assert_eq!(out.state, OPTED_OUT, "{said:?} in {language}");
        }
    }
    // In another language it is an answer.
    assert_eq!(named(text("Baja")), "AWAITING_BUDGET");
}

#[test]
fn a_flow_without_keywords_takes_opt_outs_too_and_start_takes_them_back() {
    let from = DEFAULT_FLOW.find("keywords:").unwrap();
    let to = DEFAULT_FLOW.find("messages:").unwrap();
    let flow = Flow::parse(
        "bare.yaml",
        &DEFAULT_FLOW.replace(&DEFAULT_FLOW[from..to], ""),
    )
    .unwrap();
    let mut said = vec![text("Hi"), text("STOP")];
    assert_eq!(after(&flow, &said).state, OPTED_OUT);
    said.push(text("Start!"));
    assert_eq!(after(&flow, &said).state, "AWAITING_NAME");
}

#[test]
fn a_button_of_a_template_is_an_opt_out_by_its_text_or_its_payload() {
    for (id, title) in [
        (Some("Stop promotions"), "Stop promotions"),
        (Some("Unsubscribe"), "Unsubscribe"),
        (Some("STOP"), "No, thanks"),
        (Some("stop_promotions"), "Not for me"),
        (Some("btn-7"), "Stop promotions 🛑"),
        (None, "Unsubscribe"),
    ] {
        assert_eq!(named(button(id, title)), OPTED_OUT, "{id:?} {title}");
    }
    assert_eq!(named(button(Some("yes"), "Yes, go on")), "AWAITING_NAME");
}

#[test]
fn an_option_of_the_open_question_is_no_opt_out_unless_the_document_says_so() {
    let document = |stop: &str| {
        format!(
            "name: options\nversion: 1\nlanguage: es\nstart: ASK\n\
            keywords: {{stop: [{stop}], start: [SEGUIR], human: [HUMANO]}}\n\
            messages: {{stopped: Adiós.}}\n\
            steps:\n  ASK:\n    prompt: ¿Prioridad?\n    expect:\n      choice:\n        options:\n          \
            - {{value: high, title: Alta}}\n          - {{value: low, title: Baja}}\n          \
            - {{value: humano, title: Otra cosa}}\n    \
            fill: priority\n    next: NAME\n  \
            NAME:\n    prompt: ¿Nombre?\n    expect: text\n    fill: name\n    next: DONE\n  \
            DONE:\n    prompt: Gracias.\n    completes: true\n"
        )
    };
    let flow = Flow::parse("options.yaml", &document("NADA")).unwrap();
    let state = |said: &[TurnInput]| after(&flow, said).state;
    for answer in [
        text("baja"),
        button(Some("low"), "Baja"),
        button(Some("humano"), "Otra cosa"),
    ] {
        assert_eq!(state(&[text("Hola"), answer.clone()]), "NAME", "{answer:?}");
    }
    for said in ["Baja.", "2. Baja", "Baja 👍", "baja, por favor"] {
        assert_eq!(state(&[text("Hola"), text(said)]), "NAME", "{said}");
    }
    // Another question has no such option.
    assert_eq!(
        state(&[text("Hola"), text("Alta"), text("Baja")]),
        OPTED_OUT
    );
    // The payload of an earlier question's button is no keyword, and its title no free text.
    let late = [
        text("Hola"),
        text("Alta"),
        button(Some("humano"), "Otra cosa"),
    ];
    assert_eq!(state(&late), "NAME");
    let flow = Flow::parse("options.yaml", &document("BAJA")).unwrap();
    assert_eq!(after(&flow, &[text("Hola"), text("baja")]).state, OPTED_OUT);
    // A tap says which option it is, also where its title is a keyword.
    for id in ["low", "ASK/low"] {
        let tap = button(Some(id), "Baja");
        assert_eq!(after(&flow, &[text("Hola"), tap]).state, "NAME", "{id}");
    }
    let tap = button(Some("humano"), "HUMANO");
    assert_eq!(after(&flow, &[text("Hola"), tap]).state, "NAME");
    let foreign = button(Some("template"), "Baja");
    assert_eq!(after(&flow, &[text("Hola"), foreign]).state, OPTED_OUT);
}

#[test]
fn a_word_that_the_document_uses_otherwise_is_no_opt_out() {
    let document = DEFAULT_FLOW.replace("restart: [RESTART]", "restart: [RESTART, Unsubscribe]");
    let flow = Flow::parse("taken.yaml", &document).unwrap();
    let said = [text("Hi"), text("Ann"), text("unsubscribe!")];
    assert_eq!(after(&flow, &said).state, "AWAITING_NAME");
    let twice = DEFAULT_FLOW.replace("human: [HUMAN]", "human: [Stop!]");
    let error = Flow::parse("twice.yaml", &twice).unwrap_err().to_string();
    assert!(
        error.contains("`Stop!` is a keyword for `stop`, too"),
        "{error}"
    );
}

#[test]
fn every_opt_out_has_letters_to_compare() {
    for keys in [
        &default_flow().keywords.opt_out,
        &consultation().keywords.opt_out,
    ] {
        assert!(keys.len() > 10);
        for key in keys {
            assert!(
                key.chars().count() > 1
                    && key.split(' ').all(|word| !word.is_empty())
                    && key.chars().all(|c| c == ' ' || c.is_alphanumeric()),
                "{key}"
            );
        }
    }
}

#[test]
fn an_optional_question_is_skipped_in_the_words_of_each_language() {
    for (language, skip, decline) in [
        ("en", "Skip!", "I don't have one"),
        ("es", "omitir", "no tengo"),
        ("pt-BR", "pular 🙂", "nao tenho"),
        ("de", "überspringen", "Nein, danke"),
        ("fr", "je passe", "aucun"),
        ("it", "salta", "non lo so"),
        ("nl", "overslaan", "geen"),
        ("pl", "pomiń", "nie mam"),
        ("ru", "пропустить", "нет"),
        ("tr", "atla", "yok"),
        ("ar", "تخطي", "لا يوجد"),
        ("he", "דלג", "אין"),
        ("hi", "छोड़ें", "नहीं"),
        ("zh", "跳过", "没有"),
        ("ja", "スキップ", "なし"),
        ("ko", "건너뛰기", "없음"),
        ("vi", "bỏ qua", "không có"),
        ("id", "lewati", "tidak ada"),
    ] {
        let ask = |expect: &str| {
            let document = format!(
                "name: skips\nversion: 1\nlanguage: {language}\nstart: A\nsteps:\n  A: {{prompt: a, expect: {expect}, optional: true, fill: a, next: B}}\n  B: {{prompt: b, completes: true}}\n"
            );
            Flow::parse("skips.yaml", &document).unwrap()
        };
        let after = |expect: &str, text: &str| {
            let flow = ask(expect);
            let at = Timestamp::from_secs(1_800_000_000);
            let open = Conversation {
                state: "A".into(),
                ..Conversation::start(&flow)
            };
            let turn = step(&flow, &open, at, &TurnInput::Text(text.into()));
            (turn.conversation.state, turn.conversation.data.len())
        };
        for text in [skip, "skip", "-", decline, "no"] {
            assert_eq!(after("email", text), ("B".into(), 0), "{language}: {text}");
        }
        for text in [skip, "–"] {
            assert_eq!(after("text", text), ("B".into(), 0), "{language}: {text}");
        }
        // To a question for any text, "no" is an answer.
        assert_eq!(
            after("text", decline),
            ("B".into(), 1),
            "{language}: {decline}"
        );
        let longer = format!("{skip} maria");
        assert_eq!(after("text", &longer), ("B".into(), 1), "{longer}");
    }
}
