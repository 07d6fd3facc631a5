//! Words and phrases that show that a message is no name, and those that introduce one.
//!
//! A word is left out that is also a name or a part of names in some language: "Price", "Cuesta",
//! "Are", "bin". Such a word counts only within a phrase.

/// Ends of domains that people write in messages. Most others are also words or initials.
pub(super) const DOMAINS: [&str; 12] = [
    "com", "net", "org", "info", "biz", "io", "app", "dev", "shop", "online", "site", "br",
];

/// Words that end in a dot.
pub(super) const SHORT: &str = "jr sr jun sen dr dra prof mr mrs ms st ph phd md esq ing lic mag dipl \
    inc ltd co corp sa srl gmbh bros av hon rev capt gen col fr sra srta sto sta bin";

/// Whole messages: greetings, yes and no, thanks, and what people write instead of a name.
pub(super) const WHOLE: &str = "asap,bonjour a vous,bonjour a tous,hello,hi,hey,heya,hiya,yo,hi there,hello there,hey there,hi all,\
    hello everyone,good morning,good afternoon,good evening,good day,good night,greetings,howdy,sup,\
    what's up,whats up,hello hello,hi hi,yes,yeah,yep,yup,no,nope,nah,not,ok,okay,k,kk,sure,fine,test,\
    testing,test test,lol,haha,hahaha,bye,goodbye,bye bye,nothing,none,anonymous,n/a,null,undefined,\
    unknown,idk,later,info,more info,help,price,quote,budget,menu,back,skip,cancel,quit,exit,busy,not me,\
    who,what,why,where,wrong,spam,scam,me,myself,same,nobody,no one,maybe,yes please,come on,asdf,qwerty,\
    xxx,abc,name,my name,full name,what name,a name,first name,good,cool,nice,great,go on,continue,next,of course,certainly,absolutely,hmm,huh,um,ah,wtf,omg,dunno,\
    private,secret,it depends,\
    hola,buenas,buenos dias,buen dia,buenas tardes,buenas noches,hola buenas,hola buenas tardes,\
    hola buenos dias,hola buenas noches,hola que tal,que tal,si,vale,claro,nada,ninguno,nadie,adios,\
    informacion,precio,precios,quien,que,ola,mi nombre,nombre,si claro,claro que si,por supuesto,esta bien,de acuerdo,\
    oi,oie,oii,bom dia,boa tarde,boa noite,oi bom dia,oi boa tarde,oi boa noite,ola bom dia,\
    ola boa tarde,ola boa noite,oi tudo bem,oi tudo bom,tudo bom,com certeza,ola tudo bem,tudo bem,sim,nao,tchau,opa,alo,e ai,preco,valor,\
    orcamento,quem,meu nome,nome,\
    hallo,guten tag,guten morgen,guten abend,moin,moin moin,servus,gruss gott,grusse,gruezi,\
    hallo zusammen,naturlich,klar,ja,nein,tschuss,nichts,niemand,keine,keiner,mein name,\
    bonjour,bonsoir,salut,coucou,allo,oui,non,d'accord,rien,personne,au revoir,bonjour a tous,mon nom,\
    ciao,salve,buongiorno,buonasera,buon giorno,buona sera,pronto,va bene,niente,nessuno,arrivederci,\
    hoi,goedemorgen,goedemiddag,goedenavond,goedendag,nee,niets,\
    czesc,dzien dobry,dobry wieczor,hej,witam,siema,nie,nikt,ahoj,dobry den,cau,ano,\
    buna,buna ziua,buna seara,nu,szia,sziasztok,jo napot,jo napot kivanok,hello sziasztok,igen,nem,\
    hejsan,god morgon,god dag,goddag,tjena,nej,nei,hei,heisann,terve,moikka,paivaa,hyvaa paivaa,huomenta,\
    kylla,joo,\
    γεια,γεια σας,γεια σου,καλημερα,καλησπερα,ναι,οχι,\
    привет,здравствуйте,здравствуй,добрый день,доброе утро,добрый вечер,да,нет,алло,ку,ок,никто,\
    привіт,вітаю,добрий день,доброго дня,так,ні,здравейте,здрасти,добър ден,не,\
    zdravo,dobar dan,cao,ne,\
    merhaba,merhabalar,selam,selamlar,gunaydin,iyi gunler,iyi aksamlar,evet,hayir,slm,mrb,tamam,hicbir sey,\
    مرحبا,السلام عليكم,السلام,سلام,اهلا,اهلا وسهلا,هلا,صباح الخير,مساء الخير,نعم,لا,وعليكم السلام,هاي,بله,درود,\
    שלום,היי,הי,בוקר טוב,ערב טוב,צהריים טובים,כן,לא,\
    नमस्ते,नमस्कार,हैलो,हाय,हाँ,हां,नहीं,namaste,namaskar,haan,nahi,নমস্কার,হ্যালো,হাই,\
    halo,selamat pagi,selamat siang,selamat sore,selamat malam,assalamualaikum,ya,iya,tidak,permisi,\
    xin chao,chao ban,chao em,chao shop,khong,\
    สวัสดี,สวัสดีครับ,สวัสดีค่ะ,ดี,ดีครับ,ดีค่ะ,ใช่,ไม่,ครับ,ค่ะ,\
    你好,您好,嗨,哈喽,喂,在吗,早上好,晚上好,是,不,好,好的,不是,没有,\
    こんにちは,こんばんは,おはよう,おはようございます,はい,いいえ,もしもし,どうも,\
    안녕하세요,안녕,네,아니요,여보세요,\
    kamusta,magandang umaga,habari,hujambo,jambo,sawubona,molo";

