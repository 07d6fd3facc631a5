//! Tests what is a name and what is none, in many languages.

use super::read as read_in;

/// Reads a name of an English flow.
fn read(text: &str) -> Option<String> {
    read_in(text, "en")
}

/// Checks what each text is read as.
#[track_caller]
fn check<'a>(all: impl Iterator<Item = (&'a str, Option<&'a str>)>) {
    let wrong: Vec<String> = all
        .filter(|(text, name)| read(text).as_deref() != *name)
        .map(|(text, name)| format!("{text:?} is {:?}, not {name:?}", read(text)))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_name_of_any_kind_stays_as_it_is() {
    let names = [
        "Ana",
        "ana",
        "ANA LÓPEZ",
        "John Doe",
        "John Doe jr.",
        "Dr. John Smith",
        "J. R. R. Tolkien",
        "Jean-Luc d'Arc",
        "María José",
        "María de los Ángeles García Pérez",
        "Maria da Conceição Aparecida dos Santos de Oliveira e Silva",
        "O'Brien",
        "Siobhán Ní Bhriain",
        "O",
        "Yu",
        "Hu",
        "Ng",
        "Li Na",
        "Do An",
        "An Nguyen",
        "To Do",
        "Will Smith",
        "May Price",
        "Alan Price",
        "John Cena",
        "Are Hansen",
        "Can Yılmaz",
        "Ben Affleck",
        "Ahmad bin Ali",
        "Saya Tanaka",
        "Perry Como",
        "Juan Costa",
        "La Cuesta",
        "Kasih",
        "Van der Berg",
        "Vincent van Gogh",
        "Müller",
        "Hallo Müller",
        "Thomas Stop",
        "Stop Shop Ltd",
        "stop, John isn't coming",
        "Human Resources",
        "Nguyễn Thị Hồng Nhung",
        "Đỗ Văn Thế",
        "Łukasz Żółć",
        "Þórbjörn Ægisson",
        "Иван Петров",
        "Анна",
        "Олександр Шевченко",
        "Γιώργος Παπαδόπουλος",
        "محمد علي",
        "عبد الرحمن بن عوف",
        "فاطمة",
        "יוסי כהן",
        "李",
        "李明",
        "王小明",
        "欧阳娜娜",
        "田中太郎",
        "さくら",
        "김민수",
        "남궁민",
        "राम कुमार",
        "अनिता",
        "สมชาย ใจดี",
        "ไหม",
        "রহিম উদ্দিন",
        "Ana & Luis",
        "Ana (Lee)",
        "X Æ A-12",
        "Henry 8th",
        "García, Juan",
        "Mohammed Abdul-Rahman al-Farsi",
        "Ola Nordmann",
        "Hola Pérez",
        "Sunil Kumar",
        "Kim Jong Un",
        "Dag Hammarskjöld",
        "Ana\nLee",
        "Maria da silva santos",
        "José luis garcía pérez",
        "maria josé de la cruz fernández lópez",
        "Good Charlotte",
        "Juan Dias",
        "محمد بن عبد الله بن سعود",
    ];
    check(names.into_iter().map(|name| (name, Some(name))));
}

#[test]
fn what_decorates_a_name_is_no_part_of_it() {
    let names = [
        ("Ana.", "Ana"),
        ("Ana!", "Ana"),
        ("Ana 😊", "Ana"),
        ("*Ana Lee*", "Ana Lee"),
        ("\"Ana\"", "Ana"),
        ("«Анна»", "Анна"),
        ("👋 Ana 👋🏽", "Ana"),
        ("李明。", "李明"),
        ("Hello, Ana Lee", "Ana Lee"),
        ("Hola, Ana", "Ana"),
        ("Olá! Ana", "Ana"),
    ];
    check(names.into_iter().map(|(text, name)| (text, Some(name))));
}

