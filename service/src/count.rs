//! Puts numbers before their nouns.

use std::fmt::Display;

/// Returns a number with its noun: `1 record`, `2 records`, `1 reply`, `0 replies`. The last word of
/// the noun gets the plural: `2 dead letters`.
pub fn counted<N: Copy + Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    if count == N::from(1) {
        format!("{count} {noun}")
    } else {
        format!("{count} {}", plural(noun))
    }
}

fn plural(noun: &str) -> String {
    let vowel_before_y = ["ay", "ey", "oy", "uy"];
    let takes_es = ["s", "x", "z", "ch", "sh"];
    match noun.strip_suffix('y') {
        Some(stem) if !vowel_before_y.iter().any(|end| noun.ends_with(end)) => {
            format!("{stem}ies")
        }
        _ if takes_es.iter().any(|end| noun.ends_with(end)) => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn only_one_is_singular() {
        assert_eq!(counted(0_u64, "record"), "0 records");
        assert_eq!(counted(1_usize, "dead letter"), "1 dead letter");
        assert_eq!(counted(2_i64, "dead letter"), "2 dead letters");
        assert_eq!(counted(1_u32, "reply"), "1 reply");
        assert_eq!(counted(21_i32, "reply"), "21 replies");
        assert_eq!(counted(2_u64, "day"), "2 days");
        assert_eq!(counted(2_u64, "batch"), "2 batches");
        assert_eq!(counted(2_u64, "CRM"), "2 CRMs");
    }
}
