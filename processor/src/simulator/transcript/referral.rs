//! The ad or post that leads to a message, in a transcript or in the terminal.

use std::sync::LazyLock;

use leadstream_schemas::{Referral as Given, Timestamp};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;

use crate::flow::Referral;
use crate::yaml::{self, schema_of};

static SCHEMA: LazyLock<Schema> = LazyLock::new(schema_of::<ReferralDocument>);

/// The ad or post that leads to the message. Each member becomes the field `referral_…` of its name.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(super) struct ReferralDocument {
    /// `ad` or `post`.
    #[serde(rename = "type")]
    source_type: Option<String>,
    /// The id of the ad or post.
    id: Option<String>,
    /// Its address.
    url: Option<String>,
    headline: Option<String>,
    body: Option<String>,
    /// The click (`ctwa_clid`).
    click_id: Option<String>,
}

impl ReferralDocument {
    /// Returns the referral as a provider gives it.
    pub(super) fn given(&self) -> Given {
        Given {
            source_type: self.source_type.clone(),
            source_id: self.id.clone(),
            source_url: self.url.clone(),
            headline: self.headline.clone(),
            body: self.body.clone(),
            ctwa_clid: self.click_id.clone(),
        }
    }

    /// Returns why a conversation would not keep the referral.
    pub(super) fn error(&self) -> Option<String> {
        let given = self.given();
        if given == Given::default() {
            return Some("`referral` says nothing; add what is known, such as `id`".to_owned());
        }
        let kept = Referral::new(given.clone(), Timestamp::default());
        let kept = kept.map(|it| it.to_given()).unwrap_or_default();
        let ((name, _), _) = members(&given)
            .into_iter()
            .zip(members(&kept))
            .find(|((_, given), (_, kept))| given.is_some() && kept.is_none())?;
        Some(format!(
            "`{name}` is empty or too long, so a conversation would not keep it; correct or remove it"
        ))
    }
}

/// Reads a referral, such as `{ id: "77", headline: Solar }`.
///
/// # Errors
/// Returns everything that is wrong with it.
pub fn parse_referral(text: &str) -> Result<Given, String> {
    let mut faults = yaml::Faults::default();
    let wrong = |faults: Vec<yaml::Fault>| {
        let reasons: Vec<String> = faults.into_iter().map(|it| it.reason).collect();
        reasons.join("; ")
    };
    let Some(tree) = yaml::read(text, &SCHEMA, &mut faults) else {
        return Err(wrong(faults.errors));
    };
    if !faults.errors.is_empty() {
        return Err(wrong(faults.errors));
    }
    let document = yaml::typed::<ReferralDocument>(&tree).map_err(|it| it.reason)?;
    let document = document.value;
    document.error().map_or_else(|| Ok(document.given()), Err)
}

/// Returns the members as a document names them.
pub(super) fn members(given: &Given) -> [(&'static str, Option<&str>); 6] {
    [
        ("type", given.source_type.as_deref()),
        ("id", given.source_id.as_deref()),
        ("url", given.source_url.as_deref()),
        ("headline", given.headline.as_deref()),
        ("body", given.body.as_deref()),
        ("click_id", given.ctwa_clid.as_deref()),
    ]
}