#[test]
fn a_sentence_introduces_a_name() {
    let names = [
        (
            "Ana",
            "My name is Ana|my name's Ana|My name is Ana.|I'm Ana|I am Ana!|Hi, my name is Ana|\
             Hello I’m Ana|this is Ana|It's Ana|name: Ana|Full name: Ana|Nombre: Ana|My name: Ana|Ana is my name|Ana here|\
             Call me Ana|you can call me Ana|Sure, I'm Ana|MY NAME IS Ana|My name is Ana 😊|\
             Good morning, my name is Ana, nice to meet you|myself Ana|\
             Me llamo Ana|me llamo Ana.|Mi nombre es Ana|soy Ana|Yo soy Ana|Hola, soy Ana|Hola me llamo Ana|\
             Ana es mi nombre|Buenas tardes, mi nombre es Ana|\
             meu nome é Ana|Me chamo Ana|Eu me chamo Ana|Sou a Ana|eu sou Ana|Oi, sou a Ana|o meu nome é Ana|\
             Ich heiße Ana|ich heisse Ana|Mein Name ist Ana|Ich bin Ana|Hallo, ich bin die Ana|Hier ist Ana|\
             Je m'appelle Ana|je m’appelle Ana|Mon nom est Ana|Je suis Ana|Bonjour, moi c'est Ana|\
             Mi chiamo Ana|Il mio nome è Ana|sono Ana|Ciao, sono Ana|\
             Ik heet Ana|Mijn naam is Ana|ik ben Ana|My naam is Ana|\
             Nazywam się Ana|Mam na imię Ana|jestem Ana|Jmenuji se Ana|Jmenuju se Ana|Volám sa Ana|\
             Mă numesc Ana|Numele meu este Ana|Sunt Ana|A nevem Ana|Ana vagyok|\
             Jag heter Ana|Mitt namn är Ana|Jeg hedder Ana|Jeg heter Ana|Mit navn er Ana|Nimeni on Ana|Olen Ana|\
             Με λένε Ana|Το όνομά μου είναι Ana|Είμαι η Ana|\
             Меня зовут Ana|Моё имя Ana|Я Ana|Мене звати Ana|Казвам се Ana|Здравствуйте, меня зовут Ana|\
             Zovem se Ana|Moje ime je Ana|Ja sam Ana|Ime mi je Ana|\
             Benim adım Ana|İsmim Ana|Merhaba, benim adım Ana|\
             اسمي Ana|أنا Ana|انا اسمي Ana|مرحبا، اسمي Ana|اسم من Ana|\
             שמי Ana|קוראים לי Ana|אני Ana|\
             मेरा नाम Ana है|mera naam Ana hai|मैं Ana हूँ|আমার নাম Ana|\
             Nama saya Ana|Perkenalkan nama saya Ana|Tôi là Ana|Tên tôi là Ana|Em tên là Ana|\
             Ako si Ana|Ang pangalan ko ay Ana|Jina langu ni Ana|Em dic Ana|\
             我叫Ana|我是Ana|我的名字是Ana。|你好，我叫Ana|我叫 Ana|\
             私の名前はAnaです|Anaです|Anaと申します|こんにちは、Anaです|\
             제 이름은 Ana입니다|저는 Ana예요|Ana입니다|안녕하세요, 저는 Ana입니다|\
             ผมชื่อ Ana|ฉันชื่อAnaค่ะ|สวัสดีครับ ผมชื่อ Ana ครับ",
        ),
        (
            "Ana María López",
            "Me llamo Ana María López|Soy Ana María López, mucho gusto",
        ),
        ("Ana Lee jr.", "I am Ana Lee jr."),
        ("Doe, John", "My name is Doe, John"),
        ("An Nguyen", "My name is An Nguyen"),
        ("李明", "我叫李明|我是李明|姓名：李明"),
        ("田中", "田中です|私は田中です|田中と申します"),
        ("김민수", "제 이름은 김민수입니다|저는 김민수라고 합니다"),
        ("สมชาย", "ผมชื่อสมชายครับ"),
        ("علي", "اسمي علي"),
        ("Анна Каренина", "Меня зовут Анна Каренина"),
        ("d'Arc", "Je m'appelle d'Arc"),
    ];
    let each = names.into_iter();
    check(each.flat_map(|(name, texts)| texts.split('|').map(move |text| (text, Some(name)))));
}

