//! Reads the phone number in a text, by the numbering plans of libphonenumber.

use std::sync::LazyLock;

use phonenumber::metadata::DATABASE;
use phonenumber::{Metadata, Mode, PhoneNumber, Type, country};
use regex::Regex;
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

use super::plain::plain;

/// Brazil writes the carrier that a caller chooses as `0xx11`.
static CARRIER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"(?i)\b0 ?xx ?").ok());

/// A day, month and year, or the other way round.
static DATE: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"^(?:[0-3]?\d([./ -])[0-3]?\d([./ -])(?:\d\d|(?:19|20|21)\d\d)|(?:19|20|21)\d\d[./ -][0-3]?\d[./ -][0-3]?\d)$").ok()
});

/// Thousands in groups of three.
static AMOUNT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\d{1,3}(?:[. ]\d{3})+$").ok());

/// A number of an identity card or a tax payer, as in Brazil and Chile: thousands, and check digits.
static IDENTITY: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^\d{1,3}(?:\.\d{3})+-\d{1,2}$").ok());

/// A word before the digits of an extension, which E.164 does not have.
const EXTENSIONS: [&str; 12] = [
    "ext",
    "extension",
    "x",
    "int",
    "interno",
    "ramal",
    "anexo",
    "durchwahl",
    "dw",
    "poste",
    "доб",
    "dahili",
];

/// Words before the digits of something else, or before another's phone number: "to order call" is what
/// a shop writes.
const OTHERWISE: [&str; 57] = [
    "order",
    "orders",
    "pedidos",
    "encomendas",
    "commandes",
    "bestellungen",
    "bestellingen",
    "ordini",
    "ordinare",
    "заказы",
    "заказов",
    "zamówień",
    "siparişler",
    "pedido",
    "encomenda",
    "commande",
    "bestellung",
    "bestellnummer",
    "bestelling",
    "ordine",
    "заказ",
    "заказа",
    "zamówienie",
    "zamówienia",
    "sipariş",
    "invoice",
    "rechnung",
    "rechnungsnummer",
    "fattura",
    "factura",
    "fatura",
    "protocolo",
    "ticket",
    "kundennummer",
    "kundennr",
    "vertragsnummer",
    "cpf",
    "cnpj",
    "rg",
    "dni",
    "nif",
    "curp",
    "rfc",
    "cédula",
    "cedula",
    "rut",
    "ssn",
    "passport",
    "pasaporte",
    "passaporte",
    "паспорт",
    "инн",
    "снилс",
    "aadhaar",
    "aadhar",
    "pesel",
    "siret",
];

/// E.164: digits at most, with the country code.
const MAX_DIGITS: usize = 15;

/// Fewer digits than this are a number only in countries whose mobile numbers are as short.
const MIN_DIGITS: usize = 7;

/// Returns the one number in `text` as `+` and digits. `country` is the calling code that numbers
/// without one get. Returns none for a text with two numbers, and for a date, an amount or a
/// number that no country has.
pub(super) fn read(text: &str, country: Option<&str>) -> Option<String> {
    let text = plain(text);
    let text = CARRIER.as_ref()?.replace_all(&text, "0");
    let home = country.and_then(Home::new);
    let mut found = None;
    if text.contains(is_money) {
        return None;
    }
    let is_bare = !text.contains(char::is_alphabetic);
    for run in &runs(&text) {
        if found.is_some() && run.is_extension() {
            continue;
        }
        let number = run.number(home.as_ref(), is_bare)?;
        if found
            .replace(number.clone())
            .is_some_and(|other| other != number)
        {
            return None;
        }
    }
    found
}

/// Decodes the numbering plans, which takes about 60 ms the first time.
pub(super) fn prepare() {
    let _ = DATABASE.region(&1);
}

/// The country of numbers without a country code.
struct Home {
    code: u16,
    id: country::Id,
}

impl Home {
    fn new(code: &str) -> Option<Self> {
        let code = code.trim_start_matches('+').parse().ok()?;
        let id = DATABASE.region(&code)?.first()?.parse().ok()?;
        Some(Self { code, id })
    }
}

/// Digits with separators between them.
struct Run<'a> {
    text: &'a str,
    /// The word before it, in lower case.
    word: String,
    /// True if a letter, a comma or the like joins it to something else, or a word names it as that.
    is_part: bool,
}

