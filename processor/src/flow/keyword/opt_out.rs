//! The opt-outs that a flow document need not list.

use super::key;

/// Returns the opt-outs in the flow's languages and in English: WhatsApp's own buttons, and words that
/// people write to any business.
pub(in crate::flow) fn opt_outs(languages: &[String]) -> Vec<String> {
    let primary = |tag: &String| tag.split('-').next().unwrap_or_default().to_owned();
    let spoken: Vec<String> = languages.iter().map(primary).collect();
    let is_spoken = |language: &str| language == "en" || spoken.iter().any(|it| it == language);
    let mut keys: Vec<String> = OPT_OUTS
        .iter()
        .filter(|(languages, _)| languages.iter().copied().any(is_spoken))
        .flat_map(|(_, words)| words.iter().map(|word| key(word)))
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// The words and phrases by language. As a whole message, none is an ordinary answer. "cancel", "end"
/// and "quit" can be one, so they are not listed.
const OPT_OUTS: &[(&[&str], &[&str])] = &[
    (
        &["en"],
        &[
            "stop",
            "stop all",
            "stop it",
            "stop now",
            "stop please",
            "please stop",
            "pls stop",
            "stop stop",
            "stop stop stop",
            "stop promotions",
            "stop marketing",
            "stop messages",
            "stop messaging me",
            "stop texting me",
            "stop texting",
            "stop messaging",
            "stop contacting me",
            "stop sending messages",
            "stop sending me messages",
            "stop receiving",
            "stop receiving messages",
            "unsubscribe",
            "unsubscribe me",
            "please unsubscribe",
            "please unsubscribe me",
            "unsub",
            "opt out",
            "opt me out",
            "remove me",
            "no more messages",
            "do not contact me",
            "don't contact me",
            "do not message me",
            "don't message me",
            "don't text me",
        ],
    ),
    (
        &["es"],
        &[
            "parar",
            "baja",
            "darse de baja",
            "darme de baja",
            "dar de baja",
            "dame de baja",
            "quiero darme de baja",
            "cancelar suscripción",
            "cancelar la suscripción",
            "anular suscripción",
            "anular la suscripción",
            "desuscribir",
            "desuscribirse",
            "desuscribirme",
            "detener promociones",
            "no más mensajes",
            "no quiero más mensajes",
            "dejar de recibir mensajes",
        ],
    ),
    (
        &["pt"],
        &[
            "parar",
            "sair",
            "pare",
            "quero sair",
            "descadastrar",
            "descadastre-me",
            "me descadastrar",
            "cancelar inscrição",
            "cancelar a inscrição",
            "parar promoções",
            "interromper promoções",
            "parar mensagens",
            "não quero mais mensagens",
            "cancelar subscrição",
        ],
    ),
    (
        &["de"],
        &[
            "stopp",
            "abmelden",
            "abbestellen",
            "austragen",
            "abmeldung",
            "bitte abmelden",
            "bitte stoppen",
            "bitte stopp",
            "newsletter abbestellen",
            "werbung stoppen",
            "werbeaktionen stoppen",
            "keine werbung mehr",
            "keine nachrichten mehr",
        ],
    ),
    (
        &["fr"],
        &[
            "arrêt",
            "arrêter",
            "désabonner",
            "se désabonner",
            "me désabonner",
            "désabonnement",
            "désinscrire",
            "se désinscrire",
            "me désinscrire",
            "désinscription",
            "arrêter les promotions",
            "arrêtez",
            "stop pub",
            "stop sms",
            "désabonnez-moi",
            "désinscrivez-moi",
            "plus de messages",
        ],
    ),
    (
        &["it"],
        &[
            "disiscriviti",
            "disiscrivimi",
            "disiscrivermi",
            "disiscrizione",
            "annulla iscrizione",
            "annulla l'iscrizione",
            "cancella iscrizione",
            "interrompi promozioni",
            "cancellami",
            "basta messaggi",
        ],
    ),
    (
        &["nl"],
        &[
            "stoppen",
            "afmelden",
            "uitschrijven",
            "meld me af",
            "promoties stoppen",
            "stop promoties",
        ],
    ),
    (&["pl"], &["wypisz", "wypisz mnie", "anuluj subskrypcję"]),
    (&["cs"], &["odhlásit", "odhlásit odběr"]),
    (&["sk"], &["odhlásiť", "odhlásiť odber"]),
    (&["ro"], &["dezabonare", "dezabonează-mă"]),
    (&["hu"], &["leiratkozás", "leiratkozom"]),
    (&["sv"], &["stopp", "avregistrera", "avprenumerera"]),
    (&["da"], &["afmeld", "stop beskeder"]),
    (&["no", "nb", "nn"], &["stopp", "meld meg av"]),
    (&["fi"], &["lopeta", "peru tilaus"]),
    (&["el"], &["στοπ", "απεγγραφή", "διακοπή"]),
    (
        &["ru"],
        &[
            "стоп",
            "отписаться",
            "хватит",
            "отписка",
            "отпишите",
            "отпишите меня",
            "остановить рассылку",
        ],
    ),
    (
        &["uk"],
        &["стоп", "відписатися", "відписатись", "відпишіть мене"],
    ),
    (
        &["tr"],
        &[
            "dur",
            "durdur",
            "abonelikten çık",
            "listeden çık",
            "promosyonları durdur",
        ],
    ),
    (
        &["ar"],
        &[
            "توقف",
            "قف",
            "أوقف",
            "إيقاف",
            "إلغاء الاشتراك",
            "أوقف الرسائل",
        ],
    ),
    (&["he"], &["הסר", "עצור", "הסרה", "הסירו אותי"]),
    (
        &["hi"],
        &["रोकें", "रुको", "बंद करो", "बंद करें", "स्टॉप", "सदस्यता समाप्त करें"],
    ),
    (
        &["id", "ms"],
        &["berhenti", "berhenti berlangganan", "hentikan promosi"],
    ),
    (
        &["zh"],
        &["退订", "TD", "退訂", "停止", "取消订阅", "取消訂閱"],
    ),
    (
        &["ja"],
        &[
            "停止",
            "やめて",
            "やめてください",
            "配信解除",
            "配信停止",
            "配信 停止",
            "ストップ",
        ],
    ),
    (
        &["ko"],
        &["수신거부", "그만", "정지", "수신 거부", "중지", "스톱"],
    ),
    // Without its accents, "dừng" is a name.
    (&["vi"], &["hủy đăng ký", "huy dang ky", "dừng lại"]),
    (&["th"], &["หยุด", "หยุดส่ง", "ยกเลิกการรับข่าวสาร"]),
    (&["fa"], &["توقف", "لغو اشتراک"]),
    (&["bn"], &["থামুন", "বন্ধ করুন"]),
    (&["bg"], &["стоп", "отписване"]),
    (
        &["sr", "bs", "mk"],
        &["стоп", "odjava", "odjavi me", "одјава"],
    ),
    (&["hr", "sl"], &["odjava", "odjavi me"]),
];
