//! Rebuilds the crate when a migration is added.

fn main() -> std::io::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "cargo:rerun-if-changed=migrations")
}
