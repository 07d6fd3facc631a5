//! Checks the WhatsApp numbers and the CRMs with the services' own credentials.

use leadstream_sink_crm::CrmArgs;
use leadstream_sink_crm::tool::{self as crm_tool, Checked};
use leadstream_sink_whatsapp::SendArgs;
use leadstream_sink_whatsapp::health::Health;
use leadstream_sink_whatsapp::tool::{self as number_tool, CheckedNumber};

use super::finding::Finding;
use super::setting;

const WHATSAPP: &str = "whatsapp";
const CRM: &str = "crm";

/// Checks whether each of `numbers`, and those with an own credential, can send.
pub(super) async fn whatsapp(
    args: &SendArgs,
    numbers: impl Iterator<Item = String>,
) -> Vec<Finding> {
    match args.is_empty() {
        Ok(false) => {}
        Ok(true) => {
            let told = "not checked: neither META_ACCESS_TOKEN nor WASENDER_API_KEY is set";
            return vec![Finding::skipped(WHATSAPP, told)];
        }
        Err(error) => return vec![setting(WHATSAPP, &error)],
    }
    match number_tool::check(args, numbers).await {
        Ok(checked) if checked.is_empty() => {
            let told = "not checked: no number is known; set META_PHONE_NUMBER_IDS";
            vec![Finding::skipped(WHATSAPP, told)]
        }
        Ok(checked) => checked.into_iter().map(number).collect(),
        Err(error) => vec![Finding::fault(
            WHATSAPP,
            error.to_string(),
            "correct the settings",
        )],
    }
}

fn number(checked: CheckedNumber) -> Finding {
    let number = checked.number;
    let Some(report) = checked.health else {
        let told = format!("number {number} has no credential, so its replies wait");
        let remedy = "set META_ACCESS_TOKEN, or add the number to META_ACCESS_TOKENS";
        return Finding::fault(WHATSAPP, told, remedy);
    };
    match report.health {
        Health::Available => {
            let rate = report.throughput.map_or_else(String::new, |rate| {
                format!(", {rate} messages per second with inbound ones")
            });
            Finding::ok(WHATSAPP, format!("number {number} can send{rate}"))
        }
        Health::Blocked { code, reason } => {
            let code = code.map_or_else(String::new, |code| format!(" (code {code})"));
            Finding::fault(
                WHATSAPP,
                format!("number {number} cannot send{code}"),
                reason,
            )
        }
        Health::Refused(error) => {
            let code = error
                .code
                .map_or_else(String::new, |code| format!(" (code {code})"));
            Finding::fault(
                WHATSAPP,
                format!("the provider refuses the credential of number {number}{code}"),
                "make a new token of a system user with whatsapp_business_messaging, and set META_ACCESS_TOKEN",
            )
        }
        Health::Unreadable => Finding::warning(
            WHATSAPP,
            format!("the health of number {number} cannot be read"),
            "give the token the permission whatsapp_business_management, and check the number's id",
        ),
        Health::NoAnswer => Finding::fault(
            WHATSAPP,
            format!("the provider did not answer for number {number}"),
            "allow this host to reach META_GRAPH_URL and WASENDER_API_URL",
        ),
    }
}

/// Checks each CRM that is set.
pub(super) async fn crms(args: &CrmArgs) -> Vec<Finding> {
    match args.is_empty() {
        Ok(false) => {}
        Ok(true) => return vec![Finding::skipped(CRM, "not checked: no CRM is set")],
        Err(error) => return vec![setting(CRM, &error)],
    }
    match crm_tool::check(args).await {
        Ok(checked) => checked.into_iter().map(crm).collect(),
        Err(error) => vec![Finding::fault(
            CRM,
            error.to_string(),
            "leadstream crm check",
        )],
    }
}

fn crm(checked: Checked) -> Finding {
    let crm = checked.crm;
    match checked.problem {
        Some(problem) => Finding::fault(CRM, format!("{crm}: {problem}"), "leadstream crm check"),
        None => Finding::ok(CRM, format!("{crm}: nothing is missing")),
    }
}

#[cfg(test)]
mod tests {
    use leadstream_sink_whatsapp::health::HealthReport;
    use leadstream_sink_whatsapp::send_result::GraphError;

    use super::{CheckedNumber, Health, number};
    use crate::doctor::finding::State;

    #[test]
    fn a_number_that_cannot_send_is_a_fault_with_the_cause() {
        let refused = Health::Refused(GraphError {
            code: Some(190),
            ..GraphError::default()
        });
        let blocked = Health::Blocked {
            code: Some(141_000),
            reason: "see the account".into(),
        };
        for (health, state, told) in [
            (Some(Health::Available), State::Ok, "can send"),
            (Some(refused), State::Fault, "(code 190)"),
            (Some(blocked), State::Fault, "cannot send (code 141000)"),
            (Some(Health::Unreadable), State::Warning, "cannot be read"),
            (Some(Health::NoAnswer), State::Fault, "did not answer"),
            (None, State::Fault, "no credential"),
        ] {
            let finding = number(CheckedNumber {
                number: "501".into(),
                health: health.map(HealthReport::from),
            });
            assert_eq!(finding.state, state, "{finding:?}");
            assert!(finding.message.contains(told), "{finding:?}");
            assert_eq!(finding.remedy.is_none(), state == State::Ok, "{finding:?}");
        }
    }
}
