//! Reads lists that are separated by commas.

/// Returns the entries of a list, without the blanks around them and without empty entries.
pub(crate) fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
}
