//! Decides which marketing templates are not sent, because WhatsApp would not deliver them. Pure.

use leadstream_schemas::reply::TemplateCategory;
use leadstream_schemas::{Recipient, ReplyTemplate};
use phonenumber::country;

use crate::send_result::Class;

/// Checks whether WhatsApp delivers the template to this person. A template without a category counts as
/// no marketing, and so does a recipient without a phone number as nobody of the USA: WhatsApp decides.
///
/// # Errors
/// Returns the class of the failure.
pub(super) fn check(
    template: &ReplyTemplate,
    recipient: &Recipient,
    refuses_marketing: bool,
) -> Result<(), Class> {
    if template.category != Some(TemplateCategory::Marketing) {
        return Ok(());
    }
    if refuses_marketing {
        return Err(Class::MarketingOptOut);
    }
    match &recipient.wa_id {
        Some(wa_id) if is_of_usa(wa_id) => Err(Class::MarketingCountry),
        _ => Ok(()),
    }
}

/// Returns whether a number has an area code of the USA: others share the country code 1.
fn is_of_usa(wa_id: &str) -> bool {
    let digits = wa_id.trim_start_matches('+');
    if !digits.starts_with('1') {
        return false;
    }
    let number = phonenumber::parse(None, format!("+{digits}"));
    number.is_ok_and(|number| number.country().id() == Some(country::US))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(category: Option<TemplateCategory>) -> ReplyTemplate {
        ReplyTemplate {
            category,
            ..ReplyTemplate::default()
        }
    }

    fn to(wa_id: &str) -> Recipient {
        Recipient {
            wa_id: Some(wa_id.to_owned()),
            ..Recipient::default()
        }
    }

    #[test]
    fn no_marketing_goes_to_numbers_of_the_usa() {
        let marketing = template(Some(TemplateCategory::Marketing));
        for (wa_id, expected) in [
            ("12125550123", Err(Class::MarketingCountry)),
            ("+14155552671", Err(Class::MarketingCountry)),
            // Canada, Jamaica and Puerto Rico share the country code.
            ("14165550123", Ok(())),
            ("18765550123", Ok(())),
            ("5511987654321", Ok(())),
            ("4915112345678", Ok(())),
            ("1", Ok(())),
            ("", Ok(())),
        ] {
            assert_eq!(check(&marketing, &to(wa_id), false), expected, "{wa_id}");
        }
        for category in [None, Some(TemplateCategory::Utility)] {
            assert_eq!(check(&template(category), &to("12125550123"), true), Ok(()));
        }
        assert_eq!(check(&marketing, &Recipient::default(), false), Ok(()));
    }

    #[test]
    fn no_marketing_goes_to_who_wants_none() {
        let marketing = template(Some(TemplateCategory::Marketing));
        let refused = check(&marketing, &to("4915112345678"), true);
        assert_eq!(refused, Err(Class::MarketingOptOut));
    }
}
