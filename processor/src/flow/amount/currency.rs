//! Lists the currencies that words and signs may mean.

const DOLLARS: &[&str] = &[
    "usd", "cad", "aud", "nzd", "sgd", "hkd", "twd", "mxn", "ars", "clp", "cop",
];
/// Dollars by name; pesos share only the sign.
const NAMED_DOLLARS: &[&str] = &["usd", "cad", "aud", "nzd", "sgd", "hkd", "twd"];
const PESOS: &[&str] = &["mxn", "ars", "clp", "cop", "php"];
const POUNDS: &[&str] = &["gbp", "egp"];
const RUPEES: &[&str] = &["inr", "pkr", "lkr", "npr"];
const KRONER: &[&str] = &["sek", "nok", "dkk", "czk"];
const YEN: &[&str] = &["jpy", "cny"];

/// The words for currencies, with the codes that each may mean.
pub(super) const CURRENCIES: [(&[&str], &str); 87] = [
    (&["usd"], "usd bucks баксов баксы бакса"),
    (
        NAMED_DOLLARS,
        "dollar dollars dólar dólares dolares dollari доллар доллара долларов долларах доларів долар \
        dolar dolarów dolary dolarer dollár dolari dola डॉलर دولار دولارات δολάρια דולר דולרים دلار \
        ドル 달러 đô",
    ),
    (
        &["eur"],
        "eur euro euros euritos eurito euroa euron евро يورو ευρώ eura eurů eiro eurot eurillos eurini tacken balles евра eurų evrov evrů evra یورو 유로 ユーロ",
    ),
    (&["gbp"], "gbp quid sterling"),
    (POUNDS, "pound pounds"),
    (&["chf"], "chf fr sfr franken"),
    (&["chf", "xof", "xaf"], "francs"),
    (&["inr"], "inr"),
    (
        RUPEES,
        "rs rupees rupee रुपये रुपए रु रुपया روپے روپیہ ரூபாய் రూపాయలు રૂપિયા",
    ),
    (&["brl"], "brl reais real conto contos pila pilas pratas"),
    (PESOS, "peso pesos"),
    (&["mxn"], "mxn"),
    (&["ars"], "ars mangos"),
    (&["clp"], "clp"),
    (&["cop"], "cop"),
    (&["cad"], "cad"),
    (&["aud"], "aud"),
    (&["nzd"], "nzd"),
    (&["sgd"], "sgd"),
    (&["hkd"], "hkd"),
    (&["php"], "php"),
    (&["rub"], "rub руб рубль рубля рублей рублях р"),
    (&["uah"], "uah грн гривень гривні гривня"),
    (&["pln"], "pln zł zl złotych"),
    (&["czk"], "czk kč korun koruna koruny"),
    (KRONER, "kr"),
    (&["nok", "dkk"], "kroner"),
    (&["sek", "isk"], "kronor krona"),
    (&["zar", "brl"], "r"),
    (&["kes", "tzs", "ugx"], "shilingi shillings sh"),
    (&["irt"], "تومان تومن toman"),
    (&["sek"], "sek spänn"),
    (&["nok"], "nok"),
    (&["dkk"], "dkk"),
    (&["try"], "try tl lira"),
    (&["idr"], "idr rp rupiah"),
    (&["aed", "mad"], "dh"),
    (&["aed"], "aed dhs dirham dirhams درهم درهما"),
    (&["sar"], "sar riyal riyals ريال ريالا"),
    (&["egp"], "egp جنيه جنيها"),
    (&["zar"], "zar rand"),
    (&["ngn"], "ngn naira"),
    (&["kes"], "kes ksh"),
    (&["jpy"], "jpy yen 円"),
    (&["cny"], "cny rmb yuan 元"),
    (&["krw"], "krw 원"),
    (&["ron"], "ron lei leu"),
    (&["huf"], "huf ft forint forintot"),
    (&["thb"], "thb baht บาท"),
    (&["ils"], "ils nis שקל שקלים שח"),
    (&["vnd"], "vnd đ đồng"),
    (&["pen"], "pen soles"),
    (&["kwd"], "kwd"),
    (&["mad"], "mad"),
    (&["bdt"], "bdt taka টাকা"),
    (&["pkr"], "pkr"),
    (&["lkr"], "lkr"),
    (&["npr"], "npr"),
    (&["twd"], "twd"),
    (&["myr"], "myr rm ringgit"),
    (&["gtq"], "gtq quetzales"),
    (&["uyu"], "uyu"),
    (&["bob"], "bolivianos"),
    (&["bob", "ves"], "bs"),
    (&["xof", "xaf"], "fcfa cfa"),
    (&["amd"], "amd դրամ"),
    (&["pyg"], "pyg guaraníes"),
    (&["dop"], "dop"),
    (&["crc"], "crc colones"),
    (&["bgn"], "bgn лв лева"),
    (&["rsd"], "rsd din dinara dinari динара динари"),
    (&["isk"], "isk krónur"),
    (&["kzt"], "kzt тенге теңге"),
    (&["gel"], "ლარი"),
    (&["azn"], "azn manat"),
    (&["byn"], "byn"),
    (&["uzs"], "uzs"),
    (&["qar"], "qar"),
    (&["omr"], "omr"),
    (&["bhd"], "bhd"),
    (&["jod"], "jod"),
    (&["ghs"], "ghs cedi cedis"),
    (&["tzs"], "tzs"),
    (&["ugx"], "ugx"),
    (&["etb"], "etb birr ብር"),
    (&["xof"], "xof"),
    (&["xaf"], "xaf"),
];

/// Returns the currencies that a sign may mean.
pub(super) fn by_sign(sign: char) -> Option<&'static [&'static str]> {
    Some(match sign {
        '$' => DOLLARS,
        '€' => &["eur"],
        '£' | '￡' => POUNDS,
        '¥' | '￥' => YEN,
        '₹' => &["inr"],
        '₨' => RUPEES,
        '₽' => &["rub"],
        '₺' => &["try"],
        '₴' => &["uah"],
        '₦' => &["ngn"],
        '₩' => &["krw"],
        '₫' => &["vnd"],
        '₱' => &["php"],
        '฿' => &["thb"],
        '₪' => &["ils"],
        '₵' => &["ghs"],
        '₸' => &["kzt"],
        '₾' => &["gel"],
        '৳' => &["bdt"],
        '₼' => &["azn"],
        '₲' => &["pyg"],
        '₡' => &["crc"],
        _ => return None,
    })
}

/// Returns the currency of letters before `$`, as in `R$`.
pub(super) fn by_dollar_prefix(word: &str) -> Option<&'static [&'static str]> {
    Some(match word {
        "r" => &["brl"],
        "us" | "u" => &["usd"],
        "c" | "ca" => &["cad"],
        "a" | "au" => &["aud"],
        "nz" => &["nzd"],
        "s" | "sg" => &["sgd"],
        "hk" => &["hkd"],
        "nt" => &["twd"],
        "mx" | "mex" => &["mxn"],
        "ar" => &["ars"],
        "cl" => &["clp"],
        "col" => &["cop"],
        _ => return None,
    })
}
