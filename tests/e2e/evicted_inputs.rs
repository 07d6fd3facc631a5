//! Tests ids that are evicted from their lead's journal.

use std::time::Duration;

use anyhow::ensure;
use leadstream_harness::{Site, World, eventually, text_webhook};
use leadstream_local::deployment::Service;
use leadstream_sandbox::webhook::Person;
use leadstream_schemas::{Timestamp, Topic};

use crate::resting_state::read_all;

/// Tests that a duplicate of an evicted message has no effect. Days without possible duplicates are
/// dropped, and future days are created.
pub(crate) fn a_duplicate_of_an_evicted_input_has_no_effect_and_old_ids_are_dropped(
    world: &World,
) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "evicted").await?;
        sqlx::raw_sql(
            "CREATE TABLE dedup_ids_20200101 PARTITION OF dedup_ids
                 FOR VALUES FROM ('2020-01-01') TO ('2020-01-02');
             INSERT INTO dedup_ids VALUES ('2020-01-01', '1', 'a'), ('2020-02-02', '1', 'b')",
        )
        .execute(&site.database)
        .await?;
        site.start(Service::Ingest, "ingest").await?;
        let short = vec![("PROCESSOR_JOURNAL_LENGTH".to_owned(), "2".to_owned())];
        site.spawn_with(Service::Processor, "processor", short)?;
        site.ready("processor").await?;

        let person = Person::new("15558880002", "Grace");
        let now = Timestamp::now().millis() / 1000 - 600;
        let said =
            |index: i64| text_webhook(&person, &format!("evicted-{index}"), now + index, "RESTART");
        for index in [0, 1, 2, 3, 4, 0, 1, 5] {
            site.post(&said(index)).await?;
        }
        eventually(Duration::from_secs(60), async || {
            let (evicted,): (i64,) =
                sqlx::query_as("SELECT count(*) FROM dedup_ids WHERE lead_id = '15558880002'")
                    .fetch_one(&site.database)
                    .await?;
            ensure!(evicted == 4, "{evicted} evicted ids");
            Ok(())
        })
        .await?;
        let metrics = site.metrics("processor").await?;
        let duplicates = r#"leadstream_processor_inputs_total{result="duplicate"} 2"#;
        ensure!(
            metrics.contains(duplicates),
            "no `{duplicates}` in {metrics}"
        );
        let dead = Topic::LeadInputs.dead_letters(&site.deployment.topic_prefix);
        ensure!(read_all(&site, &dead)?.is_empty(), "dead letters");

        site.stop_and_restart("processor").await?;
        eventually(Duration::from_secs(60), async || days(&site).await).await?;
        site.finish().await
    })
}

async fn days(site: &Site<'_>) -> anyhow::Result<()> {
    let (old, to_come): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM dedup_ids WHERE day < '2021-01-01'),
             (SELECT count(*) FROM pg_inherits WHERE inhparent = 'dedup_ids'::regclass)",
    )
    .fetch_one(&site.database)
    .await?;
    // The default partition and a week.
    ensure!(
        old == 0 && to_come == 8,
        "{old} old ids, {to_come} partitions"
    );
    Ok(())
}
