//! Runs the end-to-end tests: real Kafka, registry and PostgreSQL, started once, and the sandbox in
//! place of the outside world. Each test has its own topics, database and services, so tests run
//! side by side and in any order.

#![expect(clippy::print_stderr, reason = "what a test says of its run")]

mod accounts;
mod acls;
mod api_site;
mod clients;
mod command_ids;
mod commands;
mod conformance;
mod crm;
mod crm_features;
mod database_refusals;
mod doctor;
mod erasure;
mod error_codes;
mod evicted_inputs;
mod exactness;
mod files;
mod flow_versions;
mod generated_conversation;
mod group_members;
mod lost_ack;
mod lost_responses;
mod merging;
mod metrics;
mod notations;
mod partition_growth;
mod poison;
mod pooler;
mod privacy;
mod readme;
mod recover;
mod refused_number;
mod replicas;
mod reports;
mod resting_state;
mod schemas;
mod settings;
mod templates;
mod timers;
mod undelivered;
mod verifying;
mod wasender;

use std::process::ExitCode;
use std::sync::Arc;

use leadstream_harness::World;
use libtest_mimic::{Arguments, Failed, Trial};

type Test = fn(&World) -> anyhow::Result<()>;

/// Names each test by the path of its function.
macro_rules! tests {
    ($($test:path,)+) => {
        &[$((stringify!($test), $test as Test),)+]
    };
}

