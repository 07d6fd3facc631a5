//! Compares a CRM mapping with the published flows.

use leadstream_processor::pool;
use leadstream_processor::publishing::Publisher;
use leadstream_service::config::DatabaseArgs;
use leadstream_sink_crm::CrmArgs;
use leadstream_sink_crm::tool::unfit_answers;

/// Returns which fields of the mapping file no published flow fills, and which cannot hold what one does.
pub(super) async fn unfit(
    args: &CrmArgs,
    database: &DatabaseArgs,
) -> anyhow::Result<Vec<(&'static str, String)>> {
    if args.sync.sink_crm_mapping_file.is_none() {
        return Ok(Vec::new());
    }
    let publisher = Publisher::new(database.connect(|url| pool(url, 2))?).await?;
    Ok(unfit_answers(args, &publisher.field_types().await?)?)
}
