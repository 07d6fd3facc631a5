//! Reads a mapping file, fills what it leaves to the built-in mapping, and checks it.

use std::path::Path;
use std::str::FromStr;

use leadstream_service::ConfigError;

use super::document::{Field, Mapping, Target, WriteRule};
use crate::crm_name::CrmName;

const VARIABLE: &str = "SINK_CRM_MAPPING_FILE";

impl Mapping {
    /// Returns the mapping of `path`, or the default.
    ///
    /// # Errors
    /// Returns an error with the place and the remedy if the file cannot be read, or is no mapping.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return super::DEFAULT
                .parse()
                .map_err(|problem: String| ConfigError::new(VARIABLE, problem));
        };
        let at = |problem: String| {
            let problem = format!("names {}, which {problem}", path.display());
            ConfigError::new(VARIABLE, problem)
        };
        let text = std::fs::read_to_string(path)
            .map_err(|error| at(format!("cannot be read: {error}")))?;
        text.parse()
            .map_err(|problem| at(format!("is no mapping: {problem}")))
    }
}

impl FromStr for Mapping {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut mapping: Self = serde_saphyr::from_str(text).map_err(|error| error.to_string())?;
        if mapping.version != 1 {
            return Err(format!("`version` is {}; it has to be 1", mapping.version));
        }
        let zone = mapping.time_zone.0;
        for (crm, target) in mapping.targets() {
            target.time_zone = zone;
            target.complete(|mapping| match crm {
                CrmName::Salesforce => mapping.salesforce,
                _ => mapping.hubspot,
            })?;
            target.check().map_err(|(field, problem)| {
                let crm = crm.as_str();
                match line_of(text, crm, &field) {
                    Some(line) => format!("{crm}: line {line}: {problem}"),
                    None => format!("{crm}: {problem}"),
                }
            })?;
        }
        Ok(mapping)
    }
}

impl Mapping {
    pub(super) fn targets(&mut self) -> [(CrmName, &mut Target); 2] {
        [
            (CrmName::Hubspot, &mut self.hubspot),
            (CrmName::Salesforce, &mut self.salesforce),
        ]
    }
}

/// Returns the line of a CRM's field in a mapping.
pub(super) fn line_of(text: &str, crm: &str, field: &str) -> Option<usize> {
    let mut section = "";
    text.lines().enumerate().find_map(|(number, line)| {
        let code = line.split(" #").next().unwrap_or_default();
        let is_top = !code.starts_with([' ', '#']);
        if let Some((name, _)) = code.split_once(':').filter(|_| is_top) {
            section = name;
        }
        (section == crm && names(code, field)).then_some(number + 1)
    })
}

/// Returns whether `code` has the whole word `field`.
fn names(code: &str, field: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    code.match_indices(field).any(|(start, _)| {
        let (before, after) = (&code[..start], &code[start + field.len()..]);
        !before.ends_with(is_part) && !after.starts_with(is_part)
    })
}

impl Target {
    /// Fills what the file leaves to the built-in mapping.
    fn complete(&mut self, built_in: impl FnOnce(Mapping) -> Self) -> Result<(), String> {
        if !self.revision.is_empty() && !self.fields.is_empty() {
            return Ok(());
        }
        let built_in = built_in(super::DEFAULT.parse()?);
        if self.revision.is_empty() {
            self.revision = built_in.revision;
        }
        if self.fields.is_empty() {
            self.fields = built_in.fields;
            self.status = self.status.take().or(built_in.status);
            self.merged_into = self.merged_into.take().or(built_in.merged_into);
        }
        Ok(())
    }

