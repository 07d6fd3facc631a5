//! A new migration has the crate built anew.

fn main() -> std::io::Result<()> {
    use std::io::Write as _;
    writeln!(std::io::stdout(), "cargo:rerun-if-changed=migrations")
}
