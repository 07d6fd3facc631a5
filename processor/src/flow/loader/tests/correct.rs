//! Documents in which a lead corrects its answers.

use super::*;

#[test]
fn words_that_correct_an_answer_are_checked() {
    let correct = FLOW
        .replace("keywords:\n", "keywords:\n  back: [voltar]\n")
        .replace(
            "    fill: amount\n",
            "    fill: amount\n    change: [mudar valor]\n",
        )
        .replace(
            "    fill: reason\n",
            "    fill: reason\n    change: {pt-BR: [mudar motivo]}\n",
        );
    assert!(Flow::parse("demo.yaml", &correct).is_ok());
    for (from, to, place, reason) in [
        (
            "[mudar valor]",
            "[De novo]",
            "demo.yaml:13:",
            "`De novo` is a keyword for `restart`, too",
        ),
        (
            "mudar motivo",
            "Mudar valor!",
            "demo.yaml:21:",
            "`Mudar valor!` is a keyword for `change of ASK`, too",
        ),
        (
            "mudar motivo",
            "voltar",
            "demo.yaml:21:",
            "`voltar` is a keyword for `back`, too",
        ),
        (
            "{pt-BR: [mudar motivo]}",
            "{en: [change]}",
            "demo.yaml:21:",
            "`en` is none of the flow's languages",
        ),
        (
            "    fill: reason\n",
            "",
            "demo.yaml:20:13",
            "`WHY` fills no field, so there is nothing to change; add `fill`, or remove `change`",
        ),
        (
            "    completes: true",
            "    completes: true\n    change: [mudar]",
            "demo.yaml:",
            "`DONE` expects nothing, so its `change` has no effect",
        ),
    ] {
        assert_reason(&correct, from, to, place, reason);
    }
}