/// Words that no name has.
pub(super) const NEVER: &str = "thanks thank thx please contacting closed reply respond message mensaje mensagem nachricht messaggio \
    geschlossen cerrado cerrados fechado fechados chiuso chiusi gesloten закрыто закрыты responderemos \
    antworten repondrons risponderemo ответим сообщение interested prices pricing costs \
    currently shortly automatic automated autoreply unavailable whatsapp sorry don't dont didn't doesn't \
    won't can't cannot couldn't wouldn't what what's whats who's where why which because should would \
    could your you're need needs wanna gracias quiero quisiera necesito precios informacion interesa \
    interesado interesada cuanto porque usted ustedes obrigado obrigada quero gostaria preciso \
    informacoes interessado interessada voce voces custa danke bitte interessiert kostet mochte brauche \
    warum nicht wieviel merci voudrais combien interesse interessee renseignements pourquoi grazie vorrei \
    voglio informazioni interessato interessata perche bedankt alstublieft alsjeblieft hoeveel \
    geinteresseerd waarom dzieki dziekuje prosze chce chcialbym zainteresowany dlaczego dekuji prosim kolik \
    multumesc koszonom mennyibe tack kiitos takk ευχαριστω ποσο спасибо пожалуйста хочу сколько стоит цена \
    интересует почему зачем дякую скільки коштує благодаря колко tesekkurler tesekkur lutfen istiyorum \
    fiyat fiyati شكرا اريد سعر السعر لماذا فضلك متشکرم תודה כמה מחיר רוצה בבקשה למה धन्यवाद चाहिए कितना \
    कितने कीमत क्यों कृपया terima harga berapa tolong kenapa";

