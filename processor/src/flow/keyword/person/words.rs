//! The words of requests for a person, by language.

use super::Vocabulary;

pub(super) const VOCABULARIES: &[Vocabulary] = &[
    Vocabulary {
        languages: &["en"],
        humans: "human,humans,human being,real person,live person,actual person,real human",
        persons: "person",
        jobs: "agent,live agent,representative,rep,operator,advisor,adviser,consultant,specialist,\
               manager,supervisor,salesperson,sales rep,customer service,customer support,\
               customer care,support,helpdesk,staff",
        others: "someone,somebody,anyone,anybody,people,sales,team,employee,colleague",
        talk: "talk speak speaking chat call connect transfer contact reach forward redirect",
        want: "want need wanna prefer get give like send",
        ones: "",
        fillers: "i we me us my a an the to with from your you can could may might would d pls plz \
                  please kindly just now hi hello hey ok directly there is in of for through thanks \
                  thank let s have instead only and it possible here wish put help assistance \
                  answer reply respond assist me back will someone's live real give",
    },
    Vocabulary {
        languages: &["es"],
        humans: "humano,humana,ser humano,persona real,persona de verdad,atención humana",
        persons: "persona",
        jobs: "agente,asesor,asesora,operador,operadora,representante,ejecutivo,ejecutiva,\
               consultor,consultora,especialista,vendedor,vendedora,encargado,encargada,gerente,\
               servicio al cliente,atención al cliente,soporte",
        others: "alguien,gente,ventas,equipo,empleado",
        talk: "hablar hablarle hablo comunicarme comunicar comuníqueme comunícame comuníquenme \
               contactar contactarme pasarme pásame páseme pásenme pasar conéctame conécteme \
               conectar transferir transfiérame transfiéreme atiéndame atienda atiende charlar \
               conversar llamar llame llamen",
        want: "quiero quisiera querría quería necesito deseo prefiero dame deme",
        ones: "un una",
        fillers: "con a al el la los de del por favor porfa porfavor me le que podría puedo puede \
                  pueden podrían podemos podés puedes gustaría yo hola buenas ya mejor directamente \
                  gracias aquí usted ustedes tu su ser se ayuda \
                  contestar contestarme conteste responder responderme responda ayudar ayudarme ayude atender atenderme humano una un",
    },
    Vocabulary {
        languages: &["pt"],
        humans: "humano,humana,ser humano,pessoa real,pessoa de verdade,atendimento humano,\
                 atendente humano",
        persons: "pessoa",
        jobs: "agente,atendente,atendimento,operador,operadora,representante,consultor,consultora,\
               vendedor,vendedora,especialista,gerente,assessor,assessora,suporte,\
               serviço ao cliente,atendimento ao cliente",
        others: "alguém,gente,vendas,equipe,equipa,funcionário",
        talk: "falar fale falo conversar contatar contactar transferir transfira transfere \
               conectar conecte passar passe passa chamar chama ligar",
        want: "quero queria gostaria preciso desejo prefiro quiser",
        ones: "um uma",
        fillers: "com o a os as do da de por favor pfv pf me eu posso pode podem poderia podia que \
                  pra para no na oi olá bom boa dia tarde noite já aqui obrigado obrigada você \
                  vocês se seu sua só diretamente faz favor \
                  responder responde responda ajudar ajuda atender atende um uma humano",
    },
    Vocabulary {
        languages: &["de"],
        humans: "echten menschen,echter mensch,echte person",
        persons: "person,mensch,menschen",
        jobs: "agent,agenten,mitarbeiter,mitarbeiterin,berater,beraterin,ansprechpartner,\
               ansprechpartnerin,kundenservice,kundendienst,kundenbetreuer,support,operator,\
               sachbearbeiter,verkäufer,vertreter",
        others: "jemand,jemanden,jemandem,kollegen,kollegin,team,vertrieb",
        talk: "sprechen spreche reden rede telefonieren chatten verbinden verbinde verbindet \
               weiterleiten leiten kontaktieren schreiben",
        want: "möchte möchten will wollen brauche hätte würde bevorzuge geben",
        ones: "ein eine einen einem einer",
        fillers: "ich wir mich mir uns mit der die das den dem zu an bitte lieber gern gerne kann \
                  könnte können könnten sie ihr euch du ihrem ihren einmal mal hallo doch nur \
                  direkt jetzt hier danke es \
                  antworten antwortet antworte helfen hilft beantworten",
    },
    Vocabulary {
        languages: &["fr"],
        humans: "humain,humaine,être humain,vraie personne,personne réelle,vrai humain",
        persons: "",
        jobs: "agent,agente,conseiller,conseillère,opérateur,opératrice,représentant,commercial,\
               commerciale,responsable,service client,support,vendeur",
        others: "quelqu'un,personne,équipe,collègue",
        talk: "parler parlez discuter communiquer contacter joindre transférer transférez \
               connectez mettez passez passer appeler échanger",
        want: "veux voudrais voudrait souhaite souhaiterais aimerais besoin préfère préférerais \
               donnez",
        ones: "un une",
        fillers: "je j nous moi me à a au avec le la les de du d l en s il vous te plaît plait svp \
                  stp ai puis peux peut pourrais est ce que possible relation bonjour merci \
                  directement ici bien votre on \
                  répondre répond aider aide un une t qu pouvez pourriez",
    },
    Vocabulary {
        languages: &["it"],
        humans: "umano,umana,essere umano,persona reale,persona vera,persona in carne e ossa",
        persons: "persona",
        jobs: "agente,operatore,operatrice,consulente,rappresentante,addetto,addetta,\
               responsabile,assistenza,servizio clienti,venditore,commerciale,specialista",
        others: "qualcuno,gente,team,collega",
        talk: "parlare parlo chattare comunicare contattare passami passatemi passarmi mettermi \
               mettetemi chiamare trasferire",
        want: "voglio vorrei desidero preferisco bisogno dammi datemi preferirei",
        ones: "un una uno",
        fillers: "con il la lo un di del a al per favore piacere posso potrei può potete potrebbe \
                  mi io ho si in contatto ciao salve buongiorno grazie subito qui vostro d \
                  rispondere risponde rispondermi aiutare aiutarmi aiuta",
    },
    Vocabulary {
        languages: &["nl"],
        humans: "echt mens,echt persoon,echte persoon,menselijk",
        persons: "persoon,mens",
        jobs: "medewerker,medewerkster,agent,adviseur,klantenservice,vertegenwoordiger,collega,\
               consulent,operator",
        others: "iemand,mensen,verkoop,team",
        talk: "praten spreken spreek chatten bellen doorverbinden verbind contact overleggen",
        want: "wil willen graag nodig heb liever geef zou",
        ones: "een",
        fillers: "ik wij me mij met de het te aan alsjeblieft alstublieft aub kan kunt mag u je \
                  jullie van uw even hallo nu bedankt direct gewoon door worden \
                  antwoorden antwoordt antwoord helpen een mij",
    },
    Vocabulary {
        languages: &["pl"],
        humans: "człowiekiem",
        persons: "człowiek,człowieka,osoba,osobą,osobę",
        jobs: "konsultant,konsultantem,konsultantką,konsultanta,agent,agentem,agenta,doradca,\
               doradcą,doradcy,pracownik,pracownikiem,pracownika,operator,operatorem,operatora,\
               przedstawiciel,przedstawicielem,biuro obsługi",
        others: "kimś,ktoś,kogoś,ludźmi",
        talk: "rozmawiać porozmawiać pogadać mówić połączyć połącz połączcie połączenie skontaktować kontakt \
               rozmowa rozmowę",
        want: "chcę chciałbym chciałabym potrzebuję wolę poproszę",
        ones: "jeden jedna jedną",
        fillers: "z ze proszę o do mnie się czy mogę można ja dzień dobry cześć żywą prawdziwą \
                  prawdziwym żywym mi prosze \
                  odpowiedzieć odpowie odpowiada pomóc pomoże proszę",
    },
    Vocabulary {
        languages: &["cs", "sk"],
        humans: "člověkem,človekom",
        persons: "člověk,člověka,človek,človeka,osoba,osobou,osobu",
        jobs: "operátor,operátorem,operátora,operátorom,agent,agentem,agentom,pracovník,\
               pracovníkem,pracovníkom,poradce,poradcem,poradca,poradcom,zástupce,zástupcem,\
               zástupcom,zákaznická podpora,zákaznícka podpora",
        others: "někdo,někým,někoho,niekto,niekým,niekoho",
        talk: "mluvit promluvit hovořit spojit spojte přepojit přepojte kontaktovat hovoriť rozprávať \
               porozprávať prepojiť prepojte",
        want: "chci chtěl chtěla potřebuji potřebuju chcem chcel chcela potrebujem radšej raději",
        ones: "jeden jedna jednou jednu",
        fillers: "s se sa so prosím já ja bych by som mě mne ma mi na k skutečným skutočným živým můžu \
                  mohu môžem dobrý den deň ahoj děkuji ďakujem",
    },
    Vocabulary {
        languages: &["ro"],
        humans: "om real,ființă umană,uman",
        persons: "om,persoană,persoana",
        jobs: "agent,operator,consultant,reprezentant,consilier,angajat,asistență,relații clienți",
        others: "cineva,coleg",
        talk: "vorbesc vorbi vorbim discuta discut contactez contacta transferați conectați",
        want: "vreau doresc vrea dori prefer nevoie aș",
        ones: "un o",
        fillers: "cu să sa te rog vă va rugăm eu pot mă ma la am de as bună ziua salut mulțumesc \
                  reală adevărată",
    },
    Vocabulary {
        languages: &["hu"],
        humans: "emberrel,élő ember,igazi ember",
        persons: "ember,embert,személy,személlyel",
        jobs: "ügyintéző,ügyintézővel,ügyintézőt,munkatárs,munkatárssal,munkatársat,operátor,\
               operátorral,ügynök,tanácsadó,tanácsadóval,ügyfélszolgálat,ügyfélszolgálattal",
        others: "valaki,valakivel",
        talk: "beszélni beszélnék beszélhetek beszélhetnék kapcsoljon kapcsolja kapcsolni",
        want: "szeretnék akarok kérek kérném szükségem inkább",
        ones: "egy",
        fillers: "a az kérem légyszi legyen szíves én van egyik élő igazi szia jó napot köszönöm \
                  hogy lehet",
    },
    Vocabulary {
        languages: &["sv"],
        humans: "människa,mänsklig,riktig människa,riktig person,levande person",
        persons: "person",
        jobs: "agent,medarbetare,rådgivare,handläggare,kundtjänst,representant,säljare,operatör",
        others: "någon,nån,kollega",
        talk: "prata tala snacka chatta ringa koppla kontakta kontakt",
        want: "vill skulle behöver önskar föredrar hellre",
        ones: "en ett",
        fillers: "jag vi med till att få tack snälla kan mig en riktig gärna hej bara nu här er ni \
                  komma i vilja",
    },
    Vocabulary {
        languages: &["da", "no", "nb", "nn"],
        humans: "menneskelig,rigtigt menneske,ekte menneske,virkelig person,ekte person",
        persons: "person,menneske",
        jobs: "medarbejder,medarbeider,agent,rådgiver,rådgivar,kundeservice,kundebehandler,\
               kundesenter,konsulent,sælger,selger,representant,operatør",
        others: "nogen,noen,nokon,kollega",
        talk: "tale snakke snakka chatte ringe kontakte kontakt kontakta viderestilles prate",
        want: "vil ville gerne gjerne ønsker trenger har brug behøver foretrækker",
        ones: "en et ein eit",
        fillers: "jeg eg vi med til at å få tak takk venligst kan mig meg en et et rigtigt ekte \
                  vær så snill hej hei bare nu nå her i komme be om bede for",
    },
    Vocabulary {
        languages: &["fi"],
        humans: "ihmisen,oikea ihminen,ihmiselle",
        persons: "ihminen,ihmistä,henkilö,henkilön",
        jobs: "asiakaspalvelija,asiakaspalvelijan,asiakaspalvelu,asiakaspalvelun,asiakaspalveluun,\
               agentti,agentin,neuvoja,neuvojan,virkailija,virkailijan,myyjä,myyjän,edustaja,\
               edustajan",
        others: "joku,jonkun,jollekin",
        talk: "puhua puhuisin jutella keskustella yhdistä yhdistäkää yhteys yhteyttä",
        want: "haluan haluaisin tarvitsen voinko voisinko saanko saisinko",
        ones: "yksi yhden",
        fillers: "kanssa kiitos oikean oikea minä mä minut hei moi nyt mieluummin olla voi ottaa",
    },
    Vocabulary {
        languages: &["el"],
        humans: "πραγματικό άνθρωπο,ανθρώπου",
        persons: "άνθρωπος,άνθρωπο,άτομο",
        jobs: "εκπρόσωπος,εκπρόσωπο,υπάλληλος,υπάλληλο,σύμβουλος,σύμβουλο,πράκτορας,πράκτορα,\
               εξυπηρέτηση πελατών,αντιπρόσωπο",
        others: "κάποιον,κάποιος,συνεργάτη",
        talk: "μιλήσω μιλάω επικοινωνήσω συνδέστε συνομιλήσω σύνδεση",
        want: "θέλω ήθελα χρειάζομαι προτιμώ",
        ones: "έναν ένας ένα μία",
        fillers: "με σε να τον την το παρακαλώ θα μπορώ μου εγώ γεια σας πραγματικό κατευθείαν \
                  ευχαριστώ μιας",
    },
    Vocabulary {
        languages: &["ru", "uk", "bg"],
        humans: "человеком,живой человек,людиною,жива людина,жив човек",
        persons: "человек,человека,людина,людину,човек,човека",
        jobs: "оператор,оператором,оператора,оператору,менеджер,менеджером,менеджера,менеджеру,\
               консультант,консультантом,консультанта,консультанту,агент,агентом,агента,\
               специалист,специалистом,специалиста,специалисту,сотрудник,сотрудником,сотрудника,\
               поддержка,поддержкой,служба поддержки,спеціаліст,спеціалістом,спеціаліста,\
               підтримка,працівник,працівником,представител,консултант,служител",
        others: "кем-нибудь,кем-то,кто-нибудь,людьми,кимось,хтось,кимось із,някого,някой",
        talk: "поговорить говорить пообщаться общаться связаться соедините соедини свяжите \
               переключите переключи позовите поговорити говорити спілкуватися зв'яжіть \
               з'єднайте поклич зв'яжіться говоря поговоря свържете свържи разговор",
        want: "хочу хотел хотела хотелось нужен нужна дайте позови надо хотів хотіла потрібен \
               потрібна потрібно искам бих желая предпочитам",
        ones: "один одного одна един една",
        fillers: "с со к на на пожалуйста можно я мне меня бы мы живым живой настоящим реальным вас \
                  с будь ласка з із зі до можна мені мене би я да моля ви мога ли жив жива живою истински \
                  ме ми здравствуйте привет спасибо добрый день добрий дякую здравейте по \
                  можете можешь вы ты ответить ответит ответьте отвечает ответил помочь поможет может може відповісти відповість допомогти отговори",
    },
    Vocabulary {
        languages: &["sr", "hr", "bs", "sl", "mk"],
        humans: "čovjekom,čovekom,človekom,човеком,živom osobom,stvarnom osobom",
        persons: "čovjek,čovek,človek,човек,osoba,osobom,osobo,особа,особом",
        jobs: "agent,agentom,operater,operaterom,konzultant,konzultantom,predstavnik,\
               predstavnikom,savjetnik,savetnik,svetovalec,svetovalcem,podrška,агент,агентом,\
               оператер,оператером",
        others: "nekim,netko,neko,nekoga,nekom,nekdo,nekom,неким,неко,некого",
        talk: "razgovarati pričati govoriti govoril govorila pogovoriti spojite povežite \
               kontaktirati разговарати причати зборувам разговарам поврзете",
        want: "želim hoću htio htjela hteo htela trebam treba rad rada hočem potrebujem želeo želela \
               желим хоћу сакам",
        ones: "jedan jedna jednom eden ena eno један",
        fillers: "s sa z molim molim vas prosim ja jaz bih bi da mogu li lahko pravom pravim živim \
                  stvarnim хвала са со молим те ве hvala se me",
    },
    Vocabulary {
        languages: &["tr"],
        humans: "insan,insanla,gerçek biri,gerçek biriyle,gerçek kişi,canlı destek,\
                 canlı biri",
        persons: "",
        jobs: "temsilci,temsilciye,temsilciyle,müşteri temsilcisi,müşteri temsilcisine,\
               müşteri temsilcisiyle,müşteri hizmetleri,operatör,operatöre,operatörle,yetkili,\
               yetkiliyle,yetkiliye,danışman,danışmanla,danışmana,görevli,görevliyle",
        others: "biri,biriyle,birisi,birisiyle,kişi,kişiyle",
        talk: "konuşmak konuşabilir konuşayım görüşmek görüşebilir bağlan bağlanmak bağla bağlayın \
               bağlar aktar aktarın yazışmak",
        want: "istiyorum isterim istiyoruz lazım gerek",
        ones: "bir",
        fillers: "ile lütfen miyim mısınız misiniz beni bana ben bir gerçek canlı merhaba direkt mi \
                  olarak rica ederim \
                  cevap verebilir verir yanıtlayabilir yardım edebilir ararsanız",
    },
    Vocabulary {
        languages: &["ar", "fa"],
        humans: "شخص حقيقي,بشري,إنسان حقيقي,انسان واقعی",
        persons: "شخص,إنسان,انسان",
        jobs: "موظف,الموظف,ممثل,وكيل,مندوب,خدمة العملاء,الدعم,مستشار,اپراتور,کارشناس,پشتیبان,\
               پشتیبانی",
        others: "أحد,احد,أحدهم,حد,کسی,یکی",
        talk: "التحدث أتحدث اتحدث أتكلم اتكلم التكلم التواصل أتواصل اتواصل تحويلي حولني حوّلني \
               أكلم اكلم الحديث صحبت کنم وصل کنید حرف بزنم",
        want: "أريد اريد أود اود أرغب ارغب أحتاج احتاج ابغى بدي عايز عاوز ممكن می خواهم میخواهم \
               میخوام لطفا",
        ones: "واحد یک",
        fillers: "مع إلى الى من فضلك لو سمحت أن ان حقيقي واقعی هل يمكنني انا أنا رجاء رجاءً مرحبا السلام \
                  عليكم شكرا ب با را \
                  يرد يجيب الرد يساعدني مساعدتي على علي",
    },
    Vocabulary {
        languages: &["he"],
        humans: "אנושי,בן אדם,אדם אמיתי,נציג אנושי,בנאדם",
        persons: "אדם",
        jobs: "נציג,נציגה,נציגת,נציג שירות,שירות לקוחות,סוכן,יועץ,מוקדן",
        others: "מישהו,מישהי",
        talk: "לדבר להתחבר תעבירו תעביר להעביר לשוחח",
        want: "רוצה צריך צריכה מבקש מבקשת אפשר",
        ones: "",
        fillers: "אני עם אל בבקשה אותי לי היי שלום של תודה את ל \
                  לענות יענה לעזור יכול יכולה",
    },
    Vocabulary {
        languages: &["hi", "bn"],
        humans: "असली इंसान,মানুষের",
        persons: "इंसान,इन्सान,मानव,insaan,insan,মানুষ,व्यक्ति,आदमी",
        jobs: "एजेंट,प्रतिनिधि,ग्राहक सेवा,ऑपरेटर,agent,এজেন্ট,প্রতিনিধি",
        others: "किसी,कोई,kisi,koi,কারো,কেউ",
        talk: "बात करना करनी करवाओ करवाइए baat karni karna karwao কথা বলতে",
        want: "चाहता चाहती चाहिए chahta chahti chahiye চাই",
        ones: "एक ek একজন",
        fillers: "से मुझे मैं हूँ हूं है कृपया जी प्लीज हो सके असली mujhe main se hai hu hun please \
                  ji কৃপা করে দয়া করে আমি সাথে সঙ্গে একটু",
    },
    Vocabulary {
        languages: &["id", "ms"],
        humans: "manusia,orang asli,orang sungguhan,orang sebenar,manusia asli",
        persons: "",
        jobs: "agen,ejen,operator,petugas,cs,customer service,layanan pelanggan,admin,perwakilan,\
               khidmat pelanggan,staf,konsultan,staff",
        others: "seseorang,orang",
        talk: "bicara berbicara ngobrol bercakap cakap hubungi hubungkan sambungkan chat ngomong \
               berbual",
        want: "mau ingin butuh perlu nak minta ingin mahu",
        ones: "seorang satu",
        fillers: "dengan sama ke saya aku tolong mohon bisa boleh dong ya yang dapat sila halo hai \
                  langsung terima kasih \
                  menjawab jawab membalas balas membantu bantu apakah",
    },
    Vocabulary {
        languages: &["vi"],
        humans: "người thật,con người",
        persons: "",
        jobs: "nhân viên,tư vấn viên,tổng đài viên,nhân viên tư vấn,chăm sóc khách hàng,\
               nhân viên hỗ trợ",
        others: "người,ai đó",
        talk: "nói chuyện gặp chat liên hệ trao đổi kết nối",
        want: "muốn cần cho xin",
        ones: "một",
        fillers: "tôi mình em anh chị với làm ơn vui lòng được ạ có thể hãy",
    },
    Vocabulary {
        languages: &["ca"],
        humans: "humà,humana,ésser humà,persona real",
        persons: "persona",
        jobs: "agent,assessor,assessora,operador,operadora,atenció al client",
        others: "algú",
        talk: "parlar contactar comunicar passar",
        want: "vull voldria necessito prefereixo",
        ones: "un una",
        fillers: "amb la el l de si us plau sisplau m podria puc em agradaria hola gràcies",
    },
];

