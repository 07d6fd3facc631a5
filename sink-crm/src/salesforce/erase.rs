//! Deletes records. Salesforce keeps them in its recycle bin for 15 days.

use serde_json::Value;

use super::client::Salesforce;
use crate::crm::{Class, EraseRecords, Failure};

/// Returns the object of a record by the prefix of its id.
fn object_of(record_id: &str) -> Result<&'static str, Failure> {
    match record_id.get(..3) {
        Some("00Q") => Ok("Lead"),
        Some("003") => Ok("Contact"),
        Some("001") => Ok("Account"),
        _ => Err(Failure::new(
            Class::Halt,
            "the record is no lead, contact or account: delete it in Salesforce",
        )),
    }
}

impl EraseRecords for Salesforce {
    async fn name(&self, record_id: &str) -> Result<Option<String>, Failure> {
        let object = object_of(record_id)?;
        let path = format!("sobjects/{object}/{record_id}?fields=Name");
        let response = self
            .send(|http, base| http.get(format!("{base}/{path}")))
            .await?;
        let Some(response) = response else {
            return Ok(None);
        };
        let record: Value = serde_json::from_slice(&response.body).unwrap_or_default();
        let name = record["Name"].as_str().unwrap_or_default();
        Ok(Some(name.to_owned()))
    }

    async fn erase(&self, record_id: &str) -> Result<bool, Failure> {
        let object = object_of(record_id)?;
        let path = format!("sobjects/{object}/{record_id}");
        let response = self
            .send(|http, base| http.delete(format!("{base}/{path}")))
            .await?;
        Ok(response.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::object_of;

    #[test]
    fn an_id_names_its_object() {
        for (id, expected) in [
            ("00Q5e000001AbCdEAK", Some("Lead")),
            ("0035e000001AbCdAAK", Some("Contact")),
            ("0015e000001AbCdAAK", Some("Account")),
            ("0065e000001AbCdAAK", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(object_of(id).ok(), expected, "{id}");
        }
    }
}
