//! Reads `provider.notices`. A notice that puts the health of a number in doubt makes its owner ask for
//! the health at once, which decides.

use std::collections::BTreeSet;

use leadstream_kafka::{Record, RecordWriter};
use leadstream_schemas::{ProviderNotice, Timestamp, codec};
use leadstream_service::database::DatabaseError;

use crate::ledger::Ledger;
use crate::wakers::Wakers;

/// The notices after which a number may send less or more than before.
const CONCERN_HEALTH: [&str; 6] = [
    "account_alerts",
    "account_review_update",
    "account_update",
    "business_capability_update",
    "phone_number_quality_update",
    "session.status",
];

/// Reports notices to the owners of the numbers.
#[derive(Debug)]
pub(crate) struct NoticeWriter {
    pub(crate) ledger: Ledger,
    pub(crate) wakers: Wakers,
}

impl RecordWriter for NoticeWriter {
    type Item = ProviderNotice;
    type Error = DatabaseError;

    fn decode(&self, record: &Record) -> Result<ProviderNotice, String> {
        codec::decode(&record.value).map_err(|error| error.to_string())
    }

    async fn write(
        &mut self,
        items: &[ProviderNotice],
        _backlog: u64,
    ) -> Result<(), DatabaseError> {
        for concerned in concerned(items) {
            self.ledger.report(concerned, Timestamp::now()).await?;
            self.wakers.renew();
        }
        Ok(())
    }

    fn is_transient(error: &DatabaseError) -> bool {
        error.is_transient()
    }

    fn count(&self, _records: usize, _undecodable: usize) {}
}

/// Returns the numbers or accounts whose health is in doubt; the empty name stands for all.
fn concerned(notices: &[ProviderNotice]) -> BTreeSet<&str> {
    notices
        .iter()
        .filter(|notice| CONCERN_HEALTH.contains(&&*notice.field))
        .map(|notice| notice.number.as_deref().unwrap_or_default())
        .collect()
}

#[cfg(test)]
mod tests {
    use leadstream_schemas::{Platform, ProviderNotice, Timestamp};

    use super::concerned;

    fn notice(field: &str, number: Option<&str>) -> ProviderNotice {
        ProviderNotice {
            platform: Platform::WhatsappCloud,
            number: number.map(str::to_owned),
            field: field.into(),
            received_at: Timestamp::default(),
            raw: serde_json::value::RawValue::from_string("{}".into()).unwrap(),
        }
    }

    #[test]
    fn only_notices_of_accounts_and_sessions_put_a_health_in_doubt() {
        let notices = [
            notice("account_update", Some("waba")),
            notice("session.status", Some("sales")),
            notice("session.status", Some("sales")),
            notice("phone_number_quality_update", None),
            notice("message_template_status_update", Some("other")),
        ];
        let found: Vec<&str> = concerned(&notices).into_iter().collect();
        assert_eq!(found, ["", "sales", "waba"]);
    }
}
