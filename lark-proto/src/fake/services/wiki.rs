//! The pages of a wiki, each of which shows a document.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fake::reply::Refusal;
use crate::fake::route::Target;

/// The kind and the token of each page's document, by the token of the page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wiki(BTreeMap<String, (String, String)>);

/// The documented values of `obj_type`.
const KINDS: [&str; 8] = ["doc", "docx", "sheet", "mindnote", "bitable", "file", "slides", "wiki"];

impl Wiki {
    pub(crate) fn add(&mut self, node: &str, obj_type: &str, obj_token: &str) {
        self.0.insert(node.to_owned(), (obj_type.to_owned(), obj_token.to_owned()));
    }

    /// Finds a page by its token, or by the token of its document if the request names the kind of the document.
    pub(crate) fn node(&self, target: &Target) -> Result<Value, Refusal> {
        let token = target.query("token").unwrap_or_default();
        let kind = target.query("obj_type").unwrap_or("wiki");
        if !(1..=999).contains(&token.chars().count()) {
            return Err(Refusal::with_400(131002, "param err: token is not 1 to 999 characters"));
        }
        if !KINDS.contains(&kind) {
            return Err(Refusal::with_400(131002, "param err: obj_type is unknown"));
        }
        let mut nodes = self.0.iter();
        let found = nodes.find(|(node, (obj_type, obj_token))| {
            if kind == "wiki" { *node == token } else { obj_type == kind && obj_token == token }
        });
        let Some((node, (obj_type, obj_token))) = found else {
            let shown: String = token.chars().take(100).collect();
            let msg = format!("not found: document not found by token {shown}");
            return Err(Refusal::with_400(131005, msg));
        };
        let space = "6946843325487912356";
        let time = "1642402428";
        let person = "ou_7d8a6e6df7621556ce0d21922b676706";
        let node = json!({
            "space_id": space,
            "node_token": node,
            "obj_token": obj_token,
            "obj_type": obj_type,
            "parent_node_token": "",
            "node_type": "origin",
            "origin_node_token": node,
            "origin_space_id": space,
            "has_child": false,
            "title": "Page",
            "obj_create_time": time,
            "obj_edit_time": time,
            "node_create_time": time,
            "creator": person,
            "owner": person,
            "node_creator": person,
        });
        Ok(json!({"code": 0, "msg": "success", "data": {"node": node}}))
    }
}
