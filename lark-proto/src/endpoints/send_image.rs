//! Send an image to a group or a user.

use http::Method;

use crate::api::{Endpoint, Path, Payload, Quota, Reply, Resend};
use crate::endpoints::shared::message::{ImageMessage, MessageSent};
use crate::error::Error;
use crate::text::json_string;
use crate::token::TenantOrUser;
use crate::values::{ImageKey, MessageUuid, Receiver};

/// Sends an uploaded image as a message to a group or a user.
///
/// * Route: `POST /open-apis/im/v1/messages`, with the kind of the receiver's id in `receive_id_type`.
/// * Token: tenant access token with one of the scopes `im:message` and `im:message:send_as_bot`, or user access token
///   with both `im:message` and `im:message.send_as_user`. The app's bot must be enabled. If the receiver is a group,
///   the bot must be in it and be allowed to speak; a receiving user must be within the app's availability.
/// * Limits: 50 requests a second and 1,000 a minute. One user receives at most 5 messages a second, and one group 5 a
///   second from all its bots together. Above that the service answers with
///   [`Code::MESSAGE_RATE_LIMITED`](crate::error::Code::MESSAGE_RATE_LIMITED), and the request is sent again later.
/// * Documentation: <https://open.feishu.cn/document/server-docs/im-v1/message/create>, and for the content
///   <https://open.feishu.cn/document/server-docs/im-v1/message-content-description/create_json>.
///
/// The same app must have uploaded the image for messages. The body is compact JSON with the keys `receive_id`,
/// `msg_type`, `content` and `uuid`, in this order. `content` is JSON in a string.
///
/// # Errors
/// [`Code::BOT_NOT_IN_GROUP`](crate::error::Code::BOT_NOT_IN_GROUP),
/// [`Code::MESSAGE_NO_BOT`](crate::error::Code::MESSAGE_NO_BOT),
/// [`Code::USER_UNAVAILABLE`](crate::error::Code::USER_UNAVAILABLE),
/// [`Code::MESSAGE_IMAGE_FOREIGN`](crate::error::Code::MESSAGE_IMAGE_FOREIGN),
/// [`Code::MESSAGE_RATE_LIMITED`](crate::error::Code::MESSAGE_RATE_LIMITED),
/// [`Code::RECEIVER_INVALID`](crate::error::Code::RECEIVER_INVALID),
/// [`Code::MESSAGE_DENIED`](crate::error::Code::MESSAGE_DENIED),
/// [`Code::MESSAGE_BEING_SENT`](crate::error::Code::MESSAGE_BEING_SENT).
///
/// ```
/// use lark_proto::values::{MessageUuid, Receiver};
/// use lark_proto::{EndpointExt, ImageKey, SendImage, Site, TenantToken};
///
/// let receiver = Receiver::new("oc_5ad11d72b830411d72b836c20")?;
/// let uuid = MessageUuid::new("order-1234 shipped")?;
/// let send = SendImage::new(receiver, ImageKey::new("img_v2_xxx")?, uuid);
/// let request = send.request(&Site::LARK, &TenantToken::new("t-7f1b")?);
/// assert_eq!(
///     request.body(),
///     concat!(
///         r#"{"receive_id":"oc_5ad11d72b830411d72b836c20","#,
///         r#""msg_type":"image","#,
///         r#""content":"{\"image_key\":\"img_v2_xxx\"}","#,
///         r#""uuid":"order-1234 shipped"}"#,
///     ),
/// );
///
/// let reply = r#"{"code":0,"data":{"message_id":"om_1"},"msg":"success"}"#;
/// let reply = http::Response::new(reply.into());
/// assert_eq!(SendImage::decode(reply)?.message_id.as_str(), "om_1");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "im/v1/messages")]
#[doc(alias = "message")]
#[doc(alias = "发送消息")]
pub struct SendImage {
    receiver: Receiver,
    message: ImageMessage,
}

impl SendImage {
    /// Sends the image to `receiver`. Each message needs a [`uuid`](MessageUuid) that no other message has. Within an
    /// hour the service sends at most one message for a uuid; after the hour a second request with it sends another
    /// one.
    ///
    /// A program that repeats a call with an unknown outcome has to use the same uuid. The service presumably answers
    /// the second request with the first message, even if the receiver or the image differs; the vendor's page does
    /// not say so.
    #[must_use]
    pub fn new(receiver: Receiver, image: ImageKey, uuid: MessageUuid) -> Self {
        Self { receiver, message: ImageMessage { image, uuid } }
    }
}

