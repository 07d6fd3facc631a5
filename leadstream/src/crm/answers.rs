//! Compares a CRM mapping with the published flows.

use leadstream_processor::flow::FieldType;
use leadstream_processor::pool;
use leadstream_processor::publishing::Publisher;
use leadstream_service::config::DatabaseArgs;
use leadstream_sink_crm::tool::unfit_answers;
use leadstream_sink_crm::{Answer, Answers, CrmArgs};

/// Returns which fields of the mapping file no published flow fills, and which cannot hold what one does.
pub(super) async fn unfit(
    args: &CrmArgs,
    database: &DatabaseArgs,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    if args.sync.sink_crm_mapping_file.is_none() {
        return Ok(Vec::new());
    }
    let publisher = Publisher::new(database.connect(|url| pool(url, 2))?).await?;
    Ok(unfit_answers(
        args,
        &answers(publisher.field_types().await?),
    )?)
}

fn answers(types: impl IntoIterator<Item = (String, Vec<FieldType>)>) -> Answers {
    let types = types.into_iter();
    types
        .map(|(field, types)| (field, types.into_iter().map(answer).collect()))
        .collect()
}

fn answer(of_field: FieldType) -> Answer {
    match of_field {
        FieldType::Text => Answer::Text,
        FieldType::Number => Answer::Number,
        FieldType::Choice(values) => Answer::Choice(values),
        FieldType::Date => Answer::Date,
        FieldType::Time => Answer::Time,
        FieldType::Flag => Answer::Flag,
        FieldType::Object => Answer::Object,
    }
}
