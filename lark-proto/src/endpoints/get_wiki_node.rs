//! Get the document on a page of a wiki.

use http::Method;

use crate::api::{Endpoint, Path, Quota, Record, Reply, Text, lenient};
use crate::error::{Error, Invalid, InvalidKind};
use crate::token::TenantOrUser;
use crate::values::{SpreadsheetToken, WikiToken};

/// Gets the document on a page of a wiki, such as a spreadsheet.
///
/// * Route: `GET /open-apis/wiki/v2/spaces/get_node?token=..`.
/// * Token: tenant or user access token, with one of the scopes `wiki:node:read`, `wiki:wiki` and
///   `wiki:wiki:readonly`, and the right to read the page.
/// * Limits: 100 requests a minute.
/// * Documentation: <https://open.feishu.cn/document/server-docs/docs/wiki-v2/space-node/get_node>.
///
/// # Errors
/// [`Code::WIKI_NODE_NOT_FOUND`](crate::error::Code::WIKI_NODE_NOT_FOUND),
/// [`Code::WIKI_FORBIDDEN`](crate::error::Code::WIKI_FORBIDDEN),
/// [`Code::WIKI_PARAMETER`](crate::error::Code::WIKI_PARAMETER),
/// [`Code::WIKI_USER`](crate::error::Code::WIKI_USER).
///
/// ```
/// use lark_proto::endpoints::{EndpointExt, GetWikiNode};
/// use lark_proto::{Site, UserToken};
///
/// let get = GetWikiNode::new("https://x.feishu.cn/wiki/wikcnKQ1k3p".parse()?);
/// let request = get.request(&Site::FEISHU, &UserToken::new("u-7f1b")?);
/// assert_eq!(request.uri().query(), Some("token=wikcnKQ1k3p"));
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "get_node")]
#[doc(alias = "获取知识空间节点信息")]
#[doc(alias = "知识库")]
pub struct GetWikiNode {
    node: WikiToken,
}

impl GetWikiNode {
    /// Gets the document on the page `node`.
    #[must_use]
    pub fn new(node: WikiToken) -> Self {
        Self { node }
    }
}

/// A page of a wiki. Its texts are bounded and free of control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct WikiNode {
    /// The token of the document on the page.
    pub obj_token: String,
    /// The kind of the document, such as `sheet`, `docx`, `bitable`, `mindnote`, `file` or `slides`.
    pub obj_type: String,
    /// The title of the page.
    pub title: Option<String>,
    /// The id of the wiki.
    pub space_id: Option<String>,
}

impl WikiNode {
    /// The spreadsheet on the page.
    ///
    /// # Errors
    /// [`InvalidKind::WikiPageOfAnotherKind`] for a page with a document of another kind,
    /// [`InvalidKind::BadSpreadsheetToken`].
    pub fn spreadsheet(&self) -> Result<SpreadsheetToken, Invalid> {
        if self.obj_type == "sheet" {
            SpreadsheetToken::any_kind(&self.obj_token)
        } else {
            Err(Invalid::new(InvalidKind::WikiPageOfAnotherKind, &self.obj_type))
        }
    }
}

impl Endpoint for GetWikiNode {
    type Auth = TenantOrUser;
    type Output = WikiNode;

    fn method(&self) -> Method {
        Method::GET
    }

    fn route(&self) -> &str {
        "/open-apis/wiki/v2/spaces/get_node"
    }

    fn path(&self) -> Path {
        Path::new(self.route()).query("token", self.node.as_str())
    }

    fn quota(&self) -> Quota {
        Quota::per_minute(100)
    }