/// Wishes for a call, separated by commas.
pub(super) const CALLS: &[(&[&str], &str)] = &[
    (
        &["en"],
        "call me,call me back,call us,phone me,ring me,give me a call,give me a ring,callback,call back,\
         need a call,want a call,like a call,request a call",
    ),
    (
        &["es"],
        "llámame,llámeme,llámenme,me llaman,me llamas,me llamen,me llame,me pueden llamar,me puede llamar,\
         me puedes llamar,pueden llamarme,puede llamarme,puedes llamarme,podrían llamarme,llamarme",
    ),
    (
        &["pt"],
        "me liga,me liguem,me ligue,me ligar,liga para mim,liga pra mim,ligue para mim,ligue pra mim,\
         liguem para mim,ligar para mim,ligar pra mim,me telefona,me telefone,ligue-me,liga-me,liguem-me",
    ),
    (
        &["de"],
        "ruf mich an,ruft mich an,rufen sie mich an,ruf mich bitte an,ruft mich bitte an,\
         rufen sie mich bitte an,mich anrufen,mich bitte anrufen,rückruf,mich zurückrufen,\
         rufen sie mich zurück,ruf mich zurück,rufen sie mich bitte zurück,ruf mich bitte zurück",
    ),
    (
        &["fr"],
        "appelez-moi,appelle-moi,rappelez-moi,rappelle-moi,m'appeler,me rappeler,m'appelez,me rappelez,\
         me téléphoner",
    ),
    (
        &["it"],
        "chiamami,chiamatemi,mi chiami,mi chiamate,mi chiama,mi può chiamare,mi potete chiamare,chiamarmi,\
         richiamami,richiamatemi,richiamarmi,telefonami,telefonatemi,telefonarmi",
    ),
    (
        &["nl"],
        "bel me,bel mij,bel me terug,bel mij terug,mij bellen,me bellen,mij terugbellen,me terugbellen,\
         bellen jullie mij",
    ),
    (
        &["pl"],
        "zadzwoń do mnie,zadzwońcie do mnie,zadzwonić do mnie,do mnie zadzwonić,proszę zadzwonić,\
         oddzwoń,oddzwońcie,oddzwonić,proszę o telefon",
    ),
    (
        &["cs", "sk"],
        "zavolejte mi,zavolej mi,zavolajte mi,zavolaj mi,mi zavolat,mi zavolať",
    ),
    (
        &["ro"],
        "sunați-mă,sună-mă,mă sunați,mă puteți suna,mă suni",
    ),
    (
        &["hu"],
        "hívjon fel,hívjanak fel,hívj fel,hívjon vissza,hívjanak vissza,hívj vissza,visszahívást",
    ),
    (
        &["sv"],
        "ring mig,ringa mig,ring upp mig,ringa upp mig,ring mig gärna",
    ),
    (
        &["da", "no", "nb", "nn"],
        "ring til mig,ringe til mig,ring mig op,ringe mig op,ring meg,ringe meg,ring til meg,ringe til meg",
    ),
    (
        &["fi"],
        "soittakaa minulle,soita minulle,soittaa minulle,soittakaa,voitteko soittaa",
    ),
    (
        &["el"],
        "πάρτε με τηλέφωνο,πάρε με τηλέφωνο,καλέστε με,κάλεσέ με,τηλεφωνήστε μου,με πάρετε τηλέφωνο",
    ),
    (
        &["ru", "uk", "bg"],
        "позвоните,позвоните мне,позвони мне,мне позвонить,мне позвоните,перезвоните,перезвони,\
         перезвоните мне,мне перезвонить,зателефонуйте,зателефонуйте мені,подзвоніть мені,передзвоніть,\
         мені зателефонувати,обадете ми се,обади ми се,позвънете ми",
    ),
    (
        &["sr", "hr", "bs", "sl", "mk"],
        "nazovite me,nazovi me,pozovite me,pozovi me,me nazvati,me pozvati,pokličite me,позовите ме",
    ),
    (
        &["tr"],
        "beni arayın,beni ara,beni arar mısınız,beni arayabilir misiniz,arayın beni,arar mısınız,\
         beni arasın",
    ),
    (
        &["ar", "fa"],
        "اتصل بي,اتصلوا بي,اتصلو بي,الاتصال بي,تتصل بي,كلمني,كلموني,رن علي,به من زنگ بزنید,زنگ بزنید",
    ),
    (
        &["he"],
        "תתקשרו אליי,תתקשרו אלי,תתקשר אליי,תתקשר אלי,התקשרו אליי,התקשרו אלי,להתקשר אליי,להתקשר אלי,\
         תחזרו אליי",
    ),
    (
        &["hi", "bn"],
        "मुझे कॉल करें,मुझे कॉल करो,मुझे कॉल कीजिए,मुझे फोन करें,मुझे फोन करो,कॉल करें,फोन करें,\
         mujhe call karo,mujhe call karein,mujhe call kijiye,call karo,call kijiye,call karein,\
         phone karo,mujhe phone karo,আমাকে কল করুন,আমাকে ফোন করুন",
    ),
    (
        &["id", "ms"],
        "telepon saya,telpon saya,menelepon saya,menghubungi saya,hubungi saya,telefon saya,call saya,\
         telepon aku",
    ),
    (
        &["vi"],
        "gọi cho tôi,gọi lại cho tôi,gọi điện cho tôi,gọi cho mình,gọi lại cho mình,gọi cho em,\
         gọi lại cho em",
    ),
    (
        &["zh"],
        "请打电话给我,打电话给我,给我打电话,请给我打电话,請打電話給我,打電話給我,給我打電話,打给我,打給我,请回电,請回電,\
         请致电给我,能给我打电话吗,可以打电话给我吗",
    ),
    (
        &["ja"],
        "電話してください,電話ください,お電話ください,電話をください,お電話をください,折り返し電話ください,電話お願いします,\
         お電話お願いします,電話してほしい,電話してほしいです,折り返しください",
    ),
    (
        &["ko"],
        "전화해 주세요,전화 주세요,전화 부탁드립니다,전화 부탁드려요,전화 부탁해요,전화 좀 주세요,저한테 전화해 주세요",
    ),
    (
        &["th"],
        "โทรหาฉัน,โทรหาฉันหน่อย,ช่วยโทรหาฉัน,โทรหาผม,โทรหาผมหน่อย,ช่วยโทรหาผม,โทรกลับด้วย,กรุณาโทรกลับ,ช่วยโทรกลับ,\
         โทรมาหน่อย,ช่วยโทรมาหน่อย",
    ),
    (&["ca"], "truca'm,truqueu-me,em podeu trucar"),
];

