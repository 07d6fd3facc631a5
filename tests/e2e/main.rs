//! End-to-end tests: real Kafka, registry and PostgreSQL, started once; the sandbox where the
//! outside world begins. Each test has topics, a database and services of its own, so they run
//! side by side and in any order.

#![expect(clippy::print_stderr, reason = "what a test says of its run")]

mod accounts;
mod clients;
mod commands;
mod conversation;
mod crm;
mod crm_features;
mod desk;
mod erasure;
mod evicted_inputs;
mod exactness;
mod growth;
mod keys;
mod lost_ack;
mod lost_answers;
mod members;
mod observe;
mod one_person;
mod poison;
mod privacy;
mod recover;
mod replicas;
mod schemas;
mod settings;
mod time;
mod trouble;
mod versions;
mod wasender;

use std::process::ExitCode;
use std::sync::Arc;

use leadstream_harness::World;
use libtest_mimic::{Arguments, Failed, Trial};

type Test = fn(&World) -> anyhow::Result<()>;

const TESTS: &[(&str, Test)] = &[
    (
        "commands_act_on_leads_by_the_command_line_and_the_api",
        commands::act,
    ),
    (
        "the_id_of_a_command_answers_for_its_own_lead_alone",
        keys::run,
    ),
    (
        "a_lead_is_reached_in_its_account_alone_and_by_tokens_that_reach_it",
        accounts::run,
    ),
    (
        "commands_erase_a_person_whom_no_replay_brings_back",
        erasure::commanded::run,
    ),
    (
        "an_erasure_that_is_cut_off_is_finished_by_the_next_processor",
        erasure::killed,
    ),
    (
        "a_person_with_two_leads_is_erased_under_both_ids_and_either_key",
        erasure::merged,
    ),
    (
        "conversations_end_exactly_right_though_every_service_is_killed",
        exactness::services_are_killed,
    ),
    (
        "conversations_end_exactly_right_while_processors_come_and_go",
        exactness::processors_come_and_go,
    ),
    (
        "processors_that_are_stopped_leave_their_group_at_once",
        members::run,
    ),
    (
        "a_topic_that_grows_halts_processors_until_its_leads_are_moved_and_loses_no_answer",
        growth::run,
    ),
    (
        "a_commit_never_overwrites_a_newer_revision_of_a_lead",
        growth::newer_revision,
    ),
    (
        "leads_who_get_no_reply_through_wasenderapi_go_to_a_person_and_are_not_qualified",
        wasender::run,
    ),
    (
        "a_compatible_schema_is_accepted_and_an_incompatible_one_refused",
        schemas::evolve,
    ),
    (
        "services_start_with_known_schema_ids_while_the_registry_is_away",
        schemas::registry_away,
    ),
    (
        "three_processors_switch_a_flow_s_version_under_load_at_one_time",
        versions::switch,
    ),
    ("python_s_deserializer_reads_every_topic", clients::python),
    ("partitions_equal_the_java_client_s", clients::java),
    (
        "time_changes_leads_that_do_not_write_without_a_scan_of_a_million_that_wait",
        time::silence,
    ),
    ("three_messages_in_a_second_are_answered_once", time::burst),
    (
        "poison_goes_to_dead_letters_and_an_unknown_kind_halts",
        poison::run,
    ),
    (
        "a_topic_full_of_poison_stops_its_partition_and_no_other_until_an_operator_resumes_it",
        poison::limit,
    ),
    (
        "one_person_under_two_ids_becomes_one_lead_and_is_explained",
        one_person::run,
    ),
    (
        "a_copy_of_what_left_the_journal_has_no_effect_and_old_days_are_dropped",
        evicted::run,
    ),
    (
        "recovery_folds_the_log_again_and_nobody_hears_anything_twice",
        recover::run,
    ),
    (
        "a_recovery_that_is_killed_after_every_commit_tells_once_of_leads_that_lost_records",
        recover::interrupted::run,
    ),
    (
        "a_processor_goes_on_without_deleted_records_only_when_an_operator_says_so",
        recover::lost_log,
    ),
    (
        "a_processor_waits_while_postgresql_refuses_and_goes_on_by_itself",
        trouble::run,
    ),
    (
        "a_webhook_whose_acknowledgement_is_lost_is_answered_503_and_has_one_effect",
        lost_ack::run,
    ),
    (
        "a_number_without_answers_stops_and_nobody_is_sent_a_reply_more_than_twice",
        lost_answers::run,
    ),
    (
        "no_webhook_is_lost_while_replicas_of_ingest_are_restarted_and_killed",
        replicas::run,
    ),
    (
        "nothing_that_ingest_tells_holds_a_secret_or_personal_data",
        privacy::run,
    ),
    (
        "each_row_of_the_tables_of_bad_records_ends_as_it_says_and_costs_no_other",
        crm::records::run,
    ),
    (
        "a_crm_that_fails_throttles_or_forgets_us_catches_up_and_delays_no_other",
        crm::failures::run,
    ),
    (
        "each_failed_request_that_may_pass_is_sent_again_and_its_reason_is_told",
        crm::requests::retried,
    ),
    (
        "each_answer_that_asks_for_less_is_waited_for_and_counts_no_attempt",
        crm::requests::throttled,
    ),
    (
        "each_fault_of_the_whole_organisation_halts_its_crm_and_empties_nothing_into_dead_letters",
        crm::requests::halted,
    ),
    (
        "a_record_that_is_refused_alone_holds_nobody_back",
        crm::combined::lone_suspect,
    ),
    (
        "a_batch_with_bad_and_locked_records_costs_one_request_for_the_good",
        crm::combined::mixed_batch,
    ),
    (
        "a_token_that_expires_while_a_batch_is_halved_is_renewed",
        crm::combined::token_in_mid_batch,
    ),
    (
        "what_is_applied_without_an_answer_is_sent_again_in_its_newest_state",
        crm::combined::unknown_outcome,
    ),
    (
        "the_day_s_requests_are_shared_with_other_apps_and_a_crm_waits_for_the_next_day",
        crm::combined::daily_limit,
    ),
    (
        "what_a_crm_applied_late_is_told_from_what_was_sent_late",
        crm::late::run,
    ),
    (
        "a_limit_of_the_crm_s_transaction_costs_no_lead_and_is_remembered",
        crm::limits::run,
    ),
    (
        "operators_see_what_a_crm_lacks_and_redrive_the_present_state",
        crm::commands::run,
    ),
    (
        "a_receiver_of_webhooks_gets_every_event_signed_and_in_order_beside_crms",
        crm::webhook::run,
    ),
    (
        "a_record_that_sales_has_is_taken_over_and_of_several_a_person_chooses",
        crm_features::matching::run,
    ),
    (
        "each_crm_is_sent_what_its_mapping_file_says",
        crm_features::mapping::run,
    ),
    (
        "what_a_bare_crm_lacks_is_provisioned_and_an_older_revision_refused",
        crm_features::provision::run,
    ),
    (
        "drift_is_told_by_field_and_mended_in_order",
        crm_features::reconcile::run,
    ),
    (
        "a_receiver_of_webhooks_is_checked_and_planned_for",
        crm_features::webhook::run,
    ),
    (
        "tokens_are_replaced_ahead_of_their_end_and_secrets_without_a_restart",
        crm_features::credentials::run,
    ),
    (
        "ingest_answers_503_while_kafka_is_away",
        settings::kafka_away,
    ),
    (
        "a_missing_or_wrong_setting_is_named_with_an_example",
        settings::named,
    ),
    (
        "a_database_of_other_migrations_is_refused_and_told_how_to_mend",
        settings::other_migrations,
    ),
    (
        "topics_that_exist_are_left_as_they_are",
        settings::topics_exist,
    ),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    if arguments.list {
        let trials = TESTS
            .iter()
            .map(|(name, _)| Trial::test(*name, || Ok(())))
            .collect();
        return libtest_mimic::run(&arguments, trials).exit_code();
    }
    match World::start(
        concat!(env!("CARGO_TARGET_TMPDIR"), "/e2e"),
        env!("CARGO_BIN_EXE_leadstream"),
    ) {
        Ok(world) => run(&arguments, Arc::new(world)),
        Err(error) => {
            eprintln!("the local stack did not start: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments, world: Arc<World>) -> ExitCode {
    let trials = TESTS
        .iter()
        .map(|(name, test)| {
            let world = Arc::clone(&world);
            Trial::test(*name, move || {
                test(&world).map_err(|error| Failed::from(format!("{error:#}")))
            })
        })
        .collect();
    let conclusion = libtest_mimic::run(arguments, trials);
    if let Some(world) = Arc::into_inner(world) {
        world.stop();
    }
    conclusion.exit_code()
}
