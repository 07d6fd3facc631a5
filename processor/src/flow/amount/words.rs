//! The lexicon of words beside a number, in lower case. Apostrophes and hyphens separate words: "it's"
//! is "it" and "s".

use std::collections::HashMap;
use std::sync::LazyLock;

use super::compact;
use super::currency::CURRENCIES;
use crate::flow::keyword::letters;

/// The effect of a word on the number beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Has no effect.
    Filler,
    /// Has no effect before the number; starts a period after it ("7500 a month").
    Article,
    /// Requires a period next.
    Per,
    Month,
    Monthly,
    /// The codes that the word may mean.
    Currency(&'static [&'static str]),
    /// A bound, a negation, another period or a count.
    Unclear,
}

/// Returns the effect of `word`; none for an unknown word.
pub(super) fn meaning(word: &str) -> Option<Meaning> {
    static LEXICON: LazyLock<HashMap<String, Meaning>> = LazyLock::new(|| {
        let currencies = CURRENCIES
            .iter()
            .map(|&(codes, words)| (Meaning::Currency(codes), words));
        lexicon(MEANINGS.into_iter().chain(currencies))
    });
    LEXICON.get(word).copied()
}

/// Returns the power of ten by which a word directly after a number multiplies it.
pub(super) fn multiplier(word: &str) -> Option<u32> {
    static LEXICON: LazyLock<HashMap<String, u32>> = LazyLock::new(|| {
        let mut known = lexicon(MULTIPLIERS.into_iter());
        let listed = compact::multipliers();
        let plain = listed.iter().filter_map(|(word, exponent)| {
            let plain: String = letters(word).collect();
            (plain.is_ascii() && !listed.contains_key(&plain)).then_some((plain, *exponent))
        });
        for (word, exponent) in listed.clone().into_iter().chain(plain) {
            if meaning(&word).is_none() {
                known.entry(word).or_insert(exponent);
            }
        }
        known
    });
    LEXICON.get(word).copied()
}

/// Returns the currency beside which a letter multiplies ("₹2.5L", "50 т.р."), and the multiplier's
/// name.
pub(super) fn letter_multiplier(letter: &str) -> Option<(&'static str, &'static str)> {
    Some(match letter {
        "l" => ("inr", "lakh"),
        "t" => ("eur", "thousand"),
        "т" => ("rub", "thousand"),
        "b" => ("try", "thousand"),
        "g" => ("usd", "thousand"),
        "w" => ("cny", "万"),
        "mi" => ("brl", "million"),
        "mm" => ("usd", "million"),
        _ => return None,
    })
}