/// Refusals, where the word for "not" is also one of requests: Hebrew writes "to" and "do not" alike.
pub(super) const REFUSALS: &[(&[&str], &str)] = &[(
    &["he"],
    "אל תתקשרו,אל תתקשר,אל תתקשרי,אל תחזרו,אל תעבירו,אל תעביר",
)];

/// Whole messages, separated by commas.
pub(super) const PHRASES: &[(&[&str], &str)] = &[
    (
        &["en"],
        "no bot,no bots,no robots,not a bot,i don't want a bot,i don't want to talk to a bot,\
         i don't want to talk to a robot,i don't want to talk to a machine,i don't want to chat with a bot",
    ),
    (
        &["es"],
        "no quiero hablar con un bot,no quiero hablar con un robot,no quiero hablar con una máquina",
    ),
    (
        &["pt"],
        "não quero falar com robô,não quero falar com um robô,não quero falar com um bot",
    ),
    (
        &["zh"],
        "人工,我要找人工,轉人工,转人工,人工客服,转人工客服,轉人工客服,真人,真人客服,有真人吗,能让真人回复吗,可以让真人回答吗,我要人工,我要人工客服,客服,\
         联系客服,聯絡客服,找客服,我要找客服,人工服务,人工服務,转接人工,转人工服务,我想和人说话,\
         我想跟真人說話,我想跟真人说话,请转人工,請轉人工,我要真人,找真人,和真人说话,我想找人工客服",
    ),
    (
        &["ja"],
        "オペレーター,オペレーターお願いします,オペレーターにつないで,オペレーターにつないでください,\
         オペレーターと話したい,人と話したい,人と話したいです,人間,人間と話したい,人間と話したいです,\
         人間につないで,担当者,担当者と話したい,担当者と話したいです,担当者につないでください,\
         担当者をお願いします,有人対応,有人チャット,スタッフと話したい,スタッフと話したいです,\
         カスタマーサポート,人間に答えてほしい,人間が答えてください,人に答えてほしいです",
    ),
    (
        &["ko"],
        "사람이랑 통화하고 싶어요,사람과 통화하고 싶어요,상담원,상담원 연결,상담원 연결해 주세요,상담원과 통화,상담사,상담사 연결,상담사 연결해 주세요,사람,\
         사람과 이야기하고 싶어요,사람과 대화하고 싶어요,사람이랑 얘기하고 싶어요,상담원이랑 얘기하고 싶어요,\
         상담원과 이야기하고 싶어요,직원 연결,직원과 이야기하고 싶어요,상담원 바꿔 주세요,고객센터,사람이 답해 주세요,사람이 답변해 주세요",
    ),
    (
        &["th"],
        "ขอคุยกับคนจริงๆ,เจ้าหน้าที่,พนักงาน,แอดมิน,คน,คุยกับเจ้าหน้าที่,ขอคุยกับเจ้าหน้าที่,ขอคุยกับคน,คุยกับคน,\
         คุยกับพนักงาน,ขอคุยกับพนักงาน,ติดต่อเจ้าหน้าที่,ต้องการคุยกับเจ้าหน้าที่,อยากคุยกับคน,\
         อยากคุยกับเจ้าหน้าที่,ขอสายเจ้าหน้าที่,ขอคุยกับแอดมิน,ขอคุยกับคนจริง,ให้คนจริงตอบได้ไหม,ขอให้คนตอบ",
    ),
];
