//! Reads a JSON Schema as `schemars` writes it.

use serde_json::Value as Json;

use crate::yaml::words::properties;

/// Returns the alternatives of a schema, each without a reference.
pub(super) fn leaves<'a>(root: &'a Json, schema: &'a Json) -> Vec<&'a Json> {
    let mut leaves = Vec::new();
    collect(root, schema, &mut leaves);
    leaves
}

fn collect<'a>(root: &'a Json, schema: &'a Json, leaves: &mut Vec<&'a Json>) {
    if let Some(referenced) = referenced(root, schema) {
        return collect(root, referenced, leaves);
    }
    let parts = ["allOf", "anyOf", "oneOf"];
    let parts = parts.iter().find_map(|name| schema.get(name)?.as_array());
    match parts {
        Some(parts) => parts.iter().for_each(|part| collect(root, part, leaves)),
        None => leaves.push(schema),
    }
}

fn referenced<'a>(root: &'a Json, schema: &Json) -> Option<&'a Json> {
    let path = schema.get("$ref")?.as_str()?;
    root.pointer(path.strip_prefix('#')?)
}

/// Returns the members that an object needs.
pub(super) fn required(leaf: &Json) -> impl Iterator<Item = &str> + Clone {
    let names = leaf.get("required").and_then(Json::as_array);
    names.into_iter().flatten().filter_map(Json::as_str)
}

/// Returns the name of which `written` is probably a slip.
pub(crate) fn meant<'a>(written: &str, names: &[&'a str]) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let slips = match lower.chars().count() {
        0..=2 => 0,
        3..=5 => 1,
        _ => 2,
    };
    let distance = |name: &&str| strsim::damerau_levenshtein(&lower, &name.to_lowercase());
    let near = names.iter().copied().filter(|name| distance(name) <= slips);
    near.min_by_key(distance).or_else(|| begun(&lower, names))
}

/// Returns the one name that begins with a written word, or is its beginning.
fn begun<'a>(lower: &str, names: &[&'a str]) -> Option<&'a str> {
    const LEAST: usize = 4;
    let is_begun = |name: &&&str| {
        let name = name.to_lowercase();
        lower.len().min(name.len()) >= LEAST
            && (name.starts_with(lower) || lower.starts_with(&name))
    };
    let mut found = names.iter().filter(is_begun).copied();
    found.next().filter(|_| found.next().is_none())
}

/// Returns what has a member `name`, worded for messages.
pub(super) fn owners(root: &Json, name: &str) -> Vec<String> {
    let mut search = Search {
        root,
        name,
        seen: Vec::new(),
        owners: Vec::new(),
    };
    search.visit(root, "the document");
    search.owners
}

struct Search<'a> {
    root: &'a Json,
    name: &'a str,
    seen: Vec<*const Json>,
    owners: Vec<String>,
}

impl Search<'_> {
    fn visit(&mut self, schema: &Json, label: &str) {
        for leaf in leaves(self.root, schema) {
            if self.seen.contains(&std::ptr::from_ref(leaf)) {
                continue;
            }
            self.seen.push(std::ptr::from_ref(leaf));
            let has_it = properties(leaf).any(|(known, _)| known == self.name);
            if has_it && !self.owners.iter().any(|it| it == label) {
                self.owners.push(label.to_owned());
            }
            for (member, schema) in properties(leaf) {
                self.visit(schema, &format!("`{member}`"));
            }
            if let Some(item) = leaf.get("items") {
                self.visit(item, &format!("an item of {label}"));
            }
            if let Some(entry) = leaf.get("additionalProperties") {
                // A step is the one entry with a name of its own.
                let is_step = label == "`steps`";
                let words = format!("an entry of {label}");
                self.visit(entry, if is_step { "a step" } else { &words });
            }
        }
    }
}
