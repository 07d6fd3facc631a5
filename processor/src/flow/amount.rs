//! Parses the one clear amount in a message.
//!
//! Stripping every non-digit would turn "between 3 and 5k" into 35. So a message has an amount only
//! if a person would read exactly one in it. In doubt it has none, and the lead is asked again:
//!
//! * one number, with at most one currency, multiplier ("k", "mil", "lakh") and "a month";
//! * a single `.` or `,` before exactly three digits groups thousands ("7.500", "7,500");
//! * before one or two digits it is the decimal point; of two kinds the last one is;
//! * the words around it are in the lexicon, or the number has a currency;
//! * no word beside the number or its currency may change it, even with a currency. Such words are
//!   unknown ones ("5 tuhatta €", "5 € jährl."), a letter ("50 т. руб."), and a multiplier elsewhere
//!   ("5 € mil");
//! * ranges, open bounds ("5000+", "at least"), negations, signs, percentages and questions are
//!   unclear;
//! * so are dates, times, phone numbers and counts ("3 months").
//!
//! [`Terms`] say what else a question takes: units, another period, or its conversion.

mod compact;
mod composed;
mod context;
mod currency;
mod letters;
mod numeral;
mod period;
mod phrase;
mod spelled;
mod terms;
mod token;
mod words;

#[cfg(test)]
mod tests;

use serde_json::Number;

pub(super) use spelled::read as number_in_words;

use composed::composed;
use context::{Context, Side};
use letters::stands_alone;
use numeral::Numeral;
pub use period::Period;
pub use terms::{Currencies, Terms};
use token::{Token, tokenize};
use words::{Meaning, meaning, multiplier};

use crate::yaml::meant;

/// The limit of a text; longer ones have no clear amount.
const MAX_CHARS: usize = 300;

/// The limit of significant digits: 15 are exact in every JSON parser.
const MAX_DIGITS: u64 = 1_000_000_000_000_000;

/// The greatest amount.
pub(super) const MAX_AMOUNT: f64 = 1e15;

/// From this many digits on, a bare run is more likely a phone number.
const PHONE_DIGITS: usize = 10;

/// Currencies of countries where "mil" is a thousand; elsewhere it means a million.
const THOUSAND_IS_MIL: [&str; 6] = ["eur", "brl", "mxn", "ars", "clp", "cop"];

/// Smaller numbers may be followed by a multiplier in words: "5 USD (five thousand)".
const SMALL: u64 = 1_000;

/// Up to here a number among words may be a choice, a day or an hour.
const CHAT: u64 = 31;

/// Words before a year.
const YEAR_PREPOSITIONS: [&str; 8] = ["in", "en", "em", "im", "w", "v", "в", "dans"];

/// An exact decimal, not negative: `digits / 10^scale`, without trailing zeros after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Amount {
    digits: u64,
    scale: u32,
}

impl Amount {
    /// Returns the JSON number: an integer if whole, else the decimal as written.
    #[must_use]
    pub fn to_number(self) -> Number {
        if self.scale == 0 {
            return Number::from(self.digits);
        }
        // Both operands are exact, so the quotient is the double nearest to the decimal. It prints
        // as the decimal.
        Number::from_f64(self.to_f64()).unwrap_or_else(|| Number::from(self.digits))
    }

    /// Returns the nearest double.
    #[must_use]
    #[expect(
        clippy::cast_precision_loss,
        reason = "15 digits fit a double's 53 bits"
    )]
    pub fn to_f64(self) -> f64 {
        self.digits as f64 / 10_u64.pow(self.scale) as f64
    }

    /// Returns `digits / 10^scale * 10^exponent`; none if it has too many digits.
    fn scaled(mut digits: u64, mut scale: u32, exponent: u32) -> Option<Self> {
        while scale > 0 && digits.is_multiple_of(10) {
            digits /= 10;
            scale -= 1;
        }
        let shift = exponent.saturating_sub(scale);
        let digits = digits.checked_mul(10_u64.checked_pow(shift)?)?;
        (digits < MAX_DIGITS).then_some(Self {
            digits,
            scale: scale.saturating_sub(exponent),
        })
    }

    /// Returns the amount times `factor / divisor`, rounded to cents where it is not exact.
    fn times(self, (factor, divisor): (u64, u64)) -> Option<Self> {
        if factor == divisor {
            return Some(self);
        }
        let scale = self.scale.max(2);
        let unit = 10_u128.checked_pow(scale - self.scale)?;
        let digits = u128::from(self.digits) * unit * u128::from(factor);
        let (digits, divisor) = match digits % u128::from(divisor) {
            0 => (digits, u128::from(divisor)),
            _ => {
                let beyond = 10_u128.checked_pow(scale - 2)?;
                (digits, u128::from(divisor) * beyond)
            }
        };
        let is_exact = digits % divisor == 0;
        let scale = if is_exact { scale } else { 2 };
        let digits = u64::try_from((digits + divisor / 2) / divisor).ok()?;
        Self::scaled(digits, scale, 0)
    }
}

