//! Lists the currencies that words and signs may mean.

const DOLLARS: &[&str] = &[
    "usd", "cad", "aud", "nzd", "sgd", "hkd", "twd", "mxn", "ars", "clp", "cop",
];
const PESOS: &[&str] = &["mxn", "ars", "clp", "cop", "php"];
const POUNDS: &[&str] = &["gbp", "egp"];
const RUPEES: &[&str] = &["inr", "pkr", "lkr", "npr"];
const KRONER: &[&str] = &["sek", "nok", "dkk", "czk"];
const YEN: &[&str] = &["jpy", "cny"];

/// The words for currencies, with the codes that each may mean.
pub(super) const CURRENCIES: [(&[&str], &str); 47] = [
    (&["usd"], "usd bucks"),
    (
        DOLLARS,
        "dollar dollars dólar dólares dolares dollari доллар долларов",
    ),
    (
        &["eur"],
        "eur euro euros euritos eurito euroa euron евро يورو ευρώ eura eurů eiro eurot 유로",
    ),
    (&["gbp"], "gbp quid sterling"),
    (POUNDS, "pound pounds"),
    (&["chf"], "chf fr sfr franken francs"),
    (&["inr"], "inr"),
    (RUPEES, "rs rupees rupee रुपये रुपए रु"),
    (&["brl"], "brl reais real"),
    (PESOS, "peso pesos"),
    (&["mxn"], "mxn"),
    (&["ars"], "ars"),
    (&["clp"], "clp"),
    (&["cop"], "cop"),
    (&["cad"], "cad"),
    (&["aud"], "aud"),
    (&["nzd"], "nzd"),
    (&["sgd"], "sgd"),
    (&["hkd"], "hkd"),
    (&["php"], "php"),
    (&["rub"], "rub руб рубль рубля рублей р"),
    (&["uah"], "uah грн гривень"),
    (&["pln"], "pln zł zl złotych"),
    (&["czk"], "czk kč korun"),
    (KRONER, "kr"),
    (&["sek"], "sek"),
    (&["nok"], "nok"),
    (&["dkk"], "dkk"),
    (&["try"], "try tl lira"),
    (&["idr"], "idr rp rupiah"),
    (&["aed"], "aed dhs dirham dirhams درهم"),
    (&["sar"], "sar riyal riyals ريال"),
    (&["egp"], "egp جنيه"),
    (&["zar"], "zar rand"),
    (&["ngn"], "ngn naira"),
    (&["kes"], "kes ksh"),
    (&["jpy"], "jpy yen 円"),
    (&["cny"], "cny rmb yuan 元"),
    (&["krw"], "krw 원"),
    (&["ron"], "ron lei leu"),
    (&["huf"], "huf ft forint"),
    (&["thb"], "thb baht บาท"),
    (&["ils"], "ils nis שקל שקלים"),
    (&["vnd"], "vnd đ đồng"),
    (&["pen"], "pen soles"),
    (&["kwd"], "kwd"),
    (&["mad"], "mad"),
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
