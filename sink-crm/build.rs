//! Rebuilds the crate when a migration changes.

fn main() -> std::io::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "cargo:rerun-if-changed=migrations")
}
