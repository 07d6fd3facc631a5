//! Compares the view of the funnel with a plain count of any rows.

use std::collections::BTreeMap;

use anyhow::ensure;
use leadstream_harness::{Site, World};

/// The steps of two versions.
const STEPS: [&[&str]; 2] = [
    &["START", "NAME", "BUDGET", "DONE"],
    &["START", "NAME", "CITY", "BUDGET", "SORRY", "DONE"],
];
const BESIDE: [&str; 4] = ["COLD", "HUMAN_HANDOFF", "OPTED_OUT", "MERGED"];
const LEADS: usize = 600;

/// Here, reached, cold, handed over, opted out, answered, retried and open, by version and position.
type Funnel = BTreeMap<(i32, i32), [i64; 8]>;

/// Draws numbers: the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        let Self(state) = self;
        *state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(*state >> 33).unwrap_or_default() % bound
    }

    /// Draws what a lead did at the steps of a version, also less than all of them.
    fn progress(&mut self, version: usize) -> Vec<u8> {
        let steps = self.below(STEPS[version].len());
        (0..steps)
            .map(|_| u8::try_from(self.below(8)).unwrap_or_default())
            .collect()
    }
}

/// A row of `lead_reports`; versions are indexes of [`STEPS`].
struct Row {
    version: usize,
    step: usize,
    current_state: &'static str,
    progress: Vec<u8>,
    former: Option<(usize, Vec<u8>)>,
}

pub(crate) fn the_funnel_of_any_rows_is_their_plain_count(world: &World) -> anyhow::Result<()> {
    world.runtime.block_on(async {
        let site = Site::new(world, "alike").await?;
        for (number, steps) in (1_i32..).zip(STEPS) {
            for (position, state) in (0_i32..).zip(steps) {
                sqlx::query("INSERT INTO report_flow_steps VALUES ('sales', $1, $2, $3, $4)")
                    .bind(number)
                    .bind(position)
                    .bind(*state)
                    .bind(kind(state))
                    .execute(&site.database)
                    .await?;
            }
        }
        let mut draw = Draw(18);
        let rows: Vec<Row> = (0..LEADS).map(|_| drawn(&mut draw)).collect();
        for (index, row) in rows.iter().enumerate() {
            insert(&site, index, row).await?;
        }
        let found: Vec<(i32, i32, Vec<i64>)> = sqlx::query_as(
            "SELECT flow_version, position, ARRAY[here, reached::bigint, cold, handed_over,
                 opted_out, answered, retried, open] FROM report_funnel WHERE flow_name = 'sales'",
        )
        .fetch_all(&site.database)
        .await?;
        let mut view = Funnel::new();
        for (version, position, counts) in found {
            let counts: [i64; 8] = counts.try_into().unwrap_or_default();
            view.insert((version, position), counts);
        }
        let expected = counted(&rows);
        ensure!(view == expected, "{view:?}, not {expected:?}");
        site.finish().await
    })
}

fn kind(state: &str) -> &'static str {
    match state {
        "START" => "start",
        "SORRY" => "automatic",
        "DONE" => "end",
        _ => "question",
    }
}

fn drawn(draw: &mut Draw) -> Row {
    let version = draw.below(STEPS.len());
    let step = draw.below(STEPS[version].len());
    let beside = draw.below(2 * BESIDE.len());
    let former = draw.below(4) == 0;
    Row {
        version,
        step,
        current_state: BESIDE.get(beside).unwrap_or(&STEPS[version][step]),
        progress: draw.progress(version),
        former: former.then(|| (1 - version, draw.progress(1 - version))),
    }
}

async fn insert(site: &Site<'_>, index: usize, row: &Row) -> anyhow::Result<()> {
    let former = row.former.as_ref().map(|(version, progress)| {
        let digits: String = progress.iter().map(|it| format!("{it:02x}")).collect();
        serde_json::json!([
            { "flow_name": "sales", "flow_version": version + 1, "progress": digits },
        ])
    });
    sqlx::query(
        "INSERT INTO lead_reports (lead_id, account, flow_name, flow_version, current_state, step,
             qualification_score, is_completed, lead_data, first_interaction, last_interaction,
             revision, progress, former_progress)
         VALUES ($1, '', 'sales', $2, $3, $4, 0, false, '{}', now(), now(), 1, $5, $6::jsonb)",
    )
    .bind(format!("lead-{index}"))
    .bind(i32::try_from(row.version + 1)?)
    .bind(row.current_state)
    .bind(STEPS[row.version][row.step])
    .bind(&row.progress)
    .bind(former.map(|it| it.to_string()))
    .execute(&site.database)
    .await?;
    Ok(())
}

/// Counts lead by lead and step by step.
fn counted(rows: &[Row]) -> Funnel {
    let mut funnel = Funnel::new();
    for (version, steps) in STEPS.iter().enumerate() {
        for (position, state) in steps.iter().enumerate() {
            let mut counts = [0; 8];
            for row in rows.iter().filter(|it| it.current_state != "MERGED") {
                let follows = row.version == version;
                let former = row.former.as_ref().filter(|(former, _)| *former == version);
                let progress = match former {
                    _ if follows => &row.progress,
                    Some((_, progress)) => progress,
                    None => continue,
                };
                let did = match position {
                    0 => 1,
                    position => progress.get(position - 1).copied().unwrap_or_default(),
                };
                let here = follows && row.step == position;
                let is = |state: &str| here && row.current_state == state;
                let counted = [
                    here,
                    here || did & 1 > 0,
                    is("COLD"),
                    is("HUMAN_HANDOFF"),
                    is("OPTED_OUT"),
                    did & 2 > 0,
                    did & 4 > 0,
                    is(state) && matches!(kind(state), "start" | "question"),
                ];
                for (count, counted) in counts.iter_mut().zip(counted) {
                    *count += i64::from(counted);
                }
            }
            let key = [version + 1, position].map(|it| i32::try_from(it).unwrap_or_default());
            funnel.insert(key.into(), counts);
        }
    }
    funnel
}