    /// Returns the field that is wrong, and the remedy.
    fn check(&self) -> Result<(), (String, String)> {
        let own = self.own_fields();
        for (name, place) in &own {
            let valid = name.starts_with(|first: char| first.is_ascii_alphabetic())
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !valid {
                let problem = format!(
                    "`{name}` ({place}) is no field's name; use letters, digits and `_`, a letter first"
                );
                return Err(((*name).to_owned(), problem));
            }
        }
        let kept = |field: &Field| matches!(field.rule(), WriteRule::Once | WriteRule::IfEmpty);
        if let Some((name, _)) = self.fields.iter().find(|(_, it)| it.clear && kept(it)) {
            let problem =
                format!("`{name}` has `clear`, which needs `write: always` or `write: while_ours`");
            return Err((name.clone(), problem));
        }
        let mut names: Vec<&str> = own.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => {
                let problem = format!("`{}` is written twice; keep one of them", pair[0]);
                Err((pair[0].to_owned(), problem))
            }
            None => Ok(()),
        }
    }

    /// Returns the names of all fields that are written, with the member that names each.
    fn own_fields(&self) -> Vec<(&str, &'static str)> {
        let mut names: Vec<(&str, &'static str)> = self
            .fields
            .keys()
            .map(|name| (name.as_str(), "fields"))
            .collect();
        names.push((&self.revision, "revision"));
        names.extend(
            self.merged_into
                .as_deref()
                .map(|name| (name, "merged_into")),
        );
        names.extend(self.status.as_ref().map(|s| (s.field.as_str(), "status")));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::Mapping;
    use crate::mapping::DEFAULT;

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let broken = |old: &str, new: &str| {
            assert!(DEFAULT.contains(old), "{old}");
            DEFAULT
                .replacen(old, new, 1)
                .parse::<Mapping>()
                .unwrap_err()
        };
        for (old, new, named) in [
            ("version: 1", "version: 2", "version"),
            ("from: first_name", "from: nickname", "data.nickname"),
            ("from: first_name", "form: first_name", "form"),
            (
                "firstname:",
                "first name:",
                "hubspot: line 26: `first name` (fields) is no field's name",
            ),
            (
                "firstname:",
                "hs_lead_status:",
                "hubspot: line 20: `hs_lead_status` is written twice",
            ),
            (
                "{ from: first_name }",
                "{ from: first_name, write: never }",
                "while_ours",
            ),
            (
                "{ from: first_name }",
                "{ from: first_name, write: once, clear: true }",
                "line 26: `firstname` has `clear`, which needs `write: always` or `write: while_ours`",
            ),
            (
                "version: 1",
                "version: 1\ntime_zone: Berlin",
                "America/Sao_Paulo",
            ),
            (
                "from: data.budget",
                "from: referral.colour",
                "referral.headline",
            ),
        ] {
            let problem = broken(old, new);
            assert!(problem.contains(named), "{named}: {problem}");
        }
    }

    #[test]
    fn what_a_file_leaves_out_is_that_of_the_built_in_mapping() {
        let built_in: Mapping = DEFAULT.parse().unwrap();
        for text in [
            "hubspot:",
            "salesforce:",
            "version: 1\nhubspot:\nsalesforce:",
            "hubspot: { fields: {} }",
        ] {
            let mapping: Mapping = text.parse().unwrap();
            assert_eq!(mapping.hubspot, built_in.hubspot, "{text}");
            assert_eq!(mapping.salesforce, built_in.salesforce, "{text}");
        }
        let own: Mapping = "hubspot: { match_existing: phone, merged_into: other }"
            .parse()
            .unwrap();
        assert!(own.hubspot.match_existing.is_some());
        assert_eq!(own.hubspot.merged_into.as_deref(), Some("other"));
        assert_eq!(own.hubspot.fields, built_in.hubspot.fields);
        assert_eq!(own.hubspot.status, built_in.hubspot.status);
        let own: Mapping =
            "time_zone: America/Sao_Paulo\nsalesforce: { fields: { LastName: { from: name } } }"
                .parse()
                .unwrap();
        assert_eq!(own.salesforce.fields.len(), 1);
        assert_eq!(own.salesforce.status, None, "only what the file names");
        assert_eq!(own.salesforce.revision, built_in.salesforce.revision);
        assert_eq!(own.hubspot.time_zone, own.time_zone.0);
    }
}
