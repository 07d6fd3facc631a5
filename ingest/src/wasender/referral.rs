//! Finds the ad or post that led to a message.

use leadstream_schemas::Referral;

use super::wire::Object;

/// Returns the ad or post that led to a message, in the members of the Cloud API. `inner` is the
/// unwrapped message, each of whose kinds has the data; newer deliveries repeat it in `message`.
pub(super) fn read(message: &Object<'_>, inner: &Object<'_>) -> Option<Referral> {
    let kinds = inner.members().filter_map(|(_, raw)| Object::read(raw));
    kinds
        .chain([message.clone(), inner.clone()])
        .filter_map(|holder| holder.object("contextInfo"))
        .find_map(|context| of_context(&context))
}

fn of_context(context: &Object<'_>) -> Option<Referral> {
    let given = context.object("externalAdReply").unwrap_or_default();
    let told = |name: &str| given.text(name).to_owned();
    let source_type = told("sourceType").map(|kind| kind.to_ascii_lowercase());
    let referral = Referral {
        source_type: source_type.or_else(|| is_from_ad(context).then(|| "ad".to_owned())),
        source_id: told("sourceId"),
        source_url: told("sourceUrl"),
        headline: told("title"),
        body: told("body"),
        ctwa_clid: told("ctwaClid").or_else(|| context.text("ctwaClid").to_owned()),
    };
    // A preview of any other link has the same form, without a source.
    let has_source = referral.source_type.is_some()
        || referral.source_id.is_some()
        || referral.ctwa_clid.is_some();
    has_source.then_some(referral)
}

/// Returns whether WhatsApp says that an ad opened the conversation.
fn is_from_ad(context: &Object<'_>) -> bool {
    let told = |name: &str| context.text(name).get().map(str::to_ascii_lowercase);
    let source = told("conversionSource").is_some_and(|it| it.ends_with("ads") || it == "ad");
    let entry = told("entryPointConversionSource").is_some_and(|it| it.contains("ctwa"));
    source || entry
}
