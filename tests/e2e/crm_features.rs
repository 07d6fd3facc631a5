//! Tests what users of HubSpot and Salesforce need around the sink: credentials, existing records,
//! the mapping file, provisioning, reconciliation.

pub(crate) mod credentials;
pub(crate) mod mapping;
pub(crate) mod matching;
pub(crate) mod own_mapping;
pub(crate) mod provision;
pub(crate) mod reconcile;
pub(crate) mod webhook;

use std::path::Path;

use anyhow::ensure;
use leadstream_harness::Site;

/// The default mapping.
const DEFAULT: &str = include_str!("../../sink-crm/crm.yaml");

/// Gives the sink a mapping file in `folder`: the default with each text replaced once.
fn mapping_file(
    site: &mut Site<'_>,
    folder: &Path,
    replaced: &[(&str, &str)],
) -> anyhow::Result<()> {
    let mut mapping = DEFAULT.to_owned();
    for (old, new) in replaced {
        ensure!(mapping.contains(old), "the default mapping has no {old:?}");
        mapping = mapping.replacen(old, new, 1);
    }
    let path = folder.join("crm.yaml");
    std::fs::write(&path, mapping)?;
    let variable = (
        "SINK_CRM_MAPPING_FILE".to_owned(),
        path.display().to_string(),
    );
    site.deployment.further.push(variable);
    Ok(())
}
