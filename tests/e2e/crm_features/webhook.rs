//! Tests what commands report about a webhook receiver, which has no schema.

use std::time::Duration;

use anyhow::ensure;
use leadstream_harness::{World, eventually};
use leadstream_local::deployment::Service;
use leadstream_local::free_address;

use crate::crm::{event, lead_id, publish, site, state};

pub(crate) fn commands_check_and_plan_for_a_webhook_receiver(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let mut site = site(world, "receiver").await?;
        site.deployment.hubspot_access_token.clear();
        site.deployment.salesforce_login_url.clear();
        site.deployment.salesforce_client_id.clear();
        site.deployment.salesforce_client_secret.clear();
        let secret = (
            "SINK_CRM_WEBHOOK_SECRET".to_owned(),
            "whsec_bm90IGEgc2VjcmV0".to_owned(),
        );
        let url = (
            "SINK_CRM_WEBHOOK_URL".to_owned(),
            format!("http://{}", free_address()?),
        );
        site.deployment.further.extend([secret, url]);
        let checked = site.tool(&["crm", "check"]).await?;
        ensure!(checked.contains("webhook: nothing is missing"), "{checked}");

        // No receiver listens: events wait, the first of each lead before its others.
        site.spawn(Service::SinkCrm, "sink")?;
        publish(&site, &[event(0, 1), event(0, 2), event(1, 1)]).await?;
        eventually(Duration::from_secs(20), async || {
            let plan = site.tool(&["crm", "plan", "--requests", "9"]).await?;
            let requests = plan.matches("webhook: 1 lead\n").count();
            ensure!(requests == 2, "{requests} requests: {plan}");
            ensure!(
                plan.contains(&lead_id(1)) && plan.contains(&state(1)),
                "{plan}"
            );
            Ok(())
        })
        .await?;
        site.finish().await
    })
}
