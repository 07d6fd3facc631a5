//! Properties of amounts: one digit group more, or one unknown word beside the number, gives the value
//! of the new text, or none.

use proptest::prelude::*;

use super::super::words::{meaning, multiplier};
use super::{Amount, parse};

/// Texts around a number in many languages.
const FRAMES: [&str; 24] = [
    "{}",
    "{} €",
    "$ {}",
    "R$ {} por mês",
    "US${}",
    "{} руб.",
    "₹{}",
    "{} kr",
    "{} zł miesięcznie",
    "about {}",
    "my budget is {} dollars",
    "unos {} pesos",
    "quase {} reais",
    "ca. {} Euro im Monat",
    "environ {} €",
    "около {} рублей",
    "{} ريال",
    "حوالي {} درهم",
    "₪{}",
    "{} रुपये",
    "予算は{}円です",
    "{}元左右",
    "{}원",
    "{} บาท",
];

/// The zeros of digits in several scripts.
const ZEROS: [char; 8] = ['0', '٠', '۰', '०', '০', '๐', '０', '௦'];

const SEPARATORS: [&str; 8] = [",", ".", " ", "\u{a0}", "\u{202f}", "'", "’", "٬"];

/// Returns ASCII digits in another script.
fn in_script(digits: &str, zero: char) -> String {
    let other = |c: char| {
        let value = c.to_digit(10)?;
        char::from_u32(u32::from(zero) + value)
    };
    digits.chars().map(|c| other(c).unwrap_or(c)).collect()
}

fn groups() -> impl Strategy<Value = Vec<String>> {
    ("[1-9][0-9]{0,2}", prop::collection::vec("[0-9]{3}", 0..3)).prop_map(|(first, rest)| {
        let mut groups = vec![first];
        groups.extend(rest);
        groups
    })
}

/// Returns the number of `groups` in a frame, and the value of its digits in a row.
fn written(groups: &[String], separators: &[&str], zero: char, frame: &str) -> (String, f64) {
    let mut number = String::new();
    for (at, group) in groups.iter().enumerate() {
        if let Some(separator) = at.checked_sub(1).and_then(|it| separators.get(it)) {
            number.push_str(separator);
        }
        number.push_str(group);
    }
    let text = frame.replace("{}", &in_script(&number, zero));
    (text, groups.concat().parse().unwrap())
}

proptest! {
    #[test]
    fn one_digit_group_more_gives_the_value_of_the_new_text_or_none(
        groups in groups(),
        separator in prop::sample::select(&SEPARATORS[..]),
        more in "[0-9]{1,4}",
        beside in prop::sample::select(&SEPARATORS[..]),
        at in 0_usize..4,
        zero in prop::sample::select(&ZEROS[..]),
        frame in prop::sample::select(&FRAMES[..]),
    ) {
        let mut separators = vec![separator; groups.len() - 1];
        let (text, value) = written(&groups, &separators, zero, frame);
        let read = parse(&text).map(Amount::to_f64);
        prop_assert!(read.is_none_or(|read| read == value), "{:?}: {:?}", text, read);
        prop_assert!(read.is_some() || groups.len() < 2, "{:?} is asked about", text);

        let mut longer = groups;
        let at = at.min(longer.len());
        longer.insert(at, more);
        separators.insert(at.min(separators.len()), beside);
        let (text, value) = written(&longer, &separators, zero, frame);
        let read = parse(&text).map(Amount::to_f64);
        // Up to two digits behind the last separator are decimals.
        let whole: String = longer[..longer.len() - 1].concat();
        let decimal = format!("{whole}.{}", longer[longer.len() - 1]).parse::<f64>().unwrap();
        let has_decimals = longer[longer.len() - 1].len() < 3;
        let is_right = |read: f64| read == value || has_decimals && read == decimal;
        prop_assert!(read.is_none_or(is_right), "{:?}: {:?}", text, read);
    }

    #[test]
    fn one_unknown_word_beside_the_number_is_asked_about(
        groups in groups(),
        zero in prop::sample::select(&ZEROS[..]),
        frame in prop::sample::select(&FRAMES[..]),
        word in prop_oneof![
            "[a-z]{4,9}", "[à-öø-ÿ]{4,9}", "[а-я]{4,9}", "[α-ω]{4,9}", "[א-ת]{4,9}", "[ء-غف-ي]{4,9}",
            "[क-ह]{4,9}", "[ก-ฮ]{4,9}", "[ァ-ヺ]{4,9}", "[ა-ჰ]{4,9}", "[க-ஹ&&\\p{L}]{4,9}", "[ա-ֆ]{4,9}",
        ],
        is_before in any::<bool>(),
        between in prop::sample::select(&[" ", "", "\u{a0}", " *", ". "][..]),
    ) {
        prop_assume!(meaning(&word).is_none() && multiplier(&word).is_none());
        let separators = vec![","; groups.len() - 1];
        let (number, value) = written(&groups, &separators, zero, "{}");
        let beside = if is_before {
            format!("{word}{between}{number}")
        } else {
            format!("{number}{between}{word}")
        };
        let text = frame.replace("{}", &beside);
        let read = parse(&text).map(Amount::to_f64);
        // The end of a sentence parts them, so the word may belong to another one.
        let is_right = between == ". " && read == Some(value);
        prop_assert!(read.is_none() || is_right, "{:?}: {:?}", text, read);
    }
}