/// Common words of sentences. Small words of names, such as "de", "la" and "van", are none.
pub(super) const COMMON: &str = "i we you he she they it me us them my your our is are was were be been \
    am have has had do does did will would can could should to of in on at for from with about and or but \
    so not no the a an this that there here what when where who how if then just only very more some any \
    all now later today tomorrow back get got go going come call send tell know see look looking buy work \
    working use like make take closed open busy soon want later want's it's i'm we're please \
    yo te se lo que si es son esta estoy estamos tengo tiene puedo por para con como pero muy mas ya aqui \
    hoy manana luego cuando un una eu sao estou tenho tem posso com mas muito mais ja hoje amanha agora \
    depois quando um uma nao ich du wir ihr sie es ist sind bin war habe haben hat kann konnen nicht kein \
    und oder aber auch mit fur auf im nach wie was wer wann wo heute morgen spater je tu il elle nous vous \
    ils ne pas est sont suis ai avez qui pour avec mais tres plus ici maintenant demain c'est j'ai io noi \
    voi che non sono ho hai ha siamo per molto piu qui ora domani ik jij wij niet ben zijn heb heeft wil \
    dat die voor maar ook nu ja ty my nie jest sa mam ze dla na ale teraz jutro я ты мы вы он она они не \
    есть это что как где для с на в и но очень уже сейчас завтра мне меня вам вас ben sen biz siz bir bu \
    ve icin ile cok simdi yarin var yok degil انا انت نحن هو هي في من الى على هذا هذه لا ان مع saya aku \
    kamu anda kami ini itu tidak ada yang untuk dengan dan ke dari mau bisa";

/// Small words of names, which are in lower case in a name, too.
pub(super) const PARTICLES: &str = "de da do dos das del la las los el le van von der den di du e y i bin \
    ibn al ter ten zu und";

/// The first words of questions, refusals and wishes.
pub(super) const OPENINGS: &str = "not telling,not saying,not giving,how much,how many,how are,how do,how can,how does,how long,how old,\
    how is,how about,how to,who is,who are,who am,who the,what is,when do,when can,when will,can you,can i,\
    can we,do you,do i,are you,are we,is this,is it,is there,i want,i need,i do,i have,i would,i'd,i was,\
    i will,i'll,i just,i saw,i got,i can,i know,i think,i already,i said,i live,i like,i love,i work,\
    i prefer,i am not,i'm not,tell me,give me,send me,leave me,let me,no thanks,no thank,not now,not yet,\
    not sure,not today,prefer not,rather not,go away,fuck,same as,see above,already told,none of,it is not,that is,that's,we are,\
    we're,we have,we will,we want,you are,you have,there is,\
    quien es,quienes son,que es,que quieres,que quiere,como estas,como esta,como funciona,como puedo,\
    como se,donde,cuando,por que,no quiero,no se,no me,no tengo,no soy,no gracias,ya lo,ya te,ya le,\
    me interesa,estoy,estamos,no estamos,nao estamos,tengo,queria,busco,cual es,de que,para que,\
    quanto custa,quanto e,quanto fica,quem e,quem esta,quem fala,qual e,qual o,onde,quando,nao quero,\
    nao sei,nao tenho,nao sou,nao e,eu quero,estou,tenho,gostei,como posso,de onde,ja falei,ja disse,\
    wie viel,wie geht,was kostet,was ist,was wollen,wer ist,wer sind,wer bist,wann,woher,ich will,\
    ich habe,ich suche,ich weiss,kein interesse,keine ahnung,nein danke,vielen dank,weiss nicht,das ist nicht,\
    wir sind,wir haben,geht dich,\
    qui est,qui est-ce,qui etes,qui es,qu'est-ce,c'est qui,c'est quoi,c'est combien,comment,je veux,je ne,j'ai,\
    non merci,je cherche,quel est,pas interesse,laissez,nous sommes,\
    quanto,chi e,chi sei,chi siete,cosa,come stai,come funziona,non voglio,non sono,non so,non mi,\
    no grazie,sto cercando,lasciami,siamo,\
    wie is,wie ben,wie zijn,wat is,wat kost,ik wil,ik heb,ik zoek,ik weet,nee dank,weet niet,geen interesse,\
    ile kosztuje,ile to,kto to,kim jest,co to,nie chce,nie wiem,nie jestem,szukam,\
    kdo je,kdo jste,co to je,nechci,nevim,kto je,kto ste,nechcem,neviem,\
    cine este,cine e,cat costa,nu vreau,nu stiu,ki vagy,ki ez,nem akarok,nem tudom,\
    vem ar,vad kostar,hvem er,hvad koster,hva koster,kuka,paljonko,mita,\
    ποιος,ποια,τι ειναι,δεν,\
    кто это,кто вы,кто ты,что это,не хочу,не знаю,мне нужно,мне нужен,мне нужна,как дела,не интересно,\
    вы кто,где,когда,а кто,у меня,хто це,хто ви,що це,не хотів,не цікавить,кой е,не искам,\
    tko je,ko je,koliko,ne zelim,\
    ne kadar,kimsiniz,kim bu,bu kim,sen kimsin,siz kimsiniz,nedir,neden,istemiyorum,bilmiyorum,\
    كم,من انت,من هذا,من معي,مين,ماذا,ما هو,ما هذا,لا اريد,لا اعرف,كيف,غير مهتم,لست,شما,چند,\
    מי זה,מי אתם,מי אתה,מה זה,לא רוצה,לא יודע,לא מעוניין,\
    कौन,क्या,कैसे,kaun hai,kaun ho,kitna,kya hai,kya,কে,কত,\
    siapa,apa ini,saya mau,saya tidak,saya ingin,tidak tertarik,tidak mau,\
    bao nhieu,ai vậy,ai đấy,gia bao,toi khong,cam on,khong quan tam,khong can,cho hoi,\
    magkano,sino,bei gani,nani,sitaki";

