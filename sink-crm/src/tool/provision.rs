//! `leadstream crm provision`: what a CRM lacks of what the mapping writes is made.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::ToolError;
use crate::config::CrmArgs;
use crate::crm::{Class, CrmName, Failure};
use crate::http;
use crate::hubspot::Hubspot;
use crate::salesforce::Salesforce;

/// What was made for a CRM, or would be.
#[derive(Clone, Debug)]
pub struct Provisioned {
    pub crm: &'static str,
    /// One line each; nothing when all is there.
    pub steps: Vec<String>,
    /// What to know of it.
    pub notes: Vec<String>,
}

/// Makes what each configured CRM lacks: HubSpot's property group and properties, and in `folder`
/// the Salesforce metadata package. Without `apply` it only says so.
///
/// # Errors
/// Wrong settings, a CRM that refuses, a folder that cannot be written.
pub async fn provision(
    args: &CrmArgs,
    folder: &Path,
    apply: bool,
) -> Result<Vec<Provisioned>, ToolError> {
    let crms = args.crms()?;
    let http = http::client(args.sync.sink_crm_request_timeout)?;
    let mut provisioned = Vec::new();
    if let Some(settings) = crms.hubspot {
        let hubspot = Hubspot::new(http.clone(), settings);
        let steps = match hubspot.provision(apply).await {
            Err(failure) if failure.class == Class::Auth => hubspot.provision(apply).await,
            outcome => outcome,
        };
        provisioned.push(Provisioned {
            crm: CrmName::Hubspot.as_str(),
            steps: steps.map_err(|failure| refused(CrmName::Hubspot, failure))?,
            notes: Vec::new(),
        });
    }
    if let Some(settings) = crms.salesforce {
        provisioned.push(package(&Salesforce::new(http, settings), folder, apply).await?);
    }
    Ok(provisioned)
}

async fn package(
    salesforce: &Salesforce,
    folder: &Path,
    apply: bool,
) -> Result<Provisioned, ToolError> {
    let mut notes = Vec::new();
    let existing = match salesforce.field_names().await {
        Ok(names) => names,
        Err(failure) => {
            notes.push(format!(
                "the organisation was not asked what it has, so the package holds every field: {}",
                failure.reason
            ));
            BTreeSet::new()
        }
    };
    let files = salesforce.metadata(&existing)?;
    let mut steps = Vec::new();
    for (path, content) in files {
        let path = folder.join(path);
        if apply {
            write(&path, &content)?;
        }
        steps.push(format!("write {}", path.display()));
    }
    notes.push(format!(
        "deploy it with `sf project deploy start --metadata-dir {}`, and give the permission set Leadstream to the user of the connected app",
        folder.display()
    ));
    Ok(Provisioned {
        crm: CrmName::Salesforce.as_str(),
        steps,
        notes,
    })
}

fn write(path: &Path, content: &str) -> Result<(), ToolError> {
    let failed = |source| ToolError::Write {
        path: PathBuf::from(path),
        source,
    };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, content).map_err(failed)
}

pub(super) fn refused(crm: CrmName, failure: Failure) -> ToolError {
    ToolError::Crm {
        crm: crm.as_str(),
        reason: failure.reason,
    }
}
