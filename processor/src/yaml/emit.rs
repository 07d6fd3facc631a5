//! Writes a tree as text, each node in a line of its own.

use super::Place;
use super::tree::{Kind, Node, NodeId, Value};

/// Returns the text, and the node of each of its lines.
pub(super) fn emit(tree: &Node) -> (String, Vec<(NodeId, Place)>) {
    let mut emitter = Emitter::default();
    emitter.node(tree);
    (emitter.text, emitter.nodes)
}

#[derive(Default)]
struct Emitter {
    text: String,
    nodes: Vec<(NodeId, Place)>,
}

impl Emitter {
    fn line(&mut self, node: &Node, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
        self.nodes.push((node.id, node.place));
    }

    fn node(&mut self, node: &Node) {
        match &node.value {
            Value::Scalar { text, .. } => match node.kind() {
                Kind::Text => self.line(node, &quoted(text)),
                Kind::Nothing => self.line(node, "null"),
                _ => self.line(node, text),
            },
            Value::List { items, .. } => {
                self.line(node, "[");
                for item in items {
                    self.node(item);
                    self.line(node, ",");
                }
                self.line(node, "]");
            }
            Value::Map { entries, .. } => {
                self.line(node, "{");
                for (key, value) in entries {
                    let name = quoted(key.scalar().unwrap_or_default());
                    self.line(key, &format!("{name}:"));
                    self.node(value);
                    self.line(node, ",");
                }
                self.line(node, "}");
            }
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::String(text.to_owned()).to_string()
}