const TESTS: &[(&str, Test)] = tests![
    commands::commands_by_cli_and_api_act_on_leads,
    conformance::requests_and_answers_of_the_api_conform_to_its_document,
    commands::replies::operators_retry_a_failed_reply_and_cancel_a_waiting_one,
    files::the_api_sends_the_photo_that_a_lead_sent,
    command_ids::a_command_id_returns_a_result_for_its_own_lead_only,
    accounts::a_lead_is_reachable_only_in_its_account_and_by_tokens_with_access,
    erasure::nothing_left::an_erasure_leaves_nothing_but_what_it_names,
    erasure::commanded::no_replay_restores_a_person_erased_by_command,
    erasure::the_next_processor_finishes_an_interrupted_erasure,
    erasure::a_person_with_two_leads_is_erased_under_both_ids_and_either_key,
    exactness::conversations_are_exact_although_every_service_is_killed,
    exactness::conversations_are_exact_while_processors_join_and_leave,
    group_members::stopped_processors_leave_their_group_at_once,
    acls::the_printed_acls_are_all_that_services_and_tools_need,
    pooler::services_work_behind_pgbouncer_in_transaction_mode,
    partition_growth::processors_halt_when_a_topic_grows_until_its_leads_are_moved,
    partition_growth::a_commit_never_overwrites_a_newer_revision_of_a_lead,
    wasender::leads_of_wasenderapi_are_qualified_and_answered_at_their_jid,
    wasender::webhooks_of_a_session_confirm_replies_and_show_who_wrote_on_the_phone,
    schemas::the_registry_accepts_a_compatible_schema_and_refuses_an_incompatible_one,
    schemas::services_start_with_known_schema_ids_while_the_registry_is_unavailable,
    flow_versions::processors_switch_to_a_flow_version_at_one_time_under_load,
    flow_versions::replaced::new_conversations_follow_another_default_and_no_withdrawn_flow,
    clients::pythons_deserializer_reads_every_topic,
    clients::partitions_equal_those_of_the_java_client,
    timers::timers_change_silent_leads_without_a_scan_of_a_million_waiting_ones,
    timers::three_messages_in_a_second_get_one_reply,
    undelivered::a_question_that_does_not_arrive_changes_its_lead_as_the_flow_says,
    error_codes::each_code_of_whatsapp_ends_or_delays_its_reply_as_the_table_says,
    refused_number::a_refused_number_delays_no_other_and_then_sends_the_current_prompts,
    templates::templates_reach_leads_outside_the_window,
    poison::poison_becomes_dead_letters_and_an_unknown_kind_halts_the_partition,
    poison::a_topic_full_of_poison_halts_only_its_partition_until_an_operator_resumes_it,
    merging::two_ids_of_one_person_become_one_lead_and_are_explained,
    notations::both_notations_of_a_number_are_one_lead,
    evicted_inputs::a_duplicate_of_an_evicted_input_has_no_effect_and_old_ids_are_dropped,
    recover::recovery_folds_the_log_again_and_repeats_no_message,
    recover::interrupted::a_recovery_killed_after_every_commit_publishes_each_correction_once,
    recover::a_processor_skips_deleted_records_only_if_an_operator_allows_it,
    database_refusals::a_processor_waits_while_postgresql_refuses_and_continues_by_itself,
    lost_ack::a_webhook_with_a_lost_acknowledgement_gets_503_and_has_one_effect,
    lost_responses::a_number_without_answers_stops_and_sends_no_reply_twice,
    replicas::no_webhook_is_lost_while_ingest_replicas_are_restarted_and_killed,
    privacy::ingests_output_holds_no_secret_and_no_personal_data,
    crm::records::each_bad_record_ends_as_its_row_says_and_delays_no_other,
    crm::failures::a_failing_crm_catches_up_and_delays_no_other,
    crm::requests::a_temporary_failure_is_retried_and_its_reason_is_shown,
    crm::requests::a_throttled_request_waits_and_counts_no_attempt,
    crm::requests::a_fault_of_the_whole_organisation_halts_its_crm_without_dead_letters,
    crm::combined::a_record_refused_alone_delays_no_other,
    crm::combined::a_batch_with_bad_and_locked_records_costs_one_request_for_the_good_ones,
    crm::combined::a_token_that_expires_while_a_batch_is_halved_is_renewed,
    crm::combined::an_update_applied_without_an_answer_is_sent_again_in_its_newest_state,
    crm::combined::a_crm_shares_the_daily_requests_with_other_apps_and_waits_for_the_next_day,
    crm::late::an_update_applied_late_by_a_crm_is_distinguished_from_one_sent_late,
    crm::limits::a_transaction_limit_of_the_crm_costs_no_lead_and_is_remembered,
    crm::commands::operators_see_what_a_crm_lacks_and_redrive_the_current_state,
    crm::refused::a_refused_field_costs_the_field_and_a_lost_option_waits,
    crm::webhook_answers::a_receiver_is_heeded_when_it_asks_for_time_and_when_it_is_gone,
    crm::webhook::a_webhook_receiver_gets_every_event_signed_and_in_order_beside_crms,
    crm_features::matching::an_existing_record_is_adopted_and_a_person_chooses_among_several,
    crm_features::own_mapping::an_own_mapping_works_under_up_and_a_wrong_one_is_refused,
    crm_features::mapping::each_crm_receives_the_fields_of_its_mapping_file,
    crm_features::provision::an_empty_crm_is_provisioned_and_an_older_revision_is_refused,
    crm_features::reconcile::drift_is_reported_by_field_and_repaired_in_order,
    crm_features::webhook::commands_check_and_plan_for_a_webhook_receiver,
    crm_features::credentials::tokens_are_renewed_before_they_expire_and_secrets_without_a_restart,
    verifying::verify_names_what_was_changed_by_hand_and_nothing_else,
    reports::the_funnel_counts_each_lead_once_and_the_command_agrees,
    reports::alike::the_funnel_of_any_rows_is_their_plain_count,
    reports::analyst::an_analyst_runs_the_guides_queries_and_reads_only_reports,
    metrics::every_metric_is_listed_linted_and_right_at_rest,
    metrics::lost_commit::a_lost_commit_is_repeated_while_nothing_arrives,
    readme::the_commands_of_the_readme_run_as_they_stand,
    doctor::each_fault_of_a_deployment_is_named_and_nothing_else,
    settings::ingest_answers_503_while_kafka_is_unavailable,
    settings::an_error_names_a_missing_or_wrong_setting_with_an_example,
    settings::a_database_with_other_migrations_is_refused_with_a_remedy,
    settings::applying_topics_changes_no_existing_topic,
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
