//! Lists the words beside a number by their effects.

use super::Meaning;
use crate::flow::amount::period::Period;

/// The powers of ten of words.
pub(super) const MULTIPLIERS: [(u32, &str); 8] = [
    (2, "hundred 百"),
    (
        3,
        "k к thousand thousands thou grand ribuan milzinho lucas luca mil tausend tsd mille mila \
        hazar hazaar тыс тысяч тысячи тысяча тыщ тыщи тис тисяч tys tyś tysięcy tysiące tis \
        tisíc bin rb ribu duizend 千 천 हजार हज़ार ألف الف آلاف الاف ngàn nghìn ہزار هزار হাজার \
        ஆயிரம் వేలు వేల ಸಾವಿರ ആയിരം હજાર ਹਜ਼ਾਰ hiljada hiljade тисячі พัน",
    ),
    (4, "万 萬 만"),
    (
        5,
        "lakh lakhs lac lacs lk lks लाख লাখ লক্ষ லட்சம் லட்ச లక్ష లక్షలు లక్షల ಲಕ್ಷ ലക്ഷം લાખ ਲੱਖ \
        لاکھ แสน",
    ),
    (
        6,
        "m mn mio mln mill jutaan tr лям ляма лямов million millions millionen millón millon \
        millones milhão milhões milhao milhoes milione milioni miljoen milyon juta jt млн \
        миллион миллиона миллионов milion miliony milionów مليون",
    ),
    (
        7,
        "crore crores cr करोड़ करोड কোটি கோடி కోటి కోట్లు ಕೋಟಿ കോടി કરોડ ਕਰੋੜ کروڑ",
    ),
    (8, "億 亿 억"),
    (
        9,
        "bn md mds tỷ tỉ mrd milliard milliards milliarde milliarden млрд",
    ),
];

