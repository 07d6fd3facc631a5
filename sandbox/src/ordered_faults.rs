//! Keeps the ordered faults, and uses them up.

use std::collections::BTreeMap;

use crate::endpoint::{Endpoint, Vendor};
use crate::fault::{Effect, Fault};
use crate::status_script::{Stage, StatusScript};

/// The ordered faults that are not used up, by id.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    ordered: BTreeMap<u64, Fault>,
    last_id: u64,
}

impl Faults {
    pub(crate) fn order(&mut self, fault: Fault) -> u64 {
        self.last_id += 1;
        if fault.times != Some(0) {
            self.ordered.insert(self.last_id, fault);
        }
        self.last_id
    }

    pub(crate) fn ordered(&self) -> &BTreeMap<u64, Fault> {
        &self.ordered
    }

    pub(crate) fn cancel(&mut self, id: u64) {
        self.ordered.remove(&id);
    }

    pub(crate) fn clear(&mut self) {
        self.ordered.clear();
    }

    /// Uses the oldest fault of the endpoint that matches one of the keys and whose effect `select`
    /// accepts.
    pub(crate) fn consume<T>(
        &mut self,
        endpoint: Endpoint,
        keys: &[&str],
        select: impl Fn(&Effect) -> Option<T>,
    ) -> Option<T> {
        let (id, found) = self.ordered.iter().find_map(|(id, fault)| {
            let meets = fault.key.as_deref().is_none_or(|key| keys.contains(&key));
            let found = (fault.endpoint == endpoint && meets).then(|| select(&fault.effect))?;
            let drawn = || {
                fault
                    .share
                    .is_none_or(|share| rand::random::<f64>() < share)
            };
            let found = found.filter(|_| drawn());
            found.map(|found| (*id, found))
        })?;
        let fault = self.ordered.get_mut(&id)?;
        fault.times = fault.times.map(|times| times - 1);
        if fault.times == Some(0) {
            self.ordered.remove(&id);
        }
        Some(found)
    }

    /// Returns the options that pick lists have lost, each with its field.
    pub(crate) fn lost_options(&self, endpoint: Endpoint) -> Vec<(String, String)> {
        let lost = |fault: &Fault| match &fault.effect {
            Effect::OptionGone { field, value } if fault.endpoint == endpoint => {
                Some((field.clone(), value.clone()))
            }
            _ => None,
        };
        self.ordered.values().filter_map(lost).collect()
    }

    /// Uses the faults for each record of a batch; `written` returns what a record writes to a field.
    pub(crate) fn consume_batch_faults(
        &mut self,
        endpoint: Endpoint,
        keys: &[&str],
        written: impl Fn(usize, &str) -> Option<String>,
    ) -> Vec<Option<RecordFault>> {
        let too_many = self.consume(endpoint, keys, |effect| match effect {
            Effect::TooMany {
                most,
                code,
                message,
            } if keys.len() > *most => Some(RecordFault::Error {
                code: code.clone(),
                message: message.clone(),
                field: None,
            }),
            _ => None,
        });
        if too_many.is_some() {
            return vec![too_many; keys.len()];
        }
        let record = |(position, key): (usize, &&str)| {
            self.consume_record_fault(endpoint, key, |field| written(position, field))
        };
        keys.iter().enumerate().map(record).collect()
    }

    /// Uses the fault for one record of a batch.
    pub(crate) fn consume_record_fault(
        &mut self,
        endpoint: Endpoint,
        key: &str,
        written: impl Fn(&str) -> Option<String>,
    ) -> Option<RecordFault> {
        self.consume(endpoint, &[key], |effect| match effect {
            Effect::RecordError {
                code,
                message,
                field,
            } => {
                let hits = field
                    .as_deref()
                    .is_none_or(|field| written(field).is_some());
                hits.then(|| RecordFault::Error {
                    code: code.clone(),
                    message: message.clone(),
                    field: field.clone(),
                })
            }
            Effect::OptionGone { field, value } => {
                let code = match endpoint.vendor() {
                    Vendor::Salesforce => "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
                    _ => "INVALID_OPTION",
                };
                let hits = written(field).as_ref() == Some(value);
                hits.then(|| RecordFault::Error {
                    code: code.to_owned(),
                    message: Some(format!("{value} is no option of {field}")),
                    field: Some(field.clone()),
                })
            }
            Effect::UntracedError => Some(RecordFault::Untraced),
            Effect::Omitted => Some(RecordFault::Omitted),
            _ => None,
        })
    }

    /// Uses a fault of a late application; returns the delay in milliseconds.
    pub(crate) fn consume_delay(&mut self, endpoint: Endpoint, keys: &[&str]) -> Option<u64> {
        self.consume(endpoint, keys, |effect| match effect {
            Effect::AppliedLate { ms } => Some(*ms),
            _ => None,
        })
    }
}

impl Faults {
    /// Returns whether Meta holds a template that was accepted.
    pub(crate) fn consume_hold(&mut self, recipient: &str) -> bool {
        let held = self.consume(Endpoint::GraphMessages, &[recipient], |effect| {
            matches!(effect, Effect::Held).then_some(())
        });
        held.is_some()
    }