/// Phrases within a message, as text: also of languages that put no spaces between words.
pub(super) const PHRASES: &[&str] = &[
    "wrong number",
    "wrong person",
    "numero equivocado",
    "numero errado",
    "falsche nummer",
    "mauvais numero",
    "faux numero",
    "numero sbagliato",
    "verkeerd nummer",
    "zły numer",
    "yanlis numara",
    "не тот номер",
    "ошиблись номером",
    "не той номер",
    "nomor salah",
    "salah sambung",
    "salah nomor",
    "رقم خطا",
    "الرقم خطا",
    "מספר לא נכון",
    "गलत नंबर",
    "nham so",
    "no me interesa",
    "tenho interesse",
    "non mi interessa",
    "not interest",
    "out of office",
    "will be back",
    "get back to you",
    "auto reply",
    "auto-reply",
    "office hours",
    "opening hours",
    "business hours",
    "いいです",
    "respuesta automatica",
    "resposta automatica",
    "automatische antwort",
    "reponse automatique",
    "risposta automatica",
    "estamos cerrad",
    "estamos fechad",
    "how much",
    "thank you",
    "谢谢",
    "感谢",
    "多少钱",
    "价格",
    "价钱",
    "谁",
    "誰",
    "兴趣",
    "興趣",
    "不需要",
    "打错",
    "请问",
    "什么",
    "多少",
    "想问",
    "咨询",
    "ありがとう",
    "いくら",
    "ですか",
    "ますか",
    "興味",
    "ください",
    "ません",
    "ないです",
    "そうです",
    "間違い",
    "감사",
    "얼마",
    "누구",
    "관심",
    "인가요",
    "나요",
    "까요",
    "습니까",
    "잘못",
    "싫",
    "ขอบคุณ",
    "เท่าไหร่",
    "เท่าไร",
    "ราคา",
    "ใคร",
    "สนใจ",
    "โทรผิด",
];

