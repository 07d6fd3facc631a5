//! Joins what people write as several tokens and mean as one number.

use super::SMALL;
use super::numeral::Numeral;
use super::spelled;
use super::token::Token;
use super::words::{self, Meaning, meaning, multiplier};

/// Words between thousands and hundreds.
const AND: [&str; 6] = ["e", "y", "und", "et", "and", "и"];

/// The word that "pm" stands for after thousands.
const MONTHLY: &str = "monthly";

/// Returns the tokens with one number for what people write as several: "2 mil 500", "ten thousand".
/// A letter that multiplies beside its currency becomes a word.
pub(super) fn composed(mut tokens: Vec<Token>) -> Vec<Token> {
    if !tokens.iter().any(|token| matches!(token, Token::Number(_))) {
        with_spelled(&mut tokens);
        return tokens;
    }
    without_repetition(&mut tokens);
    with_names(&mut tokens);
    with_hundreds(&mut tokens);
    with_ten_thousands(&mut tokens);
    tokens
}

/// Puts the names of multipliers and periods for letters that mean them: "₹ 5 L", "10k pm".
fn with_names(tokens: &mut [Token]) {
    let codes: Vec<&str> = tokens.iter().flat_map(currencies).copied().collect();
    for at in 1..tokens.len() {
        let name = match tokens.get(at - 1..=at) {
            Some([Token::Number(numeral), Token::Word(word)]) => {
                match words::letter_multiplier(word) {
                    Some((code, name)) if codes.contains(&code) => Some(name),
                    _ if word == "pm" && numeral.whole() >= SMALL => Some(MONTHLY),
                    _ => None,
                }
            }
            Some([Token::Word(unit), Token::Word(word)])
                if word == "pm" && multiplier(unit).is_some() =>
            {
                Some(MONTHLY)
            }
            _ => None,
        };
        if let (Some(name), Some(token)) = (name, tokens.get_mut(at)) {
            *token = Token::Word(name.to_owned());
        }
    }
}

fn currencies(token: &Token) -> &'static [&'static str] {
    match token {
        Token::Currency(codes) => codes,
        Token::Word(word) => match meaning(word) {
            Some(Meaning::Currency(codes)) => codes,
            _ => &[],
        },
        _ => &[],
    }
}

/// Adds hundreds behind thousands in words: "2 mil 500", "2 mil e 500", "2 mil e quinhentos".
fn with_hundreds(tokens: &mut Vec<Token>) {
    let joined = |at: usize| {
        let Token::Number(thousands) = tokens.get(at)? else {
            return None;
        };
        let Token::Word(word) = tokens.get(at + 1)? else {
            return None;
        };
        let is_and =
            matches!(tokens.get(at + 2), Some(Token::Word(word)) if AND.contains(&word.as_str()));
        let first = at + 2 + usize::from(is_and);
        let (hundreds, end) = match tokens.get(first)? {
            Token::Number(hundreds) => (*hundreds, first),
            _ => {
                let words = tokens
                    .get(first..)?
                    .iter()
                    .take_while(|token| is_part(token));
                let end = first + words.count();
                let number = spelled::read(&words_of(tokens.get(first..end)?)?)?;
                (Numeral::whole_of(number), end.checked_sub(1)?)
            }
        };
        let is_whole = thousands.scale == 0 && !thousands.is_grouped && hundreds.scale == 0;
        let is_thousand = multiplier(word) == Some(3) && word.chars().nth(1).is_some();
        let is_last =
            !matches!(tokens.get(end + 1), Some(Token::Word(word)) if multiplier(word).is_some());
        (is_whole && is_thousand && is_last && hundreds.length == 3 && thousands.whole() < SMALL)
            .then(|| (at..=end, thousands.digits * SMALL + hundreds.digits))
    };
    if let Some((range, digits)) = (0..tokens.len()).find_map(joined) {
        tokens.splice(range, [Token::Number(Numeral::whole_of(digits))]);
    }
}

/// Joins ten thousands and the thousands behind them: "1万2千", "3만 5000".
fn with_ten_thousands(tokens: &mut Vec<Token>) {
    let joined = |at: usize| {
        let [
            Token::Number(tens),
            Token::Word(word),
            Token::Number(rest),
            after @ ..,
        ] = tokens.get(at..)?
        else {
            return None;
        };
        let has_thousand =
            matches!(after, [Token::Word(word), ..] if matches!(word.as_str(), "千" | "천"));
        let is_whole = tens.scale == 0 && rest.scale == 0;
        let is_below = rest.length == if has_thousand { 1 } else { 4 };
        let unit = if has_thousand { SMALL } else { 1 };
        let end = at + 2 + usize::from(has_thousand);
        let is_last =
            !matches!(tokens.get(end + 1), Some(Token::Word(word)) if multiplier(word).is_some());
        (multiplier(word) == Some(4) && is_whole && is_below && is_last && tens.whole() < SMALL)
            .then(|| (at..=end, tens.digits * SMALL * 10 + rest.digits * unit))
    };
    if let Some((range, digits)) = (0..tokens.len()).find_map(joined) {
        tokens.splice(range, [Token::Number(Numeral::whole_of(digits))]);
    }
}

/// Removes the words at the end that say the number once more: "5000 USD (five thousand)".
fn without_repetition(tokens: &mut Vec<Token>) {
    let Some(start) = tokens.iter().rposition(|token| !is_part(token)) else {
        return;
    };
    let said = tokens.iter().find_map(|token| match token {
        Token::Number(numeral) if numeral.scale == 0 => Some(numeral.digits),
        _ => None,
    });
    if matches!(tokens.get(start), Some(Token::Number(_)) | None) {
        return;
    }
    let words = words_of(tokens.get(start + 1..).unwrap_or_default());
    if said.is_some() && words.and_then(|words| spelled::read(&words)) == said {
        tokens.truncate(start + 1);
    }
}

/// Returns whether a token may be one of a number in words.
fn is_part(token: &Token) -> bool {
    match token {
        Token::Word(word) => meaning(word).is_none() || multiplier(word).is_some(),
        _ => false,
    }
}

/// Returns the words of tokens; none if one is no word.
fn words_of(tokens: &[Token]) -> Option<Vec<&str>> {
    let mut words = Vec::new();
    for token in tokens {
        let Token::Word(word) = token else {
            return None;
        };
        words.push(word.as_str());
    }
    Some(words)
}

/// Puts a number for the words of one.
fn with_spelled(tokens: &mut Vec<Token>) {
    let (Some(mut first), Some(last)) = (
        tokens.iter().position(is_part),
        tokens.iter().rposition(is_part),
    ) else {
        return;
    };
    // "on bin" is ten thousand in Turkish, "hai triệu" two million in Vietnamese.
    if let Some([Token::Word(unit), Token::Word(word)]) = first
        .checked_sub(1)
        .and_then(|before| tokens.get(before..=first))
        && multiplier(word).is_some()
        && spelled::is_unit(unit)
    {
        first -= 1;
    }
    let words = words_of(tokens.get(first..=last).unwrap_or_default());
    if let Some(number) = words.and_then(|words| spelled::read(&words)) {
        tokens.splice(first..=last, [Token::Number(Numeral::whole_of(number))]);
    }
}