/// Returns the words of `lists`, with and without accents.
fn lexicon<T: Copy>(lists: impl Iterator<Item = (T, &'static str)>) -> HashMap<String, T> {
    let entries: Vec<(&str, T)> = lists
        .flat_map(|(value, words)| words.split_whitespace().map(move |word| (word, value)))
        .collect();
    let listed = entries
        .iter()
        .map(|&(word, value)| (word.to_owned(), value));
    let mut lexicon: HashMap<String, T> = listed.collect();
    for (word, value) in entries {
        let plain: String = letters(word).collect();
        if plain.len() > 1 && plain.is_ascii() {
            lexicon.entry(plain).or_insert(value);
        }
    }
    lexicon
}

const MULTIPLIERS: [(u32, &str); 8] = [
    (2, "hundred 百"),
    (
        3,
        "k к thousand thousands thou grand ribuan milzinho lucas luca mil tausend tsd mille mila hazar hazaar тыс тысяч \
        тысячи тысяча тыщ тыщи тис тисяч tys tyś tysięcy tysiące tis tisíc bin rb ribu duizend \
        千 천 हजार हज़ार ألف الف آلاف الاف",
    ),
    (4, "万 萬 만"),
    (5, "lakh lakhs lac lacs lk lks लाख"),
    (
        6,
        "m mn mio mln mill jutaan tr лям ляма лямов million millions millionen millón millon millones milhão milhões milhao \
        milhoes milione milioni miljoen milyon juta jt млн миллион миллиона миллионов milion \
        miliony milionów مليون",
    ),
    (7, "crore crores cr करोड़ करोड"),
    (8, "億 亿 억"),
    (
        9,
        "bn md mds tỷ tỉ mrd milliard milliards milliarde milliarden млрд",
    ),
];

const MEANINGS: [(Meaning, &str); 12] = [
    (Meaning::Article, "a"),
    (
        Meaning::Per,
        "per p om pe each every pro je jeden por cada par chaque ogni za",
    ),
    (
        Meaning::Month,
        "month mo mth monat mes mês mois mese maand bulan ay месяц мес місяць miesiąc měsíc महीना \
        महीने माह månad måned måneden månaden mån mies lună شهر الشهر 月 월",
    ),
    (
        Meaning::Monthly,
        "monthly pcm monatlich mtl mensual mensuales mensal mensais mensuel mensuels mensile mensili \
        maandelijks aylık ежемесячно miesięcznie měsíčně månadsvis havonta lunar شهريا شهرياً 毎 每",
    ),
    // Bounds, negations, parts of the whole.
    (
        Meaning::Unclear,
        "between entre zwischen tra между more mehr más mas mais plus più больше более over above \
        exceed über least minimum min mindestens mínimo minimo almeno menos from starting ab \
        desde от dès less under below unter weniger moins meno меньше менее not no never don t \
        without nicht kein keine keinen ohne sin não nao sem non pas ne sans senza не нет без \
        nie नहीं لا 不 没 超 过 過 起 초 부 から 미 half double twice dozen percent prozent call phone tel cannot cant dont minus \
        north south excess upward upwards upto onwards partir too expensive trop troppo caro cara \
        cher mucho demasiado muito teuer viel zuviel дорого drogo",
    ),
    // Other periods, times of day.
    (
        Meaning::Unclear,
        "year years yearly yr yrs annum annual annually quarter quarterly week weeks weekly wk \
        day days daily hour hours hourly hr hrs jahr jahre jährlich woche wochen wöchentlich tag \
        tage täglich stunde stunden año años anual semana semanas día días hora horas ano anos \
        dia dias an ans année annuel semaine jour jours heure heures anno anni annuo settimana \
        giorno giorni ora ore jaar uur год года лет неделю день дней час часов rok rocznie lat \
        yıl yıllık hafta haftalık gün günlük saat tahun tahunan minggu hari साल दिन سنة سنويا أسبوعيا يوم \
        ساعة 年 日 時 时 点 년 일 周 週 fortnight fortnightly biweekly bimonthly nightly jährl jhrl \
        quartal quartalsweise halbjährlich semanal semanales semanais quincenal quincenales quincena \
        quinzenal quinzenais bimestral bimestrales trimestral trimestrales trimestrais semestral \
        anuales anuais annuels annuelle hebdo hebdomadaire trimestre trimestriel trimestriels semestre \
        annui annuale annuali settimanale settimanali trimestrale trimestrali quindicinali wekelijks \
        jaarlijks kwartaal vecka veckan dagen uge ugen uka årlig årligen årligt årlige året viikko viikossa vuosi \
        vuodessa еженедельно ежегодно ежедневно неделя нед квартал тиждень щотижня рік tydzień \
        tygodniowo kwartał týdně ročně týždenne ročne săptămână săptămânal hetente \
        évente εβδομάδα ετησίως",
    ),
    // Counted things, ordinals.
    (
        Meaning::Unclear,
        "months mos monate monaten meses mesi месяцев месяца miesięcy people persons person users \
        employees staff seats units pieces pcs items leads times personen mitarbeiter personas \
        empleados pessoas personnes persone человек 人 名 个 명 개 km kg am pm clock uhr st nd rd th",
    ),
    // English.
    (
        Meaning::Filler,
        "my our the budget is are be it its s that this i d m we have has got can could would \
        will like want to spend pay think guess say maybe probably about around roughly approx \
        approximately circa ca some up max maximum at most of for in on and total calendar \
        exactly only just so well hi hello ok okay yes yeah sure please pls thanks thank you invest \
        investing ish or but as with do nearly almost currently now us cash tops flexible ideally \
        should if possible possibly comfortably altogether overall budgeted all excluding excl \
        excluded including incl included inc ex net gross vat tax taxes gst american canadian \
        australian sounds works good fine great enough available right limit ceiling sharp flat \
        best",
    ),
    (
        Meaning::Filler,
        "let lets start starts put planning plan plans set",
    ),
    // German, Dutch.
    (
        Meaning::Filler,
        "mein unser das ist sind liegt bei von ein ich bin wir haben habe es etwa ungefähr rund \
        bis zu maximal höchstens im der den für ja bitte danke genau ongeveer mijn ons kann \
        zahlen ausgeben investieren mit um die beträgt brutto netto rond van bar und zzgl inkl exkl mwst \
        ust insgesamt ungef flexibel oder denke alstublieft alsjeblieft graag voor og och vielleicht wäre wären gut monatliches zur verfügung verfügbar genug möglich \
        werbung misschien goed beschikbaar ungefär ungefähre kanske gäller gärna cirka",
    ),
    // Spanish, Portuguese, French, Italian.
    (
        Meaning::Filler,
        "mi nuestro presupuesto de un el la al tengo tenemos son sería unos unas aproximadamente \
        cerca hasta máximo sí si gracias meu nosso orçamento orcamento é o ao tenho temos uns \
        até sim obrigado obrigada mon notre est le à ai j nous avons environ jusqu oui merci mio \
        nostro il è ho abbiamo sì grazie massimo favore puedo con com \
        avec dans les peu près di sui casi quase tipo aprox alrededor como invertir gastar pagar \
        posso investir dépenser payer peux ht ttc investire spendere pagare en para pour creo iva tva \
        incluido inclusa incluso inclus hors brut bruto lordo neto netti maxi svp vous plaît te \
        efectivo espèces contanti dinheiro flexibles mexicanos argentinos colombianos chilenos \
        americanos américains aproximados peut être disponible disponibles quizás quizas acho disponibili forse \
        bastano início publicidad pub",
    ),
    // Russian, Polish, Turkish, Indonesian, Hindi, Arabic, Chinese, Japanese, Korean.
    (
        Meaning::Filler,
        "мой наш бюджет около примерно до в на у меня нас есть да спасибо mój nasz budżet około \
        na bütçem bütçemiz yaklaşık anggaran sekitar saya मेरा हमारा बजट है लगभग करीब प्रति \
        ميزانيتي ميزانيتنا حوالي في могу готов потратить где то порядка составляет пожалуйста наличными proszę lütfen nakit mam может наверное думаю максимум хватит może maksymalnie maks civarı civarında var \
        kadar hai po lang naman سعودي مصري إماراتي 以 内 上 限 상 まで 하 约 約 大 \
        概 左 右 预 算 予 的 是 我 は が です くらい ぐらい ほど 程 度 예 산 은 는 이 가 을 를 약 정 도",
    ),
];

/// Returns whether the filler `word` is a bound after a number: "5000 and up", "5000元以上".
pub(super) fn is_bound_after(word: &str) -> bool {
    matches!(word, "up" | "上" | "상")
}

/// Returns whether the filler `word` may be a unit after a number: "R$ 5 mi", "5 d", "5 mon".
pub(super) fn is_no_filler_after(word: &str) -> bool {
    matches!(word, "mi" | "mon" | "d" | "s" | "j" | "te")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_word_is_listed_once_as_messages_are_read() {
        let mut seen = HashSet::new();
        let lists = MEANINGS.iter().map(|(_, words)| *words);
        let words = lists.chain(CURRENCIES.iter().map(|(_, words)| *words));
        for word in words.flat_map(str::split_whitespace) {
            assert!(seen.insert(word), "{word} is listed twice");
            assert_eq!(word.to_lowercase(), word);
            assert!(meaning(word).is_some());
        }
    }
}
