//! The words of opt-outs, by language.

use super::Vocabulary;

/// "cancel", "end" and "quit" can be ordinary answers, and calls are another wish: they are not listed.
pub(super) const VOCABULARIES: &[Vocabulary] = &[
    Vocabulary {
        languages: &["en"],
        polite: "please pls plz thanks thank you ok okay hi hello hey sorry guys immediately now \
                 just but and so then",
        no: "no nope nah",
        cease: "stop,quit,cease,no more,no further,no text anymore,no texts anymore,\
                no messages anymore,enough with",
        refuse: "don't,dont,do not,never",
        messages: "message messages msg msgs text texts sms spam emails contact",
        contact: "messaging texting write writing contacting spamming bother bothering sending \
                  send",
        firm: "more,any more,anymore,again,don't want,dont want,do not want,don't text,\
               dont text,do not text,never text,don't message,dont message,do not message,\
               never message,don't contact,dont contact,do not contact,never contact,don't spam,\
               dont spam,do not spam",
        others: "me us any more anymore again ever these those this the all of your further \
                 promotional marketing can could will would i want to receive receiving get \
                 getting",
    },
    Vocabulary {
        languages: &["es"],
        polite: "por favor porfavor porfa gracias hola ya ok quiero quisiera deseo yo señores \
                 pero y",
        no: "no",
        cease: "dejen de,deja de,dejar de,deje de,paren de,para de,pare de,basta de",
        refuse: "no,nunca",
        messages: "mensaje mensajes sms",
        contact: "escribirme escribir mandarme mandar enviarme enviar molestarme molestar \
                  contactarme recibir escriban escribas escriba manden mandes mande envíen \
                  envíes envíe molesten molestes moleste contacten contactes contacte escribáis \
                  mandéis enviéis",
        firm: "más,no quiero,no deseo",
        others: "me más nada jamás sus tus estos esos los vuelvan vuelvas a",
    },
    Vocabulary {
        languages: &["pt"],
        polite: "por favor pf pfv obrigado obrigada oi olá já ok quero queria gostaria de eu mas \
                 e",
        no: "não nao",
        cease: "parem de,pare de,para de,parar de,deixem de,deixe de,chega de",
        refuse: "não,nunca",
        messages: "mensagem mensagens msg msgs sms",
        contact: "mandar enviar escrever receber mande mandem envie enviem escreva escrevam \
                  perturbe perturbem incomode incomodem contate contatem",
        firm: "mais,não quero,não desejo",
        others: "me mais nada essas estas as suas quero por jamais desejo",
    },
    Vocabulary {
        languages: &["de"],
        polite: "bitte danke hallo ok jetzt endlich sofort ich möchte will würde gerne gern \
                 einfach aber und",
        no: "nein ne",
        cease: "stopp,stoppt,stoppen,stop,hört auf,hören auf,hören sie auf,hör auf,aufhören,\
                nichts mehr,nie wieder",
        refuse: "keine,nicht,nie wieder",
        messages: "nachrichten nachricht werbung sms",
        contact: "schreiben schreibt schreib senden sendet schicken schickt schick kontaktieren \
                  kontaktiert belästigen belästigt",
        firm: "mehr,weiteren,weitere,will keine,möchte keine,will ich keine,möchte ich keine,\
               wünsche keine",
        others: "sie mir mich mehr weiteren weitere zu an bekommen erhalten von ihnen euch das \
                 die wünsche",
    },
    Vocabulary {
        languages: &["fr"],
        polite: "s'il vous plaît svp stp merci bonjour ok je veux voudrais souhaite mais et",
        no: "non",
        cease: "arrêtez de,arrête de,arrêtez,cessez de,arrêtez d,merci d arrêter de,plus de",
        refuse: "ne,n,pas de",
        messages: "message messages sms pub pubs",
        contact: "écrire envoyer recevoir contacter écrivez envoyez contactez dérangez écris \
                  envoie",
        firm: "plus,ne veux pas,ne souhaite pas,veux pas",
        others: "me m plus rien pas de d aucun vos ces les aux jamais",
    },
    Vocabulary {
        languages: &["it"],
        polite: "per favore grazie ciao ok voglio vorrei io ma e",
        no: "no",
        cease: "smettetela di,smettila di,smetti di,smettete di,basta,niente più,mai più",
        refuse: "non",
        messages: "messaggi messaggio sms",
        contact: "scrivermi scrivere scrivetemi scriva scriveteci mandatemi mandarmi inviatemi \
                  inviarmi contattatemi contattarmi ricevere",
        firm: "più,altri,altro,non voglio,non desidero",
        others: "più mi nessun altri altro desidero con di i",
    },
    Vocabulary {
        languages: &["nl"],
        polite: "alsjeblieft alstublieft aub svp bedankt dank je hallo ok ik wil graag nu maar \
                 en",
        no: "nee",
        cease: "stop,stoppen,hou op,houd op,nooit meer",
        refuse: "geen,niet meer,niet,nooit meer",
        messages: "berichten bericht appjes",
        contact: "appen sturen stuur mailen schrijven schrijf app",
        firm: "meer,ik wil geen,wil ik geen",
        others: "met mij me meer van te",
    },
    Vocabulary {
        languages: &["pl"],
        polite: "proszę dziękuję dzień dobry ok już chcę chciałbym chciałabym się ale i",
        no: "nie",
        cease: "przestań,przestańcie,proszę przestać,dość",
        refuse: "nie",
        messages: "wiadomości wiadomość sms",
        contact: "pisz piszcie pisać wysyłaj wysyłajcie wysyłać",
        firm: "więcej,nie chcę,nie życzę sobie",
        others: "do mnie więcej mi żadnych życzę sobie",
    },
    Vocabulary {
        languages: &["cs", "sk"],
        polite: "prosím děkuji ďakujem ok už dobrý den deň chci chcem ale a",
        no: "ne nie",
        cease: "přestaňte,přestaň,prestaňte,prestaň,dost",
        refuse: "nepište,nepíšte,neposílejte,neposielajte,nepiš,nechci,nechcem,žádné,žiadne",
        messages: "zprávy zprávu správy správu sms",
        contact: "nepište nepíšte neposílejte neposielajte nepiš psát písať posílat posielať",
        firm: "víc,více,viac,další,ďalšie,nechci,nechcem",
        others: "mi více víc viac další ďalšie mně",
    },
    Vocabulary {
        languages: &["ro"],
        polite: "vă va rog mulțumesc bună ziua ok vreau dar și",
        no: "nu",
        cease: "opriți,încetați",
        refuse: "nu",
        messages: "mesaje mesaj",
        contact: "scrieți scrie trimiteți trimite contactați",
        firm: "mai,nu vreau,nu doresc",
        others: "mi îmi mai să nu-mi vreau doresc",
    },
    Vocabulary {
        languages: &["hu"],
        polite: "kérem köszönöm jó napot ok de és",
        no: "nem",
        cease: "hagyják abba,hagyja abba,elég",
        refuse: "ne,nem",
        messages: "üzenetet üzeneteket üzenet",
        contact: "írjon írjanak írj küldjön küldjenek",
        firm: "többet,több,nem kérek,nem akarok",
        others: "többet több nekem kérek akarok",
    },
    Vocabulary {
        languages: &["sv", "da", "no", "nb", "nn"],
        polite: "snälla tack tak takk hej hei venligst vennligst ok nu nå men och og jag vill \
                 jeg vil",
        no: "nej nei",
        cease: "sluta,slutt,stop,stopp,hold op",
        refuse: "inga,ingen,inte,ikke,ikkje",
        messages: "meddelanden meddelande beskeder besked meldinger melding meldingar sms",
        contact: "skriva skriv skrive skicka sende send",
        firm: "fler,flere,fleire,mer,mere,mera,vill inte,vil ikke,vil ikkje",
        others: "till til mig meg fler flere fleire mer mere å at med att mera ha",
    },
    Vocabulary {
        languages: &["fi"],
        polite: "kiitos hei ok nyt olkaa hyvä mutta ja",
        no: "ei",
        cease: "lopettakaa,lopeta",
        refuse: "älkää,älä,ei,en halua",
        messages: "viestejä viestiä viestit viestien viesti",
        contact: "lähettäkö lähettäkää lähetä lähettäminen",
        firm: "enää,lisää,en halua",
        others: "enää minulle lisää",
    },
    Vocabulary {
        languages: &["el"],
        polite: "παρακαλώ ευχαριστώ γεια σας οκ αλλά και",
        no: "όχι",
        cease: "σταματήστε,σταμάτα,όχι άλλα,αρκετά",
        refuse: "μην,μη,δεν",
        messages: "μηνύματα μήνυμα",
        contact: "στέλνετε στείλετε γράφετε στέλνεις στείλεις",
        firm: "άλλα,πια,ξανά,δεν θέλω",
        others: "μου να άλλα πια ξανά θέλω",
    },
    Vocabulary {
        languages: &["ru", "uk", "bg"],
        polite: "пожалуйста спасибо здравствуйте ок уже хочу будь ласка дякую вже моля но но и а \
                 але та",
        no: "нет ні не",
        cease: "прекратите,перестаньте,хватит,припиніть,спрете,досить",
        refuse: "не",
        messages: "сообщения сообщений сообщение повідомлення повідомлень съобщения съобщение",
        contact: "писать пишите пиши присылайте присылать присылай слать шлите пишіть писати \
                  надсилайте пишете пращайте шли",
        firm: "больше,більше,повече,не хочу,не надо,не нужны,не искам",
        others: "мне больше никогда мені більше ми повече да хочу надо нужны искам мне",
    },
    Vocabulary {
        languages: &["sr", "hr", "bs", "sl", "mk"],
        polite: "molim vas hvala ok već prosim ali i a",
        no: "ne не",
        cease: "prestanite,prestani,prenehajte,dosta",
        refuse: "nemojte,ne,nemoj",
        messages: "poruke poruka sporočil sporočila",
        contact: "pisati pišite pišete pišeš slati šaljite šaljete",
        firm: "više,ne želim,neću,več",
        others: "mi da više meni želim neću več",
    },
    Vocabulary {
        languages: &["tr"],
        polite: "lütfen teşekkürler merhaba ok tamam ama ve",
        no: "hayır yok",
        cease: "durun,kesin",
        refuse: "atmayın,atma,göndermeyin,gönderme,yazmayın,yazma,istemiyorum",
        messages: "mesaj mesajlar mesajları mesajlarınızı",
        contact: "atmayın atma göndermeyin gönderme yazmayın yazma",
        firm: "istemiyorum,artık,bir daha,başka",
        others: "bana artık bir daha almak başka",
    },
    Vocabulary {
        languages: &["ar", "fa"],
        polite: "من فضلك لو سمحت رجاء رجاءً شكرا لطفا لطفاً لكن و",
        no: "لا نه",
        cease: "توقفوا عن,توقف عن,كفى",
        refuse: "لا,ندهید,نفرستید,نمی خواهم",
        messages: "رسائل رسالة الرسائل پیام پیامی",
        contact: "ترسلوا ترسل تراسلوني تراسلني إرسال ندهید نفرستید",
        firm: "لا أريد,لا اريد,بعد الآن,مزيد,المزيد,دیگر,نمی خواهم",
        others: "لي أريد اريد بعد الآن أي مزيد المزيد دیگر به من هذه",
    },
    Vocabulary {
        languages: &["he"],
        polite: "בבקשה תודה שלום אבל",
        no: "לא",
        cease: "תפסיקו,תפסיק,די,מספיק",
        refuse: "אל,לא",
        messages: "הודעות הודעה",
        contact: "לשלוח תשלחו תשלח לכתוב תכתבו",
        firm: "יותר,עוד,לא רוצה",
        others: "לי יותר עוד רוצה",
    },
    Vocabulary {
        languages: &["hi", "bn"],
        polite: "कृपया प्लीज धन्यवाद please ji जी অনুগ্রহ করে দয়া लेकिन lekin",
        no: "नहीं nahi না",
        cease: "बंद करो,बंद करें,बन्द करो,band karo,band karein,বন্ধ করুন",
        refuse: "मत,नहीं,mat,nahi,nahin,না",
        messages: "मैसेज मेसेज संदेश message msg মেসেজ বার্তা",
        contact: "भेजो भेजें भेजिए भेजना bhejo bhejiye bhejna পাঠাবেন",
        firm: "और,aur,aage,नहीं चाहिए,nahi chahiye,nahin chahiye,আর",
        others: "मुझे और अब mujhe aur ab aage আর আমাকে चाहिए chahiye",
    },
    Vocabulary {
        languages: &["id", "ms"],
        polite: "tolong mohon terima kasih halo ya sila ok tapi dan",
        no: "tidak tak",
        cease: "berhenti,hentikan,stop",
        refuse: "jangan,tidak mau,tak nak,tidak ingin,tak mahu",
        messages: "pesan mesej sms",
        contact: "kirim mengirim kirimi kirimkan hubungi chat hantar menghubungi menerima",
        firm: "lagi,tak nak mesej,tak mahu mesej",
        others: "saya lagi aku ke",
    },
    Vocabulary {
        languages: &["vi"],
        polite: "vui lòng làm ơn xin cảm ơn ạ nhưng",
        no: "không",
        cease: "ngừng,dừng",
        refuse: "đừng,không muốn",
        messages: "tin",
        contact: "nhắn gửi",
        firm: "nữa,thêm,không muốn",
        others: "tin cho tôi mình nữa em nhận thêm muốn",
    },
];
