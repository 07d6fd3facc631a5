//! Replaces phrases around an amount by one word, or by nothing.

use std::sync::LazyLock;

use foldhash::HashMap;

use super::letters::stands_alone;

/// Returns the text without phrases that bound or round an amount and leave it as it is. Currencies
/// with full stops become their codes. `text` is in lower case.
pub(super) fn without_phrases(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_part = first.is_alphabetic() && is_within_word(out.chars().next_back());
        let found = (!is_part)
            .then(|| BY_FIRST.get(&first)?.iter().find_map(|it| it.replace(rest)))
            .flatten();
        if let Some((instead, after)) = found {
            out.push_str(instead);
            rest = after;
        } else {
            out.push(first);
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    out
}

struct Phrase {
    phrase: &'static str,
    instead: &'static str,
}

impl Phrase {
    /// Returns the replacement and the text after it, if `text` begins with the phrase.
    fn replace<'a>(&self, text: &'a str) -> Option<(&'static str, &'a str)> {
        let after = text.strip_prefix(self.phrase)?;
        (!is_within_word(after.chars().next())).then_some((self.instead, after))
    }
}

/// Returns whether `c` beside a phrase makes it the part of a longer word.
fn is_within_word(c: Option<char>) -> bool {
    c.is_some_and(|c| c.is_alphabetic() && !stands_alone(c))
}

/// The phrases by their first character, the longest first.
static BY_FIRST: LazyLock<HashMap<char, Vec<Phrase>>> = LazyLock::new(|| {
    let mut by_first: HashMap<char, Vec<Phrase>> = HashMap::default();
    for (instead, phrases) in PHRASES {
        for phrase in phrases.split(", ") {
            for first in phrase.chars().take(1) {
                by_first
                    .entry(first)
                    .or_default()
                    .push(Phrase { phrase, instead });
            }
        }
    }
    for phrases in by_first.values_mut() {
        phrases.sort_by_key(|it| std::cmp::Reverse(it.phrase.len()));
    }
    by_first
});

const PHRASES: [(&str, &str); 30] = [
    (
        "max",
        "no máximo, no maximo, 最多, 最高, 至多, tối đa, không quá, nem több mint, ne više od, ne vec od, nu mai mult de, \
        ikke over, inte över, ei yli, enintään, en çok, paling banyak, не повече от, όχι πάνω από, \
        no more than, not more than, no mas de, no más de, não mais que, não mais de, nao mais que, \
        nao mais de, nicht mehr als, niet meer dan, pas plus de, non più di, non piu di, не более, \
        не больше, nie więcej niż, inte mer än, ikke mere end, en fazla, tidak lebih dari",
    ),
    (
        "~",
        "+-, +/-, ±, -ish, zo'n, más o menos, mas o menos, mais ou menos, più o meno, piu o meno, plus ou moins, more or less, \
        mehr oder weniger, плюс минус, плюс-минус, or so, por volta de, 差不多, lebih kurang, em torno de, ao redor de, \
        perto de, en torno a, alrededor de, a eso de, aux alentours de, autour de, à peu près, \
        intorno a, in torno a, give or take, in the region of, in the ballpark of, in der größenordnung von, plus minus, \
        plus/minus, in de buurt van, in de orde van, в районе, где-то, mniej więcej, kurang lebih, \
        khoảng chừng, în jur de, in jur de, aşağı yukarı, sådär, suurin piirtein",
    ),
    (
        "",
        "or less, o menos, ou menos, oder weniger, ou moins, o meno, или меньше",
    ),
    (" lakh yearly ", "lpa, l.p.a"),
    (
        "",
        "dá, je paie, je paye, je dépense, je peux, je veux, je voudrais, je pense, je dispose de, je mets",
    ),
    ("1000 ", "o mie"),
    ("~", "כ-"),
    (" usd ", "美元, 美金, 美刀, 米ドル"),
    (" eur ", "欧元, 歐元"),
    (" jpy ", "日元, 日圓"),
    (" hkd ", "港元, 港币, 港幣"),
    (" twd ", "台币, 新台币, 台幣, 新臺幣"),
    (
        "not",
        "至少, 最少, 最低, 起码, en az, ít nhất, tối thiểu, cel puțin, mai mult de, mai puțin de, anything but, alles außer, todo menos, tout sauf, tudo menos, tutto tranne",
    ),
    ("元", "人民币, 人民幣, 块钱, 塊錢, 块, 塊"),
    (" sar ", "ر.س"),
    (" ils ", "ש\"ח, ש״ח"),
    (" pen ", "s/"),
    (" euros ", "d'euros, d'euro"),
    (" thousand kr ", "tkr"),
    (" thousand rub ", "тр"),
    (" eur monthly ", "e/kk"),
    (" thousand eur ", "teur"),
    (
        " monthly ",
        "p/m, p/mnd, por mes, por mês, par mois, im monat, pro monat, al mes, al mese, ao mês, kwa mwezi, kada buwan, \
        每个月, 每個月, 一个月, 一個月, 毎月, 月に, ひと月, 한달에, 한 달에, mỗi tháng, một tháng, /tháng, per bulan, \
        প্রতি মাসে",
    ),
    (
        " yearly ",
        "/năm, mỗi năm, một năm, p/y, p/a, 每年, 一年, 毎年, 年間, kwa mwaka, በዓመት",
    ),
    (
        "hello",
        "thanks a lot, bom dia, buen día, buen dia, buenos días, buenos dias, bonne journée, guten tag, good day, \
        buongiorno, buon giorno, dzień dobry, dobrý den, dobar dan, добрый день, добрий день, goedendag, god dag, \
        goddag, selamat pagi, selamat siang, selamat malam, xin chào, iyi günler, good morning, good evening, \
        good afternoon, buenas tardes, buenas noches, boa tarde, boa noite, guten morgen, guten abend, \
        добрый вечер, السلام عليكم, صباح الخير, مساء الخير",
    ),
    (" aed ", "د.إ"),
    (" egp ", "ج.م"),
    (" kwd ", "د.ك"),
    (" mad ", "د.م"),
    ("max", "at most, als maximum"),
];
