//! Tests that the generated references in `docs/reference` are those of this build.

mod metrics_reference;
mod reference;