/// An amount with the currencies that its text may mean; none without a mention.
#[derive(Debug)]
pub struct Quantity {
    pub amount: Amount,
    pub(in crate::flow) currencies: Option<Vec<&'static str>>,
}

/// Returns whether amounts in the currency of `code` (ISO 4217) are read.
pub(super) fn is_currency(code: &str) -> bool {
    let mut known = currency::CURRENCIES.iter().flat_map(|(codes, _)| *codes);
    code.chars().all(|c| c.is_ascii_uppercase()) && known.any(|it| it.eq_ignore_ascii_case(code))
}

/// Returns the code of the currency that `written` means: a sign, a word, or a code with a slip.
pub(super) fn currency_meant(written: &str) -> Option<String> {
    let said = read(&format!("1 {written}"), &Terms::default(), "")
        .and_then(|it| it.currencies)
        .and_then(|codes| codes.first().map(|code| (*code).to_owned()));
    let known = currency::CURRENCIES.iter().flat_map(|(codes, _)| *codes);
    let known: Vec<&str> = known.copied().collect();
    let code = said.or_else(|| meant(written, &known).map(str::to_owned))?;
    Some(code.to_ascii_uppercase())
}

/// Parses the amount in `text` as the answer to a plain question for a number.
#[must_use]
pub fn parse(text: &str) -> Option<Amount> {
    Some(read(text, &Terms::default(), "")?.amount)
}

/// Parses the amount in `text`, if it has exactly one clear amount that fits `terms`. `language` is
/// the lead's, or empty.
#[must_use]
pub fn read(text: &str, terms: &Terms, language: &str) -> Option<Quantity> {
    if text.chars().count() > MAX_CHARS {
        return None;
    }
    let tokens = composed(tokenize(text, &terms.units)?);
    let mut numbers = tokens
        .iter()
        .enumerate()
        .filter_map(|(at, token)| match token {
            Token::Number(numeral) => Some((at, numeral)),
            _ => None,
        });
    let (at, numeral) = numbers.next()?;
    if numbers.next().is_some() {
        return None;
    }
    let (before, rest) = tokens.split_at_checked(at)?;
    let (_, after) = rest.split_first()?;
    let (exponent, after) = multipliers(after)?;
    // "de la 500 lei" is "from 500" in Romanian.
    if let [.., Token::Word(de), Token::Word(la)] = before
        && (de.as_str(), la.as_str()) == ("de", "la")
    {
        return None;
    }
    let is_small = exponent == 0 && numeral.whole() < SMALL;
    if may_change(before.iter().rev(), Side::Before, is_small)
        || may_change(after.iter(), Side::After, is_small)
    {
        return None;
    }

    let mut context = Context::default();
    context.read(before, Side::Before)?;
    context.read(after, Side::After)?;
    let multiplier = match rest.get(1) {
        Some(Token::Word(word)) => word.as_str(),
        _ => "",
    };
    let is_clear = match multiplier {
        // "$5 mil" is five thousand in Mexico, and five million in English.
        "mil" if !context.has_currency() => {
            !language.starts_with("en") || !before.iter().chain(after).all(is_english)
        }
        "mil" => {
            let is_iberian = ["es", "pt", "ca", "gl"]
                .iter()
                .any(|it| language.starts_with(it));
            is_iberian || !context.may_be("usd") && context.may_be_one_of(&THOUSAND_IS_MIL)
        }
        // "5000 bin ich bereit zu zahlen"
        "bin" => !language.starts_with("de"),
        // In Indonesia it is a thousand million.
        "m" => !context.may_be("idr"),
        _ => true,
    };
    if !is_clear {
        return None;
    }
    if context.is_approximate && !terms.takes_approximations {
        return None;
    }
    if !context.has_currency() && !context.has_unit {
        let is_count = exponent == 0
            && matches!(
                after.iter().find(|token| **token != Token::Break),
                Some(Token::Word(word)) if matches!(meaning(word), Some(Meaning::Period(_)))
            );
        let is_phone = !numeral.is_grouped && numeral.length >= PHONE_DIGITS;
        let is_chat = exponent == 0 && is_chat(numeral, before, after);
        if context.has_unknown || is_count || is_phone || is_chat {
            return None;
        }
    }
    // "R$ 350" says no kilowatt-hours.
    let is_money = context.has_currency() && !context.has_unit;
    if is_money && !terms.units.is_empty() && terms.currency.is_none() {
        return None;
    }
    let factor = match (context.period, terms.period) {
        (None, _) => (1, 1),
        (Some(period), Some(asked)) if period == asked || terms.converts => period.to(asked)?,
        (Some(_), _) => return None,
    };
    Some(Quantity {
        amount: value(numeral, exponent)?.times(factor)?,
        currencies: context.currencies,
    })
}

