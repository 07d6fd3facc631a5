//! Chooses the settings with which tools reach a stack. Pure.

use std::collections::BTreeMap;

/// The beginnings of the names of settings that mean the same to every command. Settings of one
/// process, such as ports and logs, have others.
const PREFIXES: [&str; 13] = [
    "ACCOUNTS",
    "DATABASE_",
    "ERASURE_",
    "HUBSPOT_",
    "KAFKA_",
    "META_",
    "PROCESSOR_",
    "SALESFORCE_",
    "SCHEMA_",
    "SINK_CRM_",
    "SINK_WHATSAPP_",
    "TOPIC_",
    "WASENDER_",
];

/// Returns the settings in force: those of the deployment before those of the environment.
pub(super) fn tool_settings(
    environment: impl IntoIterator<Item = (String, String)>,
    deployment: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let is_setting = |name: &str| PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    let in_file = |name: &str| deployment.contains_key(name.strip_suffix("_FILE").unwrap_or(name));
    let inherited = environment.into_iter().filter(|(name, _)| !in_file(name));
    let mut settings: BTreeMap<String, String> = inherited.collect();
    settings.extend(deployment);
    settings.retain(|name, _| is_setting(name));
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_get_what_services_get_but_nothing_of_one_process() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            let pairs = pairs.iter();
            pairs
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect()
        };
        let environment = map(&[
            ("HOME", "/root"),
            ("OPS_ADDRESS", "0.0.0.0:1"),
            ("LOG_LEVEL", "debug"),
            ("KAFKA_BOOTSTRAP_SERVERS", "stale:1"),
            ("DATABASE_URL_FILE", "/secret"),
            ("HUBSPOT_ACCESS_TOKEN_FILE", "/token"),
            ("SCHEMA_REGISTRY_PASSWORD", "pw"),
        ]);
        let deployment = map(&[
            ("KAFKA_BOOTSTRAP_SERVERS", "kafka:1"),
            ("DATABASE_URL", "postgres://db"),
            ("NO_COLOR", "1"),
            ("TOPIC_PREFIX", ""),
        ]);
        let expected = map(&[
            ("KAFKA_BOOTSTRAP_SERVERS", "kafka:1"),
            ("DATABASE_URL", "postgres://db"),
            ("HUBSPOT_ACCESS_TOKEN_FILE", "/token"),
            ("SCHEMA_REGISTRY_PASSWORD", "pw"),
            ("TOPIC_PREFIX", ""),
        ]);
        assert_eq!(tool_settings(environment, deployment), expected);
    }
}
