use leadstream_schemas::Timestamp;

use super::*;
use crate::flow::{Conversation, DEFAULT_FLOW, Flow, HUMAN_HANDOFF, TurnInput, step};

/// The default flow in `language`; its first question takes any text, its second a number.
fn flow(language: &str) -> Flow {
    let document = DEFAULT_FLOW
        .replace("language: en", &format!("language: {language}"))
        .replace("expect: name", "expect: text");
    Flow::parse("flow.yaml", &document).unwrap()
}

fn after(flow: &Flow, said: &[&str]) -> String {
    let mut conversation = Conversation::start(flow);
    for (text, at) in said.iter().zip((1_800_000_000..).step_by(10)) {
        let input = TurnInput::Text((*text).to_owned());
        conversation = step(flow, &conversation, Timestamp::from_secs(at), &input).conversation;
    }
    conversation.state
}

/// Requests that no question makes an answer, by language.
const REQUESTS: &[(&str, &str)] = &[
    (
        "en",
        "human please|HUMAN!|I want to talk to a person|can I speak to a human?|real person|\
         Please connect me with an agent.|I'd like to speak with someone|talk to a human|\
         speak to a representative|Could I talk to somebody please|person|Live person please!|\
         transfer me to an operator|I don’t want to talk to a bot!|I need help from a person|human help|i need a human being|Can you let me talk to a real person 🙏",
    ),
    (
        "es",
        "humano|¡HUMANO!|quiero hablar con una persona|Quiero hablar con alguien|una persona real|\
         persona|hablar con un agente|¿Puedo hablar con un asesor, por favor?|comuníqueme con un humano|\
         Necesito hablar con un ejecutivo|pásame con un operador|no quiero hablar con un robot|un humano por favor|human please",
    ),
    (
        "pt-BR",
        "humano|quero falar com uma pessoa|falar com atendente|Quero falar com alguém|pessoa|\
         falar com um humano|atendimento humano|gostaria de falar com um atendente por favor|\
         Posso falar com um consultor?|me passa para um atendente",
    ),
    (
        "de",
        "Mensch|mit einem Menschen sprechen|Ich möchte mit einem Mitarbeiter sprechen|\
         Kann ich mit jemandem reden?|echter Mensch bitte|Bitte verbinden Sie mich mit einem Berater|\
         ich will mit einer echten Person sprechen",
    ),
    (
        "fr",
        "humain|je veux parler à une personne|Je voudrais parler à quelqu'un|parler à un conseiller|\
         une vraie personne svp|je souhaite parler avec un agent s'il vous plaît|un humain",
    ),
    (
        "it",
        "umano|voglio parlare con una persona|vorrei parlare con un operatore|persona reale|\
         parlare con qualcuno|posso parlare con un essere umano?",
    ),
    (
        "nl",
        "mens|ik wil met een mens praten|kan ik een medewerker spreken|echt persoon graag|\
         ik wil graag met iemand spreken",
    ),
    (
        "pl",
        "człowiek|chcę rozmawiać z człowiekiem|Chciałbym porozmawiać z konsultantem|\
         proszę o kontakt z człowiekiem|połącz mnie z konsultantem|z człowiekiem proszę",
    ),
    (
        "cs",
        "člověk|chci mluvit s člověkem|Chtěl bych mluvit s operátorem|spojte mě s operátorem prosím",
    ),
    (
        "sk",
        "človek|chcem hovoriť s človekom|chcem sa rozprávať s operátorom",
    ),
    (
        "ro",
        "vreau să vorbesc cu o persoană|vreau sa vorbesc cu un operator|operator uman|persoană reală",
    ),
    (
        "hu",
        "emberrel szeretnék beszélni|élő ember|Szeretnék beszélni egy ügyintézővel|ember",
    ),
    (
        "sv",
        "människa|jag vill prata med en människa|Kan jag få prata med någon?|prata med en medarbetare",
    ),
    (
        "da",
        "menneske|jeg vil tale med et menneske|Kan jeg tale med en medarbejder?|rigtigt menneske tak",
    ),
    (
        "nb",
        "menneske|jeg vil snakke med et menneske|snakke med noen|kan jeg snakke med en kundebehandler",
    ),
    (
        "fi",
        "ihminen|haluan puhua ihmisen kanssa|Haluaisin puhua asiakaspalvelijan kanssa|oikea ihminen kiitos",
    ),
    (
        "el",
        "άνθρωπος|θέλω να μιλήσω με άνθρωπο|Θα ήθελα να μιλήσω με εκπρόσωπο|πραγματικό άνθρωπο παρακαλώ",
    ),
    (
        "ru",
        "человек|хочу поговорить с человеком|Соедините с оператором|позовите оператора|\
         можно поговорить с менеджером, пожалуйста|живой человек|свяжите меня с консультантом",
    ),
    (
        "uk",
        "людина|хочу поговорити з людиною|З'єднайте з оператором|потрібна людина",
    ),
    (
        "bg",
        "човек|искам да говоря с човек|Свържете ме с оператор|искам да говоря с консултант",
    ),
    (
        "hr",
        "čovjek|želim razgovarati s čovjekom|spojite me s operaterom|želim razgovarati s osobom",
    ),
    (
        "tr",
        "insan|bir insanla konuşmak istiyorum|Müşteri temsilcisine bağlan|gerçek biriyle görüşmek istiyorum|canlı destek",
    ),
    (
        "ar",
        "شخص|أريد التحدث مع شخص|اريد التحدث مع موظف|شخص حقيقي من فضلك|حولني إلى موظف",
    ),
    ("fa", "انسان|با کسی صحبت کنم"),
    (
        "he",
        "אנושי|אני רוצה לדבר עם בן אדם|נציג אנושי|אפשר לדבר עם נציג בבקשה|אני רוצה לדבר עם מישהו",
    ),
    (
        "hi",
        "इंसान|मुझे इंसान से बात करनी है|किसी से बात करना चाहता हूँ|mujhe kisi se baat karni hai|human please",
    ),
    (
        "id",
        "manusia|saya mau bicara dengan manusia|mau bicara dengan orang|Bisa bicara dengan cs?|sambungkan ke operator",
    ),
    (
        "vi",
        "người thật|tôi muốn nói chuyện với người thật|cho tôi gặp nhân viên|gặp tư vấn viên",
    ),
    (
        "ca",
        "humà|vull parlar amb una persona|voldria parlar amb algú",
    ),
    ("zh", "人工|转人工|转人工！|人工客服|我要找客服|真人"),
    (
        "ja",
        "人と話したい|オペレーターにつないでください。|担当者と話したいです",
    ),
    (
        "ko",
        "상담원 연결|상담원 연결해 주세요!|사람과 이야기하고 싶어요",
    ),
    ("th", "ขอคุยกับเจ้าหน้าที่|คุยกับคน"),
];