/// What comes before a name.
pub(super) const INTRODUCTIONS: &str = "my name is,my names,my name's,my full name is,the name is,\
    the name's,name is,full name,i am,i'm,i am called,i'm called,this is,it is,it's,call me,\
    its,the name s,you can call me,myself,they call me,my name,i go by,\
    me llamo,mi nombre es,mi nombre completo es,soy,yo soy,yo me llamo,me dicen,me llaman,mi nombre,le habla,les habla,te habla,aqui,\
    meu nome e,o meu nome e,meu nome completo e,me chamo,eu me chamo,chamo-me,eu sou,eu sou o,eu sou a,\
    sou,sou o,sou a,aqui e,aqui e o,aqui e a,quem fala e,quem fala e o,quem fala e a,aqui quem fala e,aqui quem fala e o,\
    aqui quem fala e a,fala o,fala a,pode me chamar de,\
    ich heisse,ich bin,ich bin der,ich bin die,mein name ist,mein name lautet,hier ist,hier spricht,ich heiss,ich bin's,man nennt mich,\
    mein name,\
    je m'appelle,je m appelle,mon nom est,mon prenom est,je suis,moi c'est,c'est,je me nomme,ici c'est,ici,mon nom c'est,mon prenom c'est,moi je m'appelle,on m'appelle,\
    mi chiamo,io mi chiamo,il mio nome e,io sono,sono,sono io,qui e,qui parla,mi chiamano,\
    ik heet,mijn naam is,ik ben,my naam is,\
    nazywam sie,mam na imie,jestem,moje imie to,z tej strony,tu mowi,\
    jmenuji se,jmenuju se,moje jmeno je,jsem,ja jsem,volam sa,moje meno je,ja som,tady,u telefonu,tu je,\
    ma numesc,numele meu este,numele meu e,ma cheama,sunt,eu sunt,\
    a nevem,az en nevem,nevem,\
    jag heter,mitt namn ar,jag ar,jeg hedder,mit navn er,jeg er,jeg heter,mitt navn er,eg heiter,eg er,det ar,det er,har ar,her er,\
    nimeni on,minun nimeni on,olen,mina olen,\
    με λενε,ονομαζομαι,το ονομα μου ειναι,ειμαι,ειμαι ο,ειμαι η,λεγομαι,με φωναζουν,εδω,\
    меня зовут,мое имя,я,мене звати,моє ім'я,казвам се,името ми е,аз съм,меня звать,это,вас беспокоит,це,мое имя -,\
    zovem se,ja sam,moje ime je,ime mi je,jaz sem,зовем се,се викам,\
    benim adim,ismim,benim ismim,adim,adim soyadim,isim,\
    اسمي,انا اسمي,انا,اسمي هو,اسم من,نام من,معك,معاك,معكم,\
    שמי,קוראים לי,השם שלי,השם שלי הוא,אני,זה,זאת,כאן,מדבר,מדברת,\
    मेरा नाम,मैं,mera naam,mera nam,আমার নাম,আমি,\
    nama saya,nama saya adalah,nama aku,perkenalkan saya,perkenalkan nama saya,saya bernama,\
    toi la,ten toi la,toi ten la,toi ten,minh la,minh ten la,em la,em ten la,ten minh la,\
    제 이름은,저는,내 이름은,이름은,\
    ako si,ang pangalan ko ay,jina langu ni,naitwa,em dic,el meu nom es,ek is";

/// Introductions that are names or other words elsewhere, by the language in which they introduce.
pub(super) const OF_LANGUAGE: [(&str, &[&str]); 6] = [
    ("tr", &["ben"]),
    ("az", &["men"]),
    ("id", &["saya", "aku", "ini"]),
    ("ms", &["saya", "ini"]),
    ("nl", &["met"]),
    ("hi", &["main", "mai"]),
];

/// Words that introduce a name with a colon: "Name: Ana".
pub(super) const LABELS: &str = "name names nombre nome nom naam namn navn imie jmeno meno nume nev nimi \
    ονομα имя ім'я име ime isim ad اسم الاسم שם नाम nama ten";