/// The effects of words.
pub(super) const MEANINGS: [(Meaning, &str); 28] = [
    (Meaning::Article, "a an"),
    (
        Meaning::Per,
        "per p om pe each every pro je jeden por cada par chaque ogni za ต่อ mỗi kwa setiap प्रति",
    ),
    (
        Meaning::Period(Period::Month),
        "month mo mth monat mes mês mois mese maand bulan ay месяц мес місяць miesiąc měsíc महीना \
        महीने माह månad måned måneden månaden mån mies lună شهر الشهر 月 월 tháng thang mnd mesec \
        mjesec месец місяця mesiac hó hónap kuukausi kk μήνα mwezi মাস மாதம் నెల महिना mėn \
        mėnesį mēnesī mēn kuu kuus muaj חודש เดือน ماه مہینہ bulanan",
    ),
    (
        Meaning::Periodic(Period::Month),
        "monthly pcm monatlich mtl mensual mensuales mensal mensais mensuel mensuels mensile \
        mensili maandelijks aylık ежемесячно miesięcznie měsíčně månadsvis havonta lunar شهريا \
        شهرياً 毎 每 mesačne mjesečno mesečno месечно щомісяця щомісячно kuussa kuukaudessa ayda \
        sebulan лунар μηνιαίως לחודש ماهانه ماہانہ মাসে மாதத்திற்கு మాసంలో महिन्याला เดือนละ \
        mánaðarlega mánuði maandelijkse monatliche mensualmente mensalmente בחודש ماهی bln \
        mensuellement mensilmente",
    ),
    (
        Meaning::Period(Period::Hour),
        "hour hr stunde hora heure ora uur час saat ساعة",
    ),
    (Meaning::Periodic(Period::Hour), "hourly"),
    (
        Meaning::Period(Period::Day),
        "day tag día dia jour giorno день gün hari दिन يوم 日 일 天",
    ),
    (
        Meaning::Periodic(Period::Day),
        "daily täglich günlük ежедневно diario diaria diários diário quotidien giornaliero \
        dagelijks dagligen dagligt daglig sehari harian щодня dziennie denně ημερησίως",
    ),
    (
        Meaning::Period(Period::Week),
        "week wk woche semana semaine settimana неделю неделя нед hafta minggu 周 週 vecka veckan \
        tuần týden týždeň nedelja недеља седмица ሳምንት สัปดาห์ هفته ہفتہ שבוע uge ugen uka viikko \
        viikossa тиждень tydzień săptămână εβδομάδα",
    ),
    (
        Meaning::Periodic(Period::Week),
        "weekly wöchentlich haftalık أسبوعيا semanal semanales semanais hebdo hebdomadaire \
        settimanale settimanali wekelijks еженедельно щотижня tygodniowo týdně týždenne \
        săptămânal hetente haftada seminggu mingguan semanalmente nedeljno tjedno седмично \
        ukentlig veckovis viikoittain εβδομαδιαία לשבוע",
    ),
    (
        Meaning::Periodic(Period::Fortnight),
        "fortnight fortnightly",
    ),
    (
        Meaning::Periodic(Period::HalfMonth),
        "quincenal quincenales quincena quinzenal quinzenais quindicinali",
    ),
    (
        Meaning::Periodic(Period::TwoMonths),
        "bimestral bimestrales",
    ),
    (
        Meaning::Period(Period::Quarter),
        "quarter quartal trimestre kwartaal квартал kwartał",
    ),
    (
        Meaning::Periodic(Period::Quarter),
        "quarterly quartalsweise trimestral trimestrales trimestrais trimestriel trimestriels \
        trimestrale trimestrali",
    ),
    (Meaning::Period(Period::HalfYear), "semestre"),
    (
        Meaning::Periodic(Period::HalfYear),
        "halbjährlich semestral",
    ),
    (
        Meaning::Period(Period::Year),
        "year yr annum jahr año ano année anno jaar год рік rok yıl tahun साल سنة 年 년 vuosi χρόνο \
        έτος mwaka বছর ஆண்டு वर्ष שנה ปี سال godina година vuodessa året",
    ),
    (
        Meaning::Periodic(Period::Year),
        "yearly annual annually pa jährlich jährl jhrl anual anuales anuais annuel annuels \
        annuelle annuo annui annuale annuali jaarlijks rocznie yıllık tahunan سنويا årlig \
        årligen årligt årlige ежегодно ročně ročne évente ετησίως yılda setahun anualmente \
        annuellement annualmente щорічно щороку godišnje годишно לשנה سنوي ปีละ",
    ),
    // Bounds, negations, parts of the whole.
    (
        Meaning::Unclear,
        "between entre zwischen tra между more mehr más mas mais plus più больше более over above \
        exceed über least minimum min mindestens mínimo minimo almeno menos from starting ab \
        desde от dès less under below unter weniger moins meno меньше менее not no never don t \
        without nicht kein keine keinen ohne sin não nao sem non pas ne sans senza не нет без \
        nie नहीं لا 不 没 超 过 過 起 초 부 から 미 half double twice dozen percent prozent call phone tel \
        cannot cant dont minus north south excess upward upwards upto onwards partir too \
        expensive trop troppo caro cara cher mucho demasiado muito teuer viel zuviel дорого \
        drogo superior inferior superiores inferiores maior maiores menor menores mayor acima \
        abaixo encima debajo arriba abajo dessus dessous supérieur supérieure inférieur \
        inférieure meer minder vanaf oltre sotto sopra maggiore minore superiore inferiore \
        größer kleiner höher niedriger higher lower greater smaller bigger beyond upper mindre \
        större større fler flere alul legfeljebb выше ниже меньшее більш вище нижче wyżej niżej \
        więcej mniej víc méně viac menej manj yukarı aşağı zaidi higit மேல் 多 より 少な geen ikke \
        inte ej nej ei nincs nem няма ні немає нема brak niema żadne žádný žádné nemám nessun \
        nessuna ningún ninguno ninguna nenhum nenhuma aucun aucune jamais nunca neen nope yok \
        değil tidak bukan không chưa ไม่ না இல்லை లేదు نه نیست نہیں אין ليس ليست بدون 没有 無 ない \
        ません 아니 없 δεν όχι χωρίς hapana hakuna wala walang neither nor nothing zonder keiner \
        niente nichts rien nada över yli enemmän vähintään minst mindst več více nad ponad \
        powyżej poniżej понад більше менше свыше fazla az altında üstünde üzerinde üzeri lebih \
        kurang minimal minimaal minimalnie minimálně hơn trên dưới بیشتر کمتر أكثر أقل فوق تحت \
        יותר פחות מעל מתחת לפחות πάνω κάτω τουλάχιστον περισσότερο λιγότερο peste minim kevesebb \
        legalább felett alatt više manje najmanje iznad повече поне над под বেশি ज्यादा ज़्यादा \
        कम अधिक wenig little low poco pouco мало mało sedikit قليل 少 costly duur dyr dyrt pahalı \
        mahal đắt महंगा غالي יקר 贵 貴 高 kallis drahé drága scump ακριβό скъпо skupo chère cheap \
        barato billig günstig",
    ),
    // Counted periods, times of day, and periods that people mix up.
    (
        Meaning::Unclear,
        "years yrs weeks days hours hrs jahre wochen tage stunden años semanas días horas anos \
        dias ans jours heures anni giorni ore года лет дней часов lat 時 时 点 biweekly bimonthly \
        nightly dagen",
    ),
    // Counted things, ordinals.
    (
        Meaning::Unclear,
        "months mos monate monaten meses mesi месяцев месяца miesięcy people persons person users \
        employees staff seats units pieces pcs items leads times personen mitarbeiter personas \
        empleados pessoas personnes persone человек persona pessoa personne osobę osobu osoba \
        osób persoană persoane kopf kişi người คน orang व्यक्ति व्यक्ती شخص للشخص אדם לאדם \
        человека чел шт штуку sztuka sztukę kus kusů kpl stuk stück pièce pieza peça unidad \
        unidade unité unità pezzo stk bucată buc darab komad click klick lead клик head cabeza \
        cabeça testa tête chacun chacune ciascuno jeweils apiece qm mq 人 名 个 명 개 km kg am pm \
        clock uhr st nd rd th",
    ),
    // Approximations.
    (
        Meaning::About,
        "about around roughly approx approximately circa ca some ish nearly almost etwa ungefähr \
        rund ongeveer rond ungef ungefär ungefähre cirka unos unas uns aproximadamente cerca \
        environ près casi quase aprox alrededor aproximados около примерно порядка почти \
        приблизительно близько приблизно майже około prawie yaklaşık neredeyse civarı civarında \
        sekitar hampir khoảng gần लगभग करीब तकरीबन حوالي تقريبا تقريباً نحو بحدود קרוב בערך noin \
        suunnilleen omkring nästan nesten næsten omtrent cca přibližně asi zhruba približne \
        körülbelül kb nagyjából περίπου σχεδόν aproximativ vreo presque bijna fast knapp ประมาณ \
        ราว quasi mga rundt cam حدودا تقریبا בסביבות だいたい およそ runt okolo към oko γύρω apie umbes \
        okoli rreth დაახლოებით մոտ aproape حدود tầm chừng abt bout kolem jakieś десь falan filan প্রায় சுமார் تقریباً шамамен 한 約 约 くらい ぐらい ほど",
    ),
    // English.
    (
        Meaning::Filler,
        "my our the budget is are be it its s that this i d m we have has got can could would \
        will like want to spend pay think guess say maybe probably up max maximum at most of for \
        in on and total calendar exactly only just so well hi hello ok okay yes yeah sure please \
        pls thanks thank you invest investing or but as with do currently now us cash tops \
        flexible ideally should if possible possibly comfortably altogether overall budgeted all \
        excluding excl excluded including incl included inc ex net gross vat tax taxes gst \
        american canadian australian sounds works good fine great enough available right limit \
        ceiling sharp flat ive re ve ll afford usually normally generally average avg bill comes \
        pays paying range aiming looking thinking bro mate sir madam dear hey hii there \
        budgeting allocate allocated need last was said electric probs tbh lmao electricity energy rent cost costs here best",
    ),
    (
        Meaning::Filler,
        "let lets start starts put planning plan plans set",
    ),
    // German, Dutch.
    (
        Meaning::Filler,
        "mein unser das ist sind liegt bei von ein ich bin wir haben habe es bis zu maximal \
        höchstens im der den für ja bitte danke genau mijn ons kann zahlen ausgeben investieren \
        mit um die beträgt brutto netto van bar und zzgl inkl exkl mwst ust insgesamt flexibel \
        oder denke alstublieft alsjeblieft graag voor og och vielleicht wäre wären gut \
        monatliches zur verfügung verfügbar genug möglich werbung misschien het goed beschikbaar \
        kanske gäller gärna zahle gebe aus meine rechnung kostet kosten stromrechnung hallo \
        guten würde dachte betaal betalen rekening stroom kost uit wij hej vi jag har mitt \
        betalar räkning regning betaler maximaal höjst højst høyst högst",
    ),
    // Spanish, Portuguese, French, Italian.
    (
        Meaning::Filler,
        "mi nuestro presupuesto de un el la al tengo tenemos son sería hasta máximo sí si gracias \
        meu nosso orçamento orcamento é o ao tenho temos até sim obrigado obrigada mon notre est \
        le à ai j nous avons jusqu oui merci mio nostro il è ho abbiamo sì grazie massimo favore \
        puedo con com avec dans les peu di sui tipo como invertir gastar pagar posso investir \
        dépenser payer peux ht ttc investire spendere pagare en para pour creo iva tva incluido \
        inclusa incluso inclus hors brut bruto lordo neto netti maxi svp vous plaît te efectivo \
        espèces contanti dinheiro flexibles mexicanos argentinos colombianos chilenos americanos \
        américains peut être disponible disponibles quizás quizas acho disponibili forse bastano \
        início publicidad pub minha minhas conta luz que energia fatura vem vêm gasto gastamos \
        pago pagamos valor media média normalmente geralmente hoje costuma vir fica ficar \
        mensalidade passado esse kkk kkkk kkkkk rsrs rsrsrs jaja jajaja tá ta está esta meus oi olá ola boa tarde noite somos são factura recibo \
        gano ganamos netos llega viene sale cuesta promedio hola buenas nosotros mis hoy paie paye payons dépense \
        dépensons facture coûte bonjour bonsoir salut ma spendo spendiamo paghiamo bolletta \
        costa ciao salve",
    ),
    // Russian, Polish, Turkish, Indonesian, Hindi, Arabic, Chinese, Japanese, Korean.
    (
        Meaning::Filler,
        "мой наш бюджет до в на у меня нас есть да спасибо mój nasz budżet na bütçem bütçemiz \
        anggaran saya मेरा हमारा बजट है ميزانيتي ميزانيتنا في могу готов потратить где то \
        составляет пожалуйста наличными proszę lütfen nakit mam может наверное думаю максимум \
        хватит może maksymalnie maks var kadar hai po lang naman سعودي مصري إماراتي плачу платим \
        счет счёт трачу тратим выходит сумма привет здравствуйте рахунок сплачую płacę płacimy \
        rachunek wydaję kwota cześć merhaba selam ödüyorum öderim bütçe مرحبا أدفع ادفع فاتورتي \
        فاتورة الفاتورة الميزانية ميزانية תקציב שלי אני משלם मैं बिल नमस्ते mera mere tak \
        tagihan bayar kira kak dalam aata aside \
        inversión investimento inversion investissement investition investering importe monto cantidad amount sum summe betrag montant somme bedrag valore importo somma suma сума tutar مبلغ סכום jumlah số tiền untuk cho для dla ให้ 金 额 額 금 액 than als wie che чем which aktuell derzeit momentan zurzeit actualmente atualmente actuellement \
        attualmente momenteel сейчас obecnie haha lol deu veio saiu ficou foi salió vino em \
        varies vary halo kami ngân sách của tôi là งบ ครับ ค่ะ platím platíme účet fizetek \
        számla πληρώνω λογαριασμός maksan lasku plătesc плащам сметка plaćam račun maksimal \
        бюджетът budžet rozpočet költségvetés bajet 以 内 上 限 상 まで 하 大 概 左 右 预 算 予 的 是 我 は が です 程 \
        度 예 산 吧 呢 啊 哦 呀 嘛 了 可 能 要 想 有 付 给 価 格 願 思 費 用 に で を も と お かな します います お願い いたします ます 입 니 다 \
        요 에 서 로 쯤 το τον την στα στο στη 은 는 이 가 을 를 약 정 도",
    ),
];