    fn read(reply: &Reply) -> Result<WikiNode, Error> {
        #[derive(serde::Deserialize)]
        struct Data {
            node: Record<Node>,
        }
        #[derive(serde::Deserialize)]
        struct Node {
            obj_token: Text,
            obj_type: Text,
            #[serde(default, deserialize_with = "lenient")]
            title: Option<Text>,
            #[serde(default, deserialize_with = "lenient")]
            space_id: Option<Text>,
        }
        let node = reply.data::<Data>()?.node.0;
        Ok(WikiNode {
            // The errors of `WikiNode::spreadsheet` quote the token and the type.
            obj_token: reply.cleared(&node.obj_token.0),
            obj_type: reply.cleared(&node.obj_type.0),
            title: node.title.map(|title| title.0),
            space_id: node.space_id.map(|id| id.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EndpointExt;
    use crate::text::Secrets;

    fn node(json: &str) -> Result<WikiNode, Error> {
        let body = format!(r#"{{"code":0,"msg":"success","data":{{"node":{json}}}}}"#);
        GetWikiNode::decode(http::Response::new(body.into()))
    }

    #[test]
    fn the_vendors_sample_reply_is_read() {
        // The sample on the page has comments and a trailing comma too.
        let sample = r#"{"space_id":"6946843325487912356","node_token":"wikcnKQ1k3p******8Vabcef",
            "obj_token":"doccnzAaOD******Wabcdef","obj_type":"doc",
            "parent_node_token":"wikcnKQ1k3p******8Vabcef","node_type":"origin",
            "origin_node_token":"wikcnKQ1k3p******8Vabcef","origin_space_id":"6946843325487912356",
            "has_child":false,"title":"标题","obj_create_time":"1642402428",
            "obj_edit_time":"1642402428","node_create_time":"1642402428","creator":"ou_xxxxx",
            "owner":"ou_xxxxx","node_creator":"ou_xxxxx"}"#;
        let node = node(sample).unwrap();
        assert_eq!(
            (node.obj_type.as_str(), node.obj_token.as_str()),
            ("doc", "doccnzAaOD******Wabcdef")
        );
        assert_eq!(node.title.as_deref(), Some("标题"));
        assert_eq!(node.space_id.as_deref(), Some("6946843325487912356"));
    }

    #[test]
    fn a_page_with_another_document_has_no_spreadsheet() {
        let page = node(r#"{"obj_token":"doccnzAaOD","obj_type":"doc"}"#).unwrap();
        let text = "the page of the wiki shows a `doc`, which is not a spreadsheet";
        assert_eq!(page.spreadsheet().unwrap_err().to_string(), text);
    }

    #[test]
    fn the_error_for_a_page_without_a_spreadsheet_shows_no_secret_of_the_request() {
        let secrets = Secrets::new(None, vec!["s3cr3t-of-app".to_owned()]);
        for (kind, token) in [("a s3cr3t-of-app", "x"), ("sheet", "a s3cr3t-of-app")] {
            let json = format!(r#"{{"obj_token":"{token}","obj_type":"{kind}"}}"#);
            let body = format!(r#"{{"code":0,"data":{{"node":{json}}}}}"#);
            let reply = Reply::with_secrets(http::Response::new(body.into()), secrets.clone());
            let error = GetWikiNode::read(&reply).unwrap().spreadsheet().unwrap_err();
            assert!(error.to_string().contains("`a ***`"), "{error}");
        }
    }

    #[test]
    fn a_page_with_a_spreadsheet_has_its_token() {
        let node =
            node(r#"{"obj_token":"XUMasQlMYhOnMbt5htXc96h0nOg","obj_type":"sheet"}"#).unwrap();
        assert_eq!(node.spreadsheet().unwrap().as_str(), "XUMasQlMYhOnMbt5htXc96h0nOg");
        assert_eq!((node.title, node.space_id), (None, None));
    }

    #[test]
    fn a_page_without_a_document_makes_the_reply_unreadable() {
        for json in
            ["{}", "null", r#"{"obj_type":"sheet"}"#, r#"{"obj_token":1,"obj_type":"sheet"}"#]
        {
            assert!(matches!(node(json), Err(Error::Unreadable(_))), "{json}");
        }
    }

    #[test]
    fn a_page_with_a_bad_token_has_no_spreadsheet() {
        let page = node(r#"{"obj_token":"a b","obj_type":"sheet"}"#).unwrap();
        assert_eq!(page.spreadsheet().unwrap_err().kind(), InvalidKind::BadSpreadsheetToken);
    }
}