/// Words before an introduction, and greetings with a comma before a name.
pub(super) const LEADING: &str = "hello hi hey hiya good morning afternoon evening yes yeah sure ok okay \
    well there hola buenas buenos dias tardes noches si claro ola oi bom boa dia tarde noite sim hallo \
    guten tag abend moin ja klar bonjour bonsoir salut oui ciao salve buongiorno buonasera hoi \
    goedemiddag goedemorgen czesc dzien dobry hej tak ahoj dobry den buna ziua szia hei moi terve γεια σας \
    привет здравствуйте добрый день да привіт вітаю здравейте zdravo merhaba selam evet مرحبا السلام عليكم \
    اهلا سلام שלום היי नमस्ते namaste halo selamat pagi siang xin chao 안녕하세요";

/// Words after an introduced name.
pub(super) const AFTER_NAME: &str =
    "है hai हूँ हूं hun hoon हैं here speaking again hier aqui ici qui falando";

/// What comes after a name.
pub(super) const ENDINGS: &str = "is my name,es mi nombre,e o meu nome,e meu nome,ist mein name,\
    est mon nom,e il mio nome,is mijn naam,here,speaking,hier,vagyok,a nevem,هستم";

/// What is joined to an introduced name.
pub(super) const ATTACHED: [&str; 10] = [
    "이라고 합니다",
    "라고 합니다",
    "입니다",
    "이에요",
    "예요",
    "이야",
    "です",
    "ครับ",
    "ค่ะ",
    "คะ",
];

/// What comes before a name where no spaces are between words; longer ones come first.
pub(super) const NO_SPACES: [&str; 29] = [
    "我的名字叫做",
    "我的名字叫",
    "我的名字是",
    "我名叫",
    "我叫做",
    "我叫",
    "我是",
    "我係",
    "本人叫",
    "私の名前は",
    "わたしの名前は",
    "名前は",
    "私は",
    "わたしは",
    "僕は",
    "ฉันชื่อ",
    "ผมชื่อ",
    "ดิฉันชื่อ",
    "หนูชื่อ",
    "ชื่อ",
    "敝姓",
    "제 이름은 ",
    "제이름은 ",
    "내 이름은 ",
    "저는 ",
    "나는 ",
    "姓名:",
    "名前:",
    "이름:",
];

/// What comes after a name where no spaces are between words; longer ones come first.
pub(super) const NO_SPACES_AFTER: [&str; 11] = [
    "이라고 합니다",
    "라고 합니다",
    "입니다",
    "이에요",
    "예요",
    "と申します",
    "と言います",
    "といいます",
    "です",
    "ครับ",
    "ค่ะ",
];

/// What a person is or does: the first word after "I am" that is no name, in lower case.
pub(super) const STATES: &str = "not no a an the in at from for there here interested busy fine ok okay \
    good great well happy sorry just very really so still looking calling writing trying having going \
    only also already sure unable away out driving sick tired new me your you my his her their our it \
    this that all what who how why about spam scam later back soon tomorrow today now when asap maybe \
    urgent private secret confidential ready available unavailable called yours fed glad afraid done over also too being getting \
    un una no muy desde bien mal interesado interesada ocupado ocupada cliente nuevo nueva aqui de que yo \
    um uma nao muito bem ocupado dono inquilino proprietario eu so novo \
    ein eine nicht kein keine nur gerade schon noch krank beschaftigt interessiert unterwegs hier kunde \
    neu auf im bei froh leider auch der die das doch \
    une pas tres desole desolee interesse occupe occupee en au chez ici d'accord bien client pret quoi qui \
    il non molto interessato occupato di qui d'accordo een niet geen druk bezig hier \
    nie zainteresowany zajety tu na w z nu foarte inte ikke jeg en et ei \
    не занят занята в из на тут здесь хочу просто уже тоже против и твой ваш не зараз \
    مهتم غير لا من في مشغول هنا לא רוצה מעוניין עסוק כאן नहीं यहाँ व्यस्त bukan tidak di dari sedang khong \
    dang o";