/// Returns the runs of digits in `text`.
fn runs(text: &str) -> Vec<Run<'_>> {
    let is_in_run = |c: char| c.is_ascii_digit() || " ()./-+".contains(c);
    let has_digit = |part: &str| part.contains(|c: char| c.is_ascii_digit());
    let mut runs = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(is_in_run) {
        let from = text.len() - rest.len() + start;
        let run = text.get(from..).unwrap_or_default();
        let end = run
            .char_indices()
            // A second plus begins a second number.
            .find(|&(at, c)| !is_in_run(c) || (c == '+' && run.get(..at).is_some_and(has_digit)))
            .map_or(run.len(), |(at, _)| at);
        if run.get(..end).is_some_and(has_digit) {
            runs.extend(Run::new(text, from, from + end));
        }
        rest = run.get(end..).unwrap_or_default();
    }
    runs
}

impl<'a> Run<'a> {
    fn new(text: &'a str, from: usize, to: usize) -> Option<Self> {
        let (before, written, after) = (text.get(..from)?, text.get(from..to)?, text.get(to..)?);
        let is_digit = |c: char| c.is_ascii_digit();
        let is_joined = |c: char| c.is_ascii_alphabetic() || matches!(c, '@' | '_' | '%');
        let continues = |rest: &str| {
            rest.starts_with(is_joined)
                || rest
                    .strip_prefix(',')
                    .is_some_and(|rest| rest.starts_with(is_digit))
        };
        let follows = |c: char| is_joined(c) || c == ',';
        let is_part = (written.starts_with(is_digit) && before.ends_with(follows))
            || (written.ends_with(is_digit) && continues(after));
        let before = before.to_lowercase();
        let mut words = before
            .trim_end_matches([' ', ':', '.', '('])
            .rsplit(|c: char| !c.is_alphabetic());
        let word = words.next().unwrap_or_default();
        // "order", "order number", "order number is".
        let is_otherwise = [word]
            .into_iter()
            .chain(words.take(2))
            .any(|word| OTHERWISE.contains(&word));
        let text = written
            .trim_matches([' ', '.', '/', '-'])
            .trim_end_matches('(')
            .trim();
        Some(Self {
            text,
            word: word.to_owned(),
            is_part: is_part || is_otherwise,
        })
    }
}

fn is_money(c: char) -> bool {
    c.general_category() == GeneralCategory::CurrencySymbol
}

impl Run<'_> {
    fn is_extension(&self) -> bool {
        self.digits().len() <= 6 && EXTENSIONS.contains(&self.word.as_str())
    }

    fn digits(&self) -> String {
        self.text.chars().filter(char::is_ascii_digit).collect()
    }

    /// Returns the number in E.164 form. Words around it make a number that no plan lists doubtful.
    fn number(&self, home: Option<&Home>, is_bare: bool) -> Option<String> {
        let digits = self.digits();
        let is_international = self.text.trim_start_matches('(').starts_with('+');
        if self.is_part
            || !(5..=MAX_DIGITS + 5).contains(&digits.len())
            || self.looks_otherwise(&digits, is_international)
        {
            return None;
        }
        let is_grouped = !is_international && AMOUNT.as_ref()?.is_match(self.text);
        let needs_plan = !is_bare || is_grouped;
        let parsed = if is_international {
            international(&digits)
        } else {
            abroad(&digits, home)
                .or_else(|| national(&digits, home?))
                .or_else(|| unmarked(&digits, home))
        }?;
        if !is_international && !is_listed(&parsed) && is_tax_payer(&digits, &parsed) {
            return None;
        }
        let is_long = is_international || digits.len() >= MIN_DIGITS;
        ((is_long || is_short(&parsed))
            && (is_listed(&parsed) || (!needs_plan && is_possible(&parsed))))
        .then(|| parsed.format().mode(Mode::E164).to_string())
        .filter(|number| number.len() <= MAX_DIGITS + 1)
    }

    /// Returns whether the digits rather are a date, an amount or the number of an identity card.
    fn looks_otherwise(&self, digits: &str, is_international: bool) -> bool {
        let is_date = DATE.as_ref().is_some_and(|date| date.is_match(self.text));
        let is_identity = IDENTITY.as_ref().is_some_and(|it| it.is_match(self.text));
        let is_round = digits.trim_end_matches('0').len() <= 2;
        !is_international && (is_date || is_identity || is_round)
    }
}