/// Returns whether a number in a sentence rather is a choice, a day, an hour or a year: "ok 2", "in 2026".
fn is_chat(numeral: &Numeral, before: &[Token], after: &[Token]) -> bool {
    let word = |token: &Token| match token {
        Token::Word(word) => Some(meaning(word)),
        _ => None,
    };
    let words = || before.iter().chain(after).filter_map(word);
    let has_period =
        words().any(|it| matches!(it, Some(Meaning::Period(_) | Meaning::Periodic(_))));
    let follows_in = matches!(
        before.last(),
        Some(Token::Word(word)) if YEAR_PREPOSITIONS.contains(&word.as_str())
    );
    let whole = numeral.whole();
    (whole <= CHAT && !has_period && words().next().is_some())
        || ((1_990..=2_100).contains(&whole) && numeral.length == 4 && follows_in)
}

/// Returns whether a token may stand in an English sentence around an amount.
fn is_english(token: &Token) -> bool {
    const WORDS: [&str; 20] = [
        "a", "about", "approx", "around", "budget", "is", "it", "maybe", "max", "month", "monthly",
        "my", "our", "per", "please", "roughly", "s", "the", "to", "up",
    ];
    !matches!(token, Token::Word(word) if !WORDS.contains(&word.as_str()))
}

/// Returns the exponent of the multipliers after the number, and the remaining tokens. Two
/// multipliers join if the second is greater and the first no letter: "mil millones", "百万".
fn multipliers(after: &[Token]) -> Option<(u32, &[Token])> {
    let mut known = after.iter().map_while(|token| match token {
        Token::Word(word) => Some((multiplier(word)?, is_letter_alone(word))),
        _ => None,
    });
    let (exponent, count) = match (known.next(), known.next(), known.next()) {
        (None, ..) => (0, 0),
        (Some((only, _)), None, _) => (only, 1),
        (Some((first, false)), Some((second, _)), None) if second > first => (first + second, 2),
        _ => return None,
    };
    Some((exponent, after.get(count..)?))
}

/// Returns whether a word on one side of the number may be a multiplier, unit or period that the
/// lexicon does not have. `outward` has the tokens of that side, the nearest first.
fn may_change<'a>(outward: impl Iterator<Item = &'a Token>, side: Side, is_small: bool) -> bool {
    // The state: the number is next; only currencies are between; a sign parts them; an unknown word is
    // between, and the number is great.
    let (mut is_next, mut is_near, mut is_parted, mut is_far) = (true, true, false, false);
    // An unknown word before "than" compares. After the number a purpose may follow, and nothing else.
    let (mut is_than, mut is_purpose) = (false, false);
    for token in outward {
        let word = match token {
            // A period has to follow.
            Token::Slash | Token::Number(_) => return false,
            Token::About => continue,
            Token::Currency(_) | Token::Unit => {
                is_next = false;
                continue;
            }
            Token::Break => {
                (is_next, is_parted) = (false, true);
                continue;
            }
            Token::Word(word) => word.as_str(),
        };
        let meaning = meaning(word);
        if multiplier(word).is_some() && (is_near || meaning.is_none()) {
            return true;
        }
        match meaning {
            Some(Meaning::Currency(_)) => {}
            Some(Meaning::Per) => return false,
            Some(_) if is_next && side == Side::After && words::is_no_filler_after(word) => {
                return true;
            }
            Some(_) => {
                is_than = side == Side::Before && is_near && words::is_than(word);
                is_purpose |= words::is_for(word);
                is_near = false;
            }
            None if is_than || (side == Side::After && !is_parted && !is_purpose) => return true,
            None => {
                let is_beside = is_near && !is_parted;
                let is_multiplier = words::letter_multiplier(word).is_some();
                if is_beside || (is_letter_alone(word) && (!is_far || is_multiplier)) {
                    return true;
                }
                (is_near, is_far) = (false, !is_small);
            }
        }
        is_next = false;
    }
    false
}

/// Returns whether `word` is one letter of a script whose letters are no words.
fn is_letter_alone(word: &str) -> bool {
    word.chars().nth(1).is_none() && !word.starts_with(stands_alone)
}

/// Returns whether three decimals could be thousands: "1.250 million", "1234,567".
fn value(numeral: &Numeral, exponent: u32) -> Option<Amount> {
    let is_clear = if exponent == 0 {
        numeral.scale <= 2
    } else {
        !numeral.is_grouped && numeral.scale != 3 && numeral.scale <= 6
    };
    is_clear
        .then(|| Amount::scaled(numeral.digits, numeral.scale, exponent))
        .flatten()
}
