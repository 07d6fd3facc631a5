//! Tests opt-outs that the flow document does not list as they are written.

use super::*;

/// Checks the state of a lead that answers a question for a text; answers are parted by `|`.
fn check(state: &str, cases: &[(&str, &str)]) {
    let mut wrong = Vec::new();
    for (language, answers) in cases {
        let document = DEFAULT_FLOW
            .replace("expect: name", "expect: text")
            .replace("language: en", &format!("language: {language}"));
        let flow = Flow::parse("qualification.yaml", &document).unwrap();
        let is_wrong = |said: &&str| after(&flow, &[text("Hi"), text(said)]).state != state;
        let answers = answers.split('|').filter(is_wrong);
        wrong.extend(answers.map(|said| format!("{language}: {said}")));
    }
    assert!(wrong.is_empty(), "not {state}:\n{}", wrong.join("\n"));
}

#[test]
fn opt_outs_in_other_words_count_in_each_language() {
    check(
        OPTED_OUT,
        &[
            (
                "en",
                "Please stop messaging me|stop sending these messages|STOP, thanks|Hi, stop please|\
             No. Stop!|STOP STOP STOP STOP|Can you stop messaging me?|Don't message me again|\
             Please remove me from your list|Stop! Don't text me again.|I don't want any more messages|\
             Don't send|No more messages|no messages, please stop|I don't want messages|No texts anymore|\
             thanks but stop|ok then stop|just stop|Thank you. But please stop!",
            ),
            (
                "es",
                "por favor no me escriban más|dejen de mandarme mensajes|BAJA por favor|¡Basta!|\
             no quiero recibir mensajes|No, stop|no quiero mensajes|mensajes no, basta|gracias pero basta",
            ),
            (
                "pt",
                "parem de me mandar mensagens|por favor, não me mande mais mensagem|sair da lista|\
             não quero mensagens|obrigado mas pare|não envie mensagem",
            ),
            (
                "de",
                "Bitte keine weiteren Nachrichten|Hört auf mir zu schreiben|Ich möchte mich abmelden|\
             Ich will keine Nachrichten|keine Nachricht mehr|danke aber stopp",
            ),
            (
                "fr",
                "arrêtez de m'écrire|stop svp|je ne veux plus recevoir de messages|merci d'arrêter|\
             je ne veux pas de messages|merci mais stop|n'envoyez pas de messages",
            ),
            (
                "it",
                "smettetela di scrivermi|non voglio più messaggi|stop grazie|non voglio messaggi|niente più messaggi|grazie ma basta",
            ),
            ("nl", "stuur me geen berichten meer|Stop met appen"),
            ("pl", "nie pisz do mnie|nie chcę więcej wiadomości"),
            ("cs", "už mi nepište|prosím stop"),
            (
                "ru",
                "прекратите писать мне|Больше не пишите|Стоп, пожалуйста",
            ),
            ("uk", "більше не пишіть мені|стоп будь ласка"),
            ("tr", "bana mesaj atmayın|lütfen durun|mesaj istemiyorum"),
            ("ar", "لا ترسلوا لي رسائل|من فضلك توقف"),
            ("he", "תפסיקו לשלוח לי הודעות"),
            ("hi", "मुझे मैसेज मत भेजो|message mat bhejo"),
            ("id", "jangan kirim pesan lagi|tolong berhenti"),
            ("vi", "đừng nhắn tin cho tôi nữa"),
            (
                "el",
                "μη μου στέλνετε άλλα μηνύματα|δεν θέλω μηνύματα|παρακαλώ σταματήστε",
            ),
            ("sv", "sluta skicka meddelanden|inga fler meddelanden tack"),
            ("da", "ikke flere beskeder|stop tak"),
            ("fi", "älkää lähettäkö viestejä|en halua viestejä"),
            ("th", "อย่าส่งข้อความมาอีก"),
            ("zh", "不要再发消息了"),
            ("ja", "メッセージを送らないでください"),
            ("ko", "메시지 보내지 마세요"),
        ],
    );
}