/// Returns whether a number of Brazil is a CPF by its check digits.
fn is_tax_payer(digits: &str, number: &PhoneNumber) -> bool {
    let digits: Vec<u32> = digits.chars().filter_map(|c| c.to_digit(10)).collect();
    let is_checked = |count: usize| {
        let weights = (2..).take(count);
        let sum: u32 = digits
            .iter()
            .take(count)
            .rev()
            .zip(weights)
            .map(|(digit, weight)| digit * weight)
            .sum();
        digits.get(count) == Some(&(sum * 10 % 11 % 10))
    };
    number.code().value() == 55 && digits.len() == 11 && is_checked(9) && is_checked(10)
}

/// Parses digits that begin with a country code. Many write the zero behind it that only calls
/// within the country need.
fn international(digits: &str) -> Option<PhoneNumber> {
    let written = format!("+{digits}");
    let number = phonenumber::parse(None, &written).ok()?;
    if is_possible(&number) {
        return Some(number);
    }
    let region = DATABASE
        .region(&number.code().value())?
        .first()?
        .parse()
        .ok()?;
    let without_zero = phonenumber::parse(Some(region), written).ok();
    mexican(&number).or(without_zero).or(Some(number))
}

/// Parses digits behind the prefix of calls abroad: that of `home`, else the usual ones.
fn abroad(digits: &str, home: Option<&Home>) -> Option<PhoneNumber> {
    let prefix = home.and_then(|home| DATABASE.by_id(home.id.as_ref())?.international_prefix());
    let of_home = prefix
        .and_then(|prefix| prefix.find(digits))
        .filter(|it| it.start() == 0)
        .map(|it| it.end());
    let usual = || match home {
        None if digits.starts_with("011") => Some(3),
        _ if digits.starts_with("00") => Some(2),
        _ => None,
    };
    let rest = digits.get(of_home.or_else(usual)?..)?;
    international(rest).filter(is_possible)
}

/// Parses digits as people of the country write them, with or without its code.
fn national(digits: &str, home: &Home) -> Option<PhoneNumber> {
    let number = phonenumber::parse(Some(home.id), digits).ok()?;
    let number = mexican(&number).unwrap_or(number);
    (number.code().value() == home.code && is_possible(&number)).then_some(number)
}

/// Parses digits that begin with a country code without a sign of it.
fn unmarked(digits: &str, home: Option<&Home>) -> Option<PhoneNumber> {
    let is_long = home.is_none() || digits.len() >= 11;
    international(digits).filter(|number| is_long && !digits.starts_with('0') && is_listed(number))
}

/// Returns a Mexican number without the prefixes that were given up in 2019.
fn mexican(number: &PhoneNumber) -> Option<PhoneNumber> {
    let national = number.national().to_string();
    let rest = ["044", "045", "01", "1"].iter().find_map(|prefix| {
        national
            .strip_prefix(prefix)
            .filter(|rest| rest.len() == 10)
    })?;
    (number.code().value() == 52)
        .then(|| phonenumber::parse(None, format!("+52{rest}")).ok())
        .flatten()
}

/// Returns whether a country's plan lists the number.
fn is_listed(number: &PhoneNumber) -> bool {
    phonenumber::is_valid(number)
}

/// Returns whether a number of the country can have this form: plans also leave ranges out.
fn is_possible(number: &PhoneNumber) -> bool {
    let national = number.national().to_string();
    let is_of_plan = |plan: &Metadata| {
        plan.descriptors().general().is_match(&national)
            && (has_length(plan, Type::Mobile, &national)
                || has_length(plan, Type::FixedLine, &national))
    };
    is_of(number, is_of_plan) || is_listed(number)
}

/// Returns whether mobile numbers of the country have this length.
fn is_short(number: &PhoneNumber) -> bool {
    let national = number.national().to_string();
    is_of(number, |plan| has_length(plan, Type::Mobile, &national))
}

fn has_length(plan: &Metadata, kind: Type, national: &str) -> bool {
    let length = u16::try_from(national.len()).unwrap_or(u16::MAX);
    let kind = plan.descriptors().get(kind);
    kind.is_some_and(|it| it.possible_length().contains(&length))
}

fn is_of(number: &PhoneNumber, holds: impl Fn(&Metadata) -> bool) -> bool {
    let plans = DATABASE.by_code(&number.code().value());
    plans.is_some_and(|plans| plans.into_iter().any(holds))
}