#[test]
fn greetings_questions_refusals_and_sentences_are_no_names() {
    let none = [
        "Hello|hi|Hi there!|hey 👋|Good morning|yes|no|ok|thanks|Thank you!|test|lol|me|none",
        "Who is this?|who is this|How much does it cost?|how much|what is this|Why do you ask|What?|\
         can you call me|do you ship|are you a bot|Is this a bot",
        "not interested|I'm not interested|no thanks|wrong number|Sorry, wrong number|stop sending me this please|\
         I don't know|don't care|go away|leave me alone|not now|I want to buy|I need a quote|call me later|\
         I'm busy|I am a plumber|I'm interested in solar panels|I'm looking for a house|I'm from Berlin|\
         tell me more|give me the price|I am not Ana|see above|I already told you",
        "👍|?|!!!|...|😂😂|1|5000|+49 170 1234567|0170 1234567|$7,500 a month|10k|23/11/2026|\
         https://example.com|www.example.com|example.com|visit example.com/offer|ana@example.com|@ana",
        "Thanks for contacting ACME! We will be back at 9:00.|We are closed. We will answer soon.|\
         We are currently closed|Thank you for your message|I am out of office until Monday|\
         Automatic reply: Out of office|This is an automatic response|\
         Hello! Welcome to ACME Store. How can we help you today?|Our office hours are Monday to Friday|\
         We're currently unavailable, please leave a message",
        "Hola|hola buenas tardes|¿Quién es?|quien es|cuánto cuesta|¿Cuánto cuesta?|no me interesa|\
         número equivocado|no gracias|buenos días|información|quiero información|precio|estoy ocupado|\
         Gracias por contactarnos. Le responderemos pronto.|por qué|No sé|Soy cliente|no quiero",
        "Olá|oi|bom dia|Boa tarde!|quem é|quanto custa|Quanto custa?|não tenho interesse|número errado|\
         não quero|obrigado|Obrigado por entrar em contato|qual o valor|sim|não|quero um orçamento|\
         Sou cliente|não sou a Ana",
        "Hallo|Guten Tag|Wer ist das?|wer ist da|was kostet das|Wie viel kostet es|kein Interesse|\
         falsche Nummer|nein danke|ich will nicht|Danke|Vielen Dank für Ihre Nachricht|ich bin nicht interessiert|\
         Ich bin beschäftigt|Wir sind im Urlaub|nicht jetzt",
        "Bonjour|Salut|qui est-ce|c'est qui|combien ça coûte|pas intéressé|mauvais numéro|non merci|\
         je ne suis pas intéressé|Merci de nous avoir contactés|je voudrais un devis|pourquoi|Je suis occupé",
        "Ciao|Buongiorno|chi è|chi sei|quanto costa|non mi interessa|numero sbagliato|no grazie|\
         non sono interessato|vorrei informazioni|Grazie per averci contattato",
        "Hoi|Goedemorgen|wie is dit|hoeveel kost het|geen interesse|verkeerd nummer|nee bedankt|ik wil een offerte",
        "Cześć|dzień dobry|kto to|ile to kosztuje|nie jestem zainteresowany|zły numer|nie chcę|dziękuję",
        "Dobrý den|kdo je to|kolik to stojí|nechci|Bună ziua|cine este|cât costă|nu vreau|Jó napot|ki vagy|nem akarok",
        "Hej|god morgon|vem är det|vad kostar det|tack|hvem er det|hva koster det|Hyvää päivää|kuka siellä",
        "Γεια σας|καλημέρα|ποιος είναι|πόσο κάνει|δεν με ενδιαφέρει",
        "Привет|Здравствуйте|добрый день|кто это|Кто вы?|сколько стоит|не интересует|не тот номер|нет|\
         спасибо|хочу купить|Я не Анна|Спасибо за обращение! Мы ответим позже.",
        "Привіт|добрий день|хто це|скільки коштує|дякую|Здравейте|кой е|колко струва",
        "Merhaba|selam|kimsiniz|kim bu|ne kadar|fiyatı ne kadar|istemiyorum|yanlış numara|teşekkürler|hayır",
        "مرحبا|السلام عليكم|من هذا|من أنت؟|كم السعر|بكم؟|غير مهتم|الرقم خطأ|شكرا|لا أريد|صباح الخير",
        "שלום|מי זה|כמה זה עולה|לא מעוניין|תודה|בוקר טוב",
        "नमस्ते|कौन है|कितना है|कीमत क्या है|नहीं|धन्यवाद|kaun hai|namaste|kitna hai",
        "Halo|selamat pagi|siapa ini|berapa harganya|tidak tertarik|salah nomor|terima kasih|saya mau beli",
        "Xin chào|ai đấy|bao nhiêu tiền|không quan tâm|cảm ơn nhé|nhầm số",
        "你好|您好！|你是谁|多少钱|价格多少|不感兴趣|打错了|谢谢|请问你们在哪里|我想咨询一下",
        "こんにちは|誰ですか|いくらですか|興味ないです|ありがとうございます|間違いです|はい",
        "안녕하세요|누구세요|얼마예요|관심 없어요|감사합니다|네|아니요",
        "สวัสดี|สวัสดีครับ|ใครครับ|ราคาเท่าไหร่|ไม่สนใจ|ขอบคุณค่ะ",
        "hola como estas|Hola, ¿cómo estás?|hello how are you|Hi how are you|claro que sí|of course|prefer not to say|\
         it's private|En este momento no podemos atenderte|Unser Büro ist geschlossen|\
         Estamos fuera de horario y volvemos el lunes|Nous ne pouvons pas vous répondre maintenant|\
         please leave a message after the tone|oi, tudo bom|bom dia tudo bem|\
         نحن غير متواجدين حاليا وسنرد عليك قريبا جدا|hoi wie is dit|привет кто это|merhaba kimsiniz",
        "my name is|Me llamo|My name is?|I'm|soy|我叫",
    ];
    let each = none.into_iter().flat_map(|texts| texts.split('|'));
    check(each.map(|text| (text, None)));
    assert_eq!(read(&"Ana ".repeat(13)), None);
    assert_eq!(read(&"a".repeat(101)), None);
    assert_eq!(read(&"a".repeat(100)), Some("a".repeat(100)));
}
