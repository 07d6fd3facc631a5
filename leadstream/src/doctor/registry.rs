//! Checks that the schema registry answers and knows this version's schemas.

use leadstream_schemas::Topic;
use leadstream_schemas::registry::{Registry, RegistryError, SubjectState};
use leadstream_service::counted;

use super::finding::Finding;
use super::setting;
use crate::topics::Settings;

const AREA: &str = "registry";

/// Checks the subject of each topic.
pub(super) async fn check(settings: &Settings) -> Vec<Finding> {
    if settings.registry.schema_registry_url.is_empty() {
        return vec![Finding::skipped(
            AREA,
            "not checked: SCHEMA_REGISTRY_URL is not set",
        )];
    }
    let config = match settings.registry.config() {
        Ok(config) => config,
        Err(error) => return vec![setting(AREA, &error)],
    };
    let registry = match Registry::new(&config) {
        Ok(registry) => registry,
        Err(error) => return vec![refused(&error)],
    };
    let mut findings = Vec::new();
    for topic in Topic::ALL {
        let subject = topic.subject(&settings.kafka.topic_prefix);
        match registry.state(&subject, topic.json_schema()).await {
            Ok(state) => findings.extend(judge(&subject, state)),
            Err(error) => return vec![refused(&error)],
        }
    }
    if findings.is_empty() {
        let told = format!("{} registered", counted(Topic::ALL.len(), "schema"));
        findings.push(Finding::ok(AREA, told));
    }
    findings
}

fn judge(subject: &str, state: SubjectState) -> Option<Finding> {
    let (told, remedy) = match state {
        SubjectState::Registered(_) => return None,
        SubjectState::Missing | SubjectState::Compatible => (
            "does not have this version's schema",
            "leadstream topics apply",
        ),
        SubjectState::Incompatible => (
            "has a later schema, which does not accept this version's",
            "upgrade this version, or restore the schema that it registered",
        ),
    };
    Some(Finding::fault(AREA, format!("{subject} {told}"), remedy))
}

fn refused(error: &RegistryError) -> Finding {
    let remedy = match error {
        RegistryError::Unavailable { .. } => {
            "check SCHEMA_REGISTRY_URL, its credentials and its certificate"
        }
        _ => "compare `leadstream topics plan`",
    };
    Finding::fault(AREA, error.to_string(), remedy)
}

#[cfg(test)]
mod tests {
    use super::{SubjectState, judge};

    #[test]
    fn a_subject_without_this_version_s_schema_is_a_fault() {
        assert_eq!(judge("a-value", SubjectState::Registered(1)), None);
        for (state, remedy) in [
            (SubjectState::Missing, "leadstream topics apply"),
            (SubjectState::Compatible, "leadstream topics apply"),
            (SubjectState::Incompatible, "upgrade this version"),
        ] {
            let finding = judge("a-value", state).unwrap();
            assert!(finding.remedy.unwrap().starts_with(remedy));
        }
    }
}
