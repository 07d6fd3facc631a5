//! Documents that compute fields.

use super::*;

#[test]
fn a_computed_field_is_checked_as_every_expression() {
    let computing = FLOW
        .replace(
            "    fill: amount\n",
            "    fill: amount\n    compute:\n      yearly: \"amount * 12.0\"\n      half: \"yearly / 2.0\"\n",
        )
        .replace("How much?", "Sum?")
        .replace("Thanks, {reason}.", "Thanks, {label}.")
        .replace(
            "    completes: true\n",
            "    compute:\n      label: \"reason + string(half)\"\n    completes: true\n",
        );
    let checked = Flow::check("demo.yaml", &computing);
    assert_eq!(
        (checked.flow.is_some(), checked.findings),
        (true, Vec::new())
    );
    for (from, to, place, reason) in [
        (
            "amount * 12.0",
            "amount * 12",
            "demo.yaml:13:15",
            "write constants beside them as 2.0",
        ),
        (
            "amount * 12.0",
            "amount > 12",
            "demo.yaml:13:15",
            "the computation gives true or false and no number or text",
        ),
        (
            "amount * 12.0",
            "[amount]",
            "demo.yaml:13:15",
            "the computation gives a list and no number or text",
        ),
        (
            "amount * 12.0",
            "1.0 / amount",
            "demo.yaml:13:15",
            "could divide by zero",
        ),
        (
            "amount * 12.0",
            "half * 2.0",
            "demo.yaml:13:7",
            "`yearly` is computed from itself",
        ),
        (
            "amount * 12.0",
            "has(yearly) ? yearly + 1.0 : 1.0",
            "demo.yaml:13:7",
            "`yearly` is computed from itself",
        ),
        (
            "amount * 12.0",
            "double(size(reason))",
            "demo.yaml:13:15",
            "reads `reason`, which not every way to this step fills",
        ),
        (
            "yearly: \"",
            "reason: \"",
            "demo.yaml:13:7",
            "`reason` is an answer, which nothing may change; compute another field",
        ),
        (
            "yearly: \"",
            "Yearly: \"",
            "demo.yaml:13:7",
            "`Yearly` is no name for a field",
        ),
        (
            "label: \"",
            "half: \"",
            "demo.yaml:26:7",
            "is computed from itself",
        ),
        (
            "      label: \"reason + string(half)\"\n",
            "      label: \"reason\"\n      yearly: \"reason\"\n",
            "demo.yaml:27:7",
            "`yearly` is a text in one step and a number in another",
        ),
        (
            "Sum?",
            "Sum of {yearly}?",
            "demo.yaml:9:13",
            "as in `{yearly|—}`",
        ),
        (
            "    compute:\n      yearly",
            "    compute: 12\n    x:\n      yearly",
            "demo.yaml:12:14",
            "each as `member: value`, and indent them",
        ),
    ] {
        assert_reason(&computing, from, to, place, reason);
    }
}