#[test]
fn an_answer_with_words_of_an_opt_out_is_an_answer() {
    check(
        "AWAITING_BUDGET",
        &[
            (
                "en",
                "stop, John isn't coming|Don't stop|please don't stop messaging me|Stop by at five|\
             No, send me a message|Don't text me before 5|I don't text|I never receive messages|\
             No more|no messages yet|no message|No messages|no text|No texts please|no message, thanks|\
             I want more messages|don't send it|No send me a message|text, don't stop|stop 2|Write to me|Stop. Wait, go on|don't write, call me",
            ),
            (
                "es",
                "No, mándame mensajes|no mensajes|sin mensaje|No, quiero recibir mensajes|no tengo mensajes|planta baja|no me llamen por la mañana",
            ),
            (
                "pt",
                "sem mensagem|não mensagem|Não, mande mensagem|quero mais mensagens|Não, me mande mensagem|para casa|me mande mensagem por favor",
            ),
            (
                "de",
                "keine Nachricht|Keine Nachrichten, danke|Ich will nicht schreiben|Bitte nicht stoppen|nicht mehr als 500|keine",
            ),
            (
                "fr",
                "pas de message|Pas de messages|pas de pub|aucun message|arrêt de bus|plus de place",
            ),
            ("it", "no messaggi|nessun messaggio|Non voglio scrivere"),
            ("nl", "geen bericht|geen berichten, dank je"),
            ("sv", "inget meddelande|inga meddelanden"),
            ("el", "όχι μηνύματα|κανένα μήνυμα"),
            ("ar", "لا رسائل|لا توجد رسائل"),
            ("he", "לא הודעות|אין הודעות"),
            ("hi", "मैसेज नहीं|message nahi"),
            ("id", "tidak ada pesan|tidak mau pesan"),
            ("vi", "không có tin nhắn|không nhắn tin"),
            ("pl", "nie wiadomości|brak wiadomości"),
            (
                "ru",
                "нет сообщений|без сообщений|хватит на двоих|пишите мне|не хочу писать",
            ),
            ("tr", "mesaj|dur durak"),
        ],
    );
}

#[test]
fn a_stretched_or_disguised_opt_out_counts() {
    let said = [
        "stopppp",
        "STOOOOP",
        "Sttttop!!",
        "stoooppp",
        "pleeease stop",
        "stopppp messaging me",
        "unsubscribeeee",
        "STOP!!!1",
        "STOP!1!!11",
        "stop!!1 🛑",
        "ST0P",
        // Cyrillic, Greek and small capital letters.
        "ЅТОР",
        "STОP",
        "STOР",
        "ЅTOP",
        "ѕtор",
        "SΤΟΡ",
        "STΟP",
        "ꜱᴛᴏᴘ",
        "unsubѕсribе",
        "STОPPP",
        "Рlеаѕе ѕtор",
    ];
    check(OPTED_OUT, &[("en", &said.join("|"))]);
    check(
        OPTED_OUT,
        &[
            ("es", "bastaaaa"),
            ("es", "ВАЈА"),
            ("pt", "pareeee"),
            ("pt", "SАIR"),
            ("de", "stopppp bitte"),
            ("de", "Ѕtорр"),
            ("fr", "arrêteeeez"),
            ("fr", "STОP merci"),
            ("it", "bastaaa"),
            ("it", "bаsta"),
            ("ru", "стооооп"),
            ("ru", "СТОП!!!1"),
            ("uk", "стоппппп"),
            ("el", "στοοοπ"),
            ("tr", "durrrr"),
            ("id", "berhentiii"),
            ("ar", "توقفففف"),
            ("he", "עצוררר"),
        ],
    );
}

#[test]
fn what_only_looks_like_an_opt_out_is_an_answer() {
    let said = [
        "Stoop",
        "Stoppard",
        "St. Opp",
        "Тор",
        "Стоян",
        "Sοtos",
        "stop 1",
        "Stop!2",
        "thanks but no",
        "but stop by at five",
        "stop, John isn't coming",
        "Aaaron",
        "Ooo",
    ];
    check("AWAITING_BUDGET", &[("en", &said.join("|"))]);
}

#[test]
fn names_and_places_are_no_opt_outs() {
    check(
        "AWAITING_BUDGET",
        &[
            (
                "en",
                "Stoppe|Sandy Stop Miller|Messenger|Enough|Quito|Remy|Texas|Will Wright",
            ),
            (
                "es",
                "Paredes|Bajamar|La Parada|Bastarrica|Nomás|Manda|Nunca Jamás",
            ),
            (
                "pt",
                "Paredes|Saire|Parati|Chega Velho|Nada|Sair do aluguel",
            ),
            ("de", "Stopfer|Keine Ahnung|Schreiber|Abmeier|Werbung"),
            ("fr", "Arrêtier|Plus|Paul Pluss|Rien"),
            ("it", "Bastari|Basta Pietro|Altri|Fermo"),
            ("tr", "Duru|Dursun|Durdu Yılmaz|Mesaj"),
            ("ru", "Стопов|Нет|Больше|Хватов"),
            ("pl", "Dość|Pisz|Więcej"),
            ("id", "Hentian|Pesan|Lagi"),
            ("vi", "Dung|Tin|Nữa"),
            ("ar", "رسالة|قفصة"),
            ("zh", "停车场|唐"),
            ("ko", "정지원|그만두"),
        ],
    );
}