impl Endpoint for SendImage {
    type Auth = TenantOrUser;
    type Output = MessageSent;

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        "/open-apis/im/v1/messages"
    }

    fn path(&self) -> Path {
        Path::new(self.route()).query("receive_id_type", self.receiver.id_type())
    }

    fn payload(&self) -> Option<Payload> {
        let receiver = json_string(self.receiver.id());
        Some(self.message.payload(&format!(r#""receive_id":{receiver},"#), ""))
    }

    /// Within an hour, the service carries out at most one of the requests with the same uuid, so a second send creates
    /// no second message.
    fn resend(&self) -> Resend {
        ImageMessage::RESEND
    }

    fn quota(&self) -> Quota {
        ImageMessage::QUOTA
    }

    fn read(reply: &Reply) -> Result<MessageSent, Error> {
        MessageSent::read(reply)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::api::EndpointExt;
    use crate::endpoints::ReplyImage;

    /// The sample of both pages.
    const SAMPLE: &str = r#"{
    "code": 0,
    "msg": "success",
    "data": {
        "message_id": "om_dc13264520392913993dd051dba21dcf",
        "root_id": "om_40eb06e7b84dc71c03e009ad3c754195",
        "parent_id": "om_d4be107c616aed9c1da8ed8068570a9f",
        "thread_id": "omt_d4be107c616a",
        "msg_type": "interactive",
        "create_time": "1615380573411",
        "update_time": "1615380573411",
        "deleted": false,
        "updated": false,
        "chat_id": "oc_5ad11d72b830411d72b836c20",
        "sender": {
            "id": "cli_9f427eec54ae901b",
            "id_type": "app_id",
            "sender_type": "app",
            "tenant_key": "736588c9260f175e"
        },
        "body": {
            "content": "{\"text\":\"@_user_1 test content\"}"
        },
        "mentions": [
            {
                "key": "@_user_1",
                "id": "ou_155184d1e73cbfb8973e5a9e698e74f2",
                "id_type": "open_id",
                "name": "Tom",
                "tenant_key": "736588c9260f175e"
            }
        ],
        "upper_message_id": "om_40eb06e7b84dc71c03e009ad3c754195"
    }
}"#;

    #[test]
    fn the_vendors_sample_reply_is_read() {
        for sent in [
            SendImage::decode(http::Response::new(SAMPLE.into())).unwrap(),
            ReplyImage::decode(http::Response::new(SAMPLE.into())).unwrap(),
        ] {
            assert_eq!(sent.message_id.as_str(), "om_dc13264520392913993dd051dba21dcf");
            assert_eq!(sent.chat_id.as_deref(), Some("oc_5ad11d72b830411d72b836c20"));
            let time = UNIX_EPOCH + Duration::from_millis(1_615_380_573_411);
            assert_eq!(sent.create_time, Some(time));
            assert_eq!(sent.parent_id.unwrap().as_str(), "om_d4be107c616aed9c1da8ed8068570a9f");
            assert_eq!(sent.root_id.unwrap().as_str(), "om_40eb06e7b84dc71c03e009ad3c754195");
            assert_eq!(sent.thread_id.as_deref(), Some("omt_d4be107c616a"));
        }
    }

    #[test]
    fn the_query_has_the_kind_of_the_receivers_id() {
        for (receiver, query, id) in [
            ("oc_a", "chat_id", "oc_a"),
            ("ou_a", "open_id", "ou_a"),
            ("on_a", "union_id", "on_a"),
            ("tom@example.com", "email", "tom@example.com"),
            ("user_id:a", "user_id", "a"),
        ] {
            let uuid = MessageUuid::new("u").unwrap();
            let key = ImageKey::new("img").unwrap();
            let send = SendImage::new(receiver.parse().unwrap(), key, uuid);
            let path = format!("/open-apis/im/v1/messages?receive_id_type={query}");
            assert_eq!(send.path().to_string(), path);
            let body = send.payload().unwrap().body.into_bytes();
            let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["receive_id"], id, "{receiver}");
        }
    }
}