    /// Returns the statuses of a message that was accepted: those that a fault orders, or else those
    /// of the script.
    pub(crate) fn statuses(
        &mut self,
        endpoint: Endpoint,
        recipient: &str,
        script: &StatusScript,
    ) -> Vec<Stage> {
        let ordered = self.consume(endpoint, &[recipient], |effect| match effect {
            Effect::FailedStatus { code } => Some(vec![Stage::Failed(*code)]),
            Effect::Statuses { stages } => Some(stages.clone()),
            _ => None,
        });
        ordered.unwrap_or_else(|| script.draw(&mut rand::rng()))
    }
}

/// The fault of one record of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RecordFault {
    Error {
        code: String,
        message: Option<String>,
        /// The field that the error names.
        field: Option<String>,
    },
    Untraced,
    Omitted,
}

#[cfg(test)]
mod tests {
    use super::{Faults, RecordFault};
    use crate::endpoint::Endpoint;
    use crate::fault::{Effect, Fault};

    fn any(effect: &Effect) -> Option<Effect> {
        Some(effect.clone())
    }

    #[test]
    fn a_fault_is_used_up_after_its_times() {
        let mut faults = Faults::default();
        faults.order(Fault::status(Endpoint::HubspotUpsert, 500).times(2));
        assert!(
            faults
                .consume(Endpoint::HubspotContact, &["1"], any)
                .is_none()
        );
        assert!(
            faults
                .consume(Endpoint::HubspotUpsert, &["1"], any)
                .is_some()
        );
        assert!(faults.consume(Endpoint::HubspotUpsert, &[], any).is_some());
        assert!(
            faults
                .consume(Endpoint::HubspotUpsert, &["1"], any)
                .is_none()
        );
    }

    #[test]
    fn a_fault_with_a_key_meets_requests_that_hold_it() {
        let mut faults = Faults::default();
        faults.order(Fault::timeout(Endpoint::SalesforceUpsert).for_key("b"));
        assert!(
            faults
                .consume(Endpoint::SalesforceUpsert, &["a", "c"], any)
                .is_none()
        );
        assert!(
            faults
                .consume(Endpoint::SalesforceUpsert, &["a", "b"], any)
                .is_some()
        );
    }

    #[test]
    fn a_request_with_too_many_records_fails_with_each_of_them() {
        let mut faults = Faults::default();
        let endpoint = Endpoint::SalesforceUpsert;
        faults.order(Fault::too_many(endpoint, 1, "CODE").saying("limit"));
        let failed = RecordFault::Error {
            code: "CODE".to_owned(),
            message: Some("limit".to_owned()),
            field: None,
        };
        for _ in 0..2 {
            let found = faults.consume_batch_faults(endpoint, &["a", "b"], |_, _| None);
            assert_eq!(found, vec![Some(failed.clone()); 2]);
            let found = faults.consume_batch_faults(endpoint, &["a"], |_, _| None);
            assert_eq!(found, [None]);
        }
    }

    #[test]
    fn record_errors_stay_until_cleared_and_leave_other_faults_alone() {
        let mut faults = Faults::default();
        let endpoint = Endpoint::SalesforceUpsert;
        faults.order(Fault::status(endpoint, 503));
        faults.order(Fault::record_error(endpoint, "b", "ENTITY_IS_LOCKED"));
        let locked = RecordFault::Error {
            code: "ENTITY_IS_LOCKED".to_owned(),
            message: None,
            field: None,
        };
        for _ in 0..3 {
            let found = faults.consume_record_fault(endpoint, "b", |_| None);
            assert_eq!(found.as_ref(), Some(&locked));
        }
        assert_eq!(faults.consume_record_fault(endpoint, "a", |_| None), None);
        assert_eq!(faults.ordered().len(), 2);
        faults.clear();
        assert_eq!(faults.consume_record_fault(endpoint, "b", |_| None), None);
    }

    #[test]
    fn a_fault_of_a_field_meets_records_that_write_it() {
        let mut faults = Faults::default();
        let endpoint = Endpoint::SalesforceUpsert;
        let email = Fault::record_error(endpoint, "a", "INVALID_EMAIL_ADDRESS").of_field("Email");
        faults.order(email);
        faults.order(Fault::option_gone(endpoint, "Status", "Open"));
        let mut code = |fields: &[(&str, &str)]| {
            let written = |name: &str| {
                let found = fields.iter().find(|(field, _)| *field == name)?;
                Some(found.1.to_owned())
            };
            match faults.consume_record_fault(endpoint, "a", written)? {
                RecordFault::Error { code, field, .. } => Some((code, field.unwrap())),
                fault => panic!("{fault:?}"),
            }
        };
        let found = |code: &str, field: &str| Some((code.to_owned(), field.to_owned()));
        let email = found("INVALID_EMAIL_ADDRESS", "Email");
        assert_eq!(code(&[("Email", "x"), ("Status", "Open")]), email);
        let option = found("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Status");
        assert_eq!(code(&[("Status", "Open")]), option);
        assert_eq!(code(&[("Status", "Closed")]), None);
        let lost = [("Status".to_owned(), "Open".to_owned())];
        assert_eq!(faults.lost_options(endpoint), lost);
        assert_eq!(faults.lost_options(Endpoint::HubspotUpsert), []);
    }
}
