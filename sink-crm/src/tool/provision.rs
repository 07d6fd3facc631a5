//! Implements `leadstream crm provision`: creates what the mapping needs and a CRM lacks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::ToolError;
use crate::config::CrmArgs;
use crate::crm::{Class, Failure};
use crate::crm_name::CrmName;
use crate::http;
use crate::hubspot::Hubspot;
use crate::salesforce::Salesforce;

/// What was created for a CRM, or would be.
#[derive(Clone, Debug)]
pub struct Provisioned {
    pub crm: &'static str,
    /// One line each; empty when nothing is missing.
    pub steps: Vec<String>,
    /// What the operator has to do or know.
    pub notes: Vec<String>,
}

/// Creates what each configured CRM lacks: HubSpot's property group and properties, and in `folder`
/// the Salesforce metadata package. Without `apply` it only returns the steps.
///
/// # Errors
/// Returns an error if settings are wrong, if a CRM refuses, or if the folder cannot be written.
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
                "the fields of the organisation could not be read, so the package has every field: {}",
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
