//! What may be asked of a wire while it runs: one JSON object a line on standard input, answered by one on standard
//! output with the same id. An order that does not parse is answered with its error and changes nothing.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::shape::Shape;
use super::tap::PortSpec;

/// The only argument of the program, as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WireSpec {
    /// Folder for `<port>.pcap`; must exist.
    pub record: String,
    pub seed: u64,
    pub ports: Vec<PortSpec>,
    pub shape: Shape,
}

#[derive(Debug, Deserialize)]
pub struct Order {
    pub id: u64,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "camelCase")]
pub enum What {
    /// Shape of what this port sends; without a port, of all.
    Shape {
        from: Option<String>,
        shape: Shape,
    },
    Carrier {
        port: String,
        on: bool,
    },
    Plug {
        port: PortSpec,
    },
    Unplug {
        port: String,
    },
    /// After taking everything that was sent by now: the records hold at least what the totals count.
    Totals,
}

/// Frames since the port was plugged in.
#[derive(Debug, Default, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Sent by the machine, all of them recorded.
    pub frames: u64,
    pub bytes: u64,
    /// Of these: what did not go on, and why.
    pub lost: u64,
    pub too_big: u64,
    pub queue_full: u64,
    /// Handed to the machine, and what it did not take.
    pub delivered: u64,
    pub refused: u64,
}

pub fn parse(line: &str) -> Result<Order, String> {
    serde_json::from_str(line).map_err(|wrong| wrong.to_string())
}

pub fn answer(id: Option<u64>, result: Result<Value, String>) -> String {
    match result {
        Ok(value) => json!({ "id": id, "ok": true, "value": value }).to_string(),
        Err(why) => json!({ "id": id, "ok": false, "error": why }).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_names_what_to_do_and_unknown_words_are_refused() {
        let order = parse(r#"{"id":3,"do":"shape","from":"laptop","shape":{"delayMs":4}}"#).unwrap();
        assert!(matches!(order.what, What::Shape { from: Some(_), shape } if shape.delay_ms == 4.0));
        assert!(parse(r#"{"id":3,"do":"shape","shape":{"delay":4}}"#).is_err());
        assert!(parse(r#"{"id":3,"do":"explode"}"#).is_err());
        assert!(parse("").is_err());
    }

    #[test]
    fn an_answer_carries_the_id_of_its_order() {
        assert_eq!(answer(Some(7), Ok(Value::Null)), r#"{"id":7,"ok":true,"value":null}"#);
        assert_eq!(answer(None, Err("no".into())), r#"{"error":"no","id":null,"ok":false}"#);
    }
}