#[test]
fn a_person_is_asked_for_in_the_words_of_every_language() {
    let mut wrong = Vec::new();
    for (language, requests) in REQUESTS {
        let flow = flow(language);
        for request in requests.split('|') {
            for before in [&[][..], &["Hi"], &["Hi", "Ana"], &["Hi", "Ana", "5000"]] {
                let said: Vec<&str> = before.iter().copied().chain([request]).collect();
                if after(&flow, &said) != HUMAN_HANDOFF {
                    wrong.push(format!("{language}: {said:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_name_of_a_job_asks_for_a_person_unless_the_question_takes_a_text() {
    for (language, jobs) in [
        (
            "en",
            "agent|Agent!|operator|an agent please|customer service|representative|support",
        ),
        (
            "es",
            "agente|asesor|un agente por favor|atención al cliente",
        ),
        ("pt", "atendente|agente|suporte"),
        ("de", "Mitarbeiter|Berater bitte|Kundenservice"),
        ("fr", "conseiller|un agent svp"),
        ("it", "operatore|un operatore per favore"),
        ("nl", "medewerker"),
        ("pl", "konsultant"),
        ("ru", "оператор|оператора пожалуйста"),
        ("tr", "müşteri temsilcisi"),
        ("ar", "موظف|خدمة العملاء"),
        ("id", "operator"),
    ] {
        let flow = flow(language);
        for job in jobs.split('|') {
            assert_eq!(
                after(&flow, &["Hi", "Ana", job]),
                HUMAN_HANDOFF,
                "{language}: {job}"
            );
            assert_eq!(
                after(&flow, &["Hi", job]),
                "AWAITING_BUDGET",
                "{language}: {job}"
            );
        }
    }
}

#[test]
fn words_of_a_request_within_another_message_are_an_answer() {
    let mut wrong = Vec::new();
    for (language, answers) in [
        (
            "en",
            "a human|a person|Human Resources|Human Made Ltd|Person & Sons|Personal|Agent Smith|Real Estate Agent|\
             I am a person|humanity|We sell to people|Talk Radio|Customer|People|someone|Call me|\
             I want it|Support Systems Inc|I don't want to talk to a person|no human|Connect|Live Nation|\
             The Sales Team|Manager of a shop|two persons",
        ),
        (
            "es",
            "Recursos Humanos|Una persona|Persona Studio|Para una persona|Hablar|Alguien|Mi agente es Luis",
        ),
        (
            "pt-BR",
            "Recursos Humanos|uma pessoa|Só uma pessoa|Falar|Pessoa física|Vendas",
        ),
        (
            "de",
            "eine Person|ein Mensch|Menschenskind|Personal|nur ich|Jemand",
        ),
        (
            "fr",
            "une personne|personne|Ressources humaines|quelqu'un|parler",
        ),
        ("it", "una persona|Risorse Umane|gente"),
        ("nl", "een persoon|mensen|Human Resources"),
        ("pl", "jedna osoba|jeden człowiek|osoba fizyczna"),
        ("ru", "один человек|5 человек|Человечкин|хочу купить"),
        ("sv", "en person|Personsson"),
        ("tr", "bir kişi|İnsan Kaynakları"),
        ("fi", "yksi henkilö|henkilöstö"),
        ("vi", "Nguyễn Văn Người|một người"),
        ("zh", "人工智能|客服软件公司|真人秀"),
        ("ja", "人間ドック|スタッフ"),
        ("ko", "사람과 사람들"),
    ] {
        let flow = flow(language);
        let answers = answers.split('|');
        let asking = answers.filter(|answer| after(&flow, &["Hi", answer]) != "AWAITING_BUDGET");
        wrong.extend(asking.map(|answer| format!("{language}: {answer}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_language_s_words_count_only_in_a_flow_of_that_language_but_english_always() {
    for language in ["en", "de", "ja"] {
        assert_eq!(after(&flow(language), &["Hi", "humano"]), "AWAITING_BUDGET");
        assert_eq!(
            after(&flow(language), &["Hi", "human please"]),
            HUMAN_HANDOFF
        );
    }
    let both = PersonWords::new(&["fr".to_owned(), "es-MX".to_owned()], |_| true);
    for said in ["humano", "humain", "human"] {
        assert_eq!(both.request(said), Some(Request::Sure), "{said}");
    }
    assert_eq!(both.request("umano"), None);
}

#[test]
fn an_option_a_keyword_and_the_word_that_chose_the_flow_ask_for_nobody() {
    let document = "name: kinds\nversion: 1\nlanguage: es\nstart: KIND\n\
        chosen_by: {keywords: [AGENTE]}\nkeywords: {restart: [OPERADOR]}\n\
        steps:\n  KIND:\n    prompt: ¿Empresa o persona?\n    \
        expect: {choice: {options: [{value: company, title: Empresa}, {value: person, title: Persona}]}}\n    \
        fill: kind\n    next: MAIL\n  MAIL: {prompt: ¿Correo?, expect: email, fill: mail, next: DONE}\n  \
        DONE: {prompt: Gracias., completes: true}\n";
    let flow = Flow::parse("kinds.yaml", document).unwrap();
    assert_eq!(after(&flow, &["Agente"]), "KIND");
    assert_eq!(after(&flow, &["Hola", "persona"]), "MAIL");
    assert_eq!(after(&flow, &["Hola", "Persona."]), "MAIL");
    assert_eq!(after(&flow, &["Hola", "Empresa", "operador"]), "KIND");
    assert_eq!(after(&flow, &["Hola", "Empresa", "persona"]), HUMAN_HANDOFF);
    assert_eq!(after(&flow, &["Hola", "agente"]), HUMAN_HANDOFF);
}

/// Checks the state after each message of a language behind `before`; messages are parted by `|`.
fn check(before: &[&str], state: &str, cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (language, messages) in cases {
        let flow = flow(language);
        let state_after = |said: &str| after(&flow, &[before, &[said]].concat());
        let is_wrong = |said: &&str| state_after(said) != state;
        let messages = messages.split('|').filter(is_wrong);
        wrong.extend(messages.map(|said| format!("{language}: {said}")));
    }
    assert!(wrong.is_empty(), "not {state}: {wrong:#?}");
}

#[test]
fn a_human_is_asked_to_answer_in_each_language() {
    check(
        &["Hi"],
        HUMAN_HANDOFF,
        &[
            (
                "en",
                "can a human answer?|Can a real person reply please|could someone real answer me? a human|\
             please let a human respond|human answer please",
            ),
            (
                "es",
                "¿puede contestarme un humano?|que me responda una persona real|¿me atiende un humano?",
            ),
            ("pt", "um humano pode responder?|pode um humano me atender"),
            (
                "de",
                "kann ein echter Mensch antworten?|kann mir eine echte Person helfen",
            ),
            (
                "fr",
                "un humain peut répondre ?|est-ce qu'un humain peut m'aider",
            ),
            (
                "it",
                "può rispondere un umano?|mi può aiutare una persona reale",
            ),
            ("nl", "kan een echt persoon antwoorden?"),
            (
                "ru",
                "может ответить живой человек?|пожалуйста ответьте, живой человек",
            ),
            ("tr", "gerçek kişi cevap verebilir mi"),
            ("ar", "هل يمكنني الرد شخص حقيقي|ممكن شخص حقيقي يرد"),
            ("id", "bisa manusia yang menjawab?"),
            ("zh", "能让真人回复吗"),
            ("ja", "人間に答えてほしい"),
            ("ko", "사람이 답해 주세요"),
        ],
    );
}

#[test]
fn a_call_is_asked_for_in_each_language_unless_the_question_takes_a_text() {
    let requests = [
        (
            "en",
            "call me|please call me|Call me please!|can you call me?|Could you give me a call|\
             call me back please|I'd like a call|I want a call",
        ),
        (
            "es",
            "llámame|por favor llámeme|¿me pueden llamar?|pueden llamarme por favor",
        ),
        (
            "pt",
            "me liga|me liga por favor|pode me ligar?|me ligue|liga pra mim",
        ),
        (
            "de",
            "ruf mich an|Bitte rufen Sie mich an|können Sie mich anrufen?|Rückruf bitte",
        ),
        (
            "fr",
            "appelez-moi|Appelez-moi s'il vous plaît|pouvez-vous m'appeler ?|rappelez-moi svp",
        ),
        ("it", "chiamami|chiamatemi per favore|mi può chiamare?"),
        ("nl", "bel me|bel mij aub|kunt u mij bellen?"),
        ("pl", "proszę zadzwonić|zadzwoń do mnie|proszę o telefon"),
        (
            "ru",
            "позвоните мне|Перезвоните, пожалуйста|можете мне позвонить?",
        ),
        ("uk", "зателефонуйте мені|передзвоніть будь ласка"),
        ("tr", "beni arayın|lütfen beni arayın|beni arar mısınız"),
        ("ar", "اتصل بي|من فضلك اتصلوا بي"),
        ("he", "תתקשרו אליי|תתקשר אליי בבקשה"),
        ("hi", "मुझे कॉल करें|mujhe call karo|please call karo"),
        ("id", "telepon saya|tolong telepon saya|hubungi saya"),
        ("vi", "gọi cho tôi|vui lòng gọi lại cho tôi"),
        ("sv", "ring mig|kan ni ringa mig?"),
        ("zh", "请打电话给我"),
        ("ja", "電話してください"),
        ("ko", "전화해 주세요|전화 주세요"),
        ("th", "ช่วยโทรกลับ"),
    ];
    // The question for the budget takes a number, and the first one any text.
    check(&["Hi", "Ann"], HUMAN_HANDOFF, &requests);
    check(&["Hi"], "AWAITING_BUDGET", &requests);
}

#[test]
fn words_of_a_call_within_another_message_are_no_request() {
    check(
        &["Hi", "Ann"],
        "AWAITING_BUDGET",
        &[
            (
                "en",
                "call me Bob|don't call me|I will call you|call me at five|no calls|My call center",
            ),
            ("es", "no me llamen|me llaman Ana|llamada perdida"),
            ("pt", "não me ligue|me ligaram ontem"),
            ("de", "bitte nicht anrufen|Anruf verpasst"),
            ("fr", "appelez-moi Marie|ne m'appelez pas"),
            ("it", "non chiamatemi|chiamami Marco"),
            ("ru", "не звоните мне|позвоните Анне"),
            ("tr", "beni aramayın|bana Ali de"),
        ],
    );
}

#[test]
fn a_refused_call_hands_over_to_nobody_in_each_language() {
    let refusals = [
        (
            "en",
            "don't call me|please do not call me|never call me|don't call us|no calls please|\
             I don't need a call|I do not want a call|dont call me back|no callback please",
        ),
        (
            "es",
            "no me llames|no me llamen por favor|no quiero que me llamen|no pueden llamarme|nunca me llamen",
        ),
        (
            "pt",
            "não me liga|não me ligue por favor|nao me liguem|não precisa me ligar|nunca me ligue|ñ me liga",
        ),
        (
            "de",
            "ruf mich nicht an|bitte rufen Sie mich nicht an|kein Rückruf|keinen Rückruf bitte|\
             nicht mich anrufen|niemals mich anrufen",
        ),
        (
            "fr",
            "ne m'appelez pas|ne m'appelle pas s'il te plaît|ne me rappelez pas|pas besoin de m'appeler",
        ),
        (
            "it",
            "non mi chiamare|non chiamatemi|non mi chiamate per favore|non richiamarmi|mai chiamarmi",
        ),
        (
            "nl",
            "bel me niet|bel mij niet aub|u hoeft mij niet te bellen|nooit mij bellen",
        ),
        (
            "pl",
            "nie dzwoń do mnie|proszę nie dzwonić|proszę nie zadzwonić do mnie|nie proszę o telefon",
        ),
        ("cs", "nevolejte mi|prosím nevolejte mi|ne zavolejte mi"),
        ("sk", "nevolajte mi|prosím nevolajte mi"),
        ("ro", "nu mă sunați|vă rog nu mă sunați|nu mă suni"),
        (
            "hu",
            "ne hívjon fel|kérem ne hívjanak fel|ne hívj vissza|nem kérek visszahívást",
        ),
        (
            "sv",
            "ring mig inte|ring inte mig|kan ni inte ringa mig|inte ringa mig",
        ),
        (
            "da",
            "ring ikke til mig|ring ikke mig op|I må ikke ringe til mig",
        ),
        (
            "nb",
            "ikke ring meg|ikke ring til meg|dere må ikke ringe meg",
        ),
        (
            "fi",
            "älkää soittako minulle|älä soita minulle|ei soittaa minulle",
        ),
        (
            "el",
            "μη με πάρετε τηλέφωνο|μην με πάρετε τηλέφωνο|μη με καλέσετε",
        ),
        (
            "ru",
            "не звоните мне|не перезвоните|не надо мне звонить|не позвоните мне",
        ),
        (
            "uk",
            "не телефонуйте мені|не зателефонуйте мені|не передзвоніть",
        ),
        ("bg", "не ми се обаждайте|не обадете ми се|не ми звънете"),
        (
            "hr",
            "ne zovite me|ne nazovite me|nemojte me nazvati|nemojte me pozvati",
        ),
        ("sl", "ne pokličite me|ne kličite me"),
        ("mk", "не позовете ме|не позовите ме"),
        ("tr", "beni aramayın|lütfen beni aramayın|beni arama"),
        (
            "ar",
            "لا تتصل بي|لا تتصلوا بي من فضلك|ما تتصل بي|لا أريد الاتصال بي",
        ),
        ("fa", "به من زنگ نزنید|زنگ نزنید"),
        (
            "he",
            "אל תתקשרו אליי|אל תתקשר אלי|אל תתקשר אליי בבקשה|בבקשה אל תתקשרו אליי|לא להתקשר אליי|\
             אל תחזרו אליי|אני לא רוצה שתתקשרו אליי|אל תעבירו אותי לנציג|אל תעביר לי נציג",
        ),
        (
            "hi",
            "मुझे कॉल मत करें|मुझे कॉल न करें|कॉल मत करो|mujhe call mat karo|call na karein|please call mat karo",
        ),
        ("bn", "আমাকে কল করবেন না|আমাকে কল করুন না"),
        (
            "id",
            "jangan telepon saya|tolong jangan telepon saya|jangan hubungi saya|tidak perlu menelepon saya",
        ),
        (
            "ms",
            "jangan telefon saya|jangan call saya|tak perlu hubungi saya",
        ),
        (
            "vi",
            "đừng gọi cho tôi|không gọi cho tôi|vui lòng đừng gọi lại cho tôi|không cần gọi cho tôi",
        ),
        (
            "zh",
            "请不要打电话给我|别打电话给我|不要给我打电话|別打電話給我|不用回电",
        ),
        (
            "ja",
            "電話しないでください|電話はしないでください|折り返しは不要です",
        ),
        (
            "ko",
            "전화하지 마세요|전화 주지 마세요|전화하지 말아 주세요",
        ),
        ("th", "อย่าโทรหาฉัน|ไม่ต้องโทรหาฉัน|อย่าโทรกลับ|ไม่ต้องโทรกลับ"),
        ("ca", "no em truqueu|no em podeu trucar"),
    ];
    let mut wrong = Vec::new();
    for (language, messages) in refusals {
        let flow = flow(language);
        for said in messages.split('|') {
            for before in [&["Hi"][..], &["Hi", "Ann"]] {
                if after(&flow, &[before, &[said]].concat()) == HUMAN_HANDOFF {
                    wrong.push(format!("{language}: {said}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // "To" is written as "do not" is, and still asks.
    check(
        &["Hi", "Ann"],
        HUMAN_HANDOFF,
        &[("he", "תעבירו אותי אל נציג|אפשר להתחבר אל נציג?")],
    );
}
