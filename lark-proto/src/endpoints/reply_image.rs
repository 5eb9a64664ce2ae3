//! Reply to a message with an image.

use http::Method;

use crate::api::{Endpoint, Path, Payload, Quota, Reply, Resend};
use crate::endpoints::shared::message::{ImageMessage, MessageSent};
use crate::error::Error;
use crate::token::TenantOrUser;
use crate::values::{ImageKey, MessageId, MessageUuid};

/// Replies to a message with an uploaded image.
///
/// * Route: `POST /open-apis/im/v1/messages/:message_id/reply`.
/// * Token: tenant access token with one of the scopes `im:message` and `im:message:send_as_bot`, or user access token
///   with both `im:message` and `im:message.send_as_user`. The app's bot must be enabled.
///   In a group, the bot must be in it and be allowed to speak; a user must be within the app's availability.
/// * Limits: those of [`SendImage`](crate::endpoints::SendImage).
/// * Documentation: <https://open.feishu.cn/document/server-docs/im-v1/message/reply>.
///
/// The same app must have uploaded the image for messages. The body is compact JSON with the keys `msg_type`,
/// `content`, `reply_in_thread` for a reply in a thread, and `uuid`, in this order. `content` is JSON in a string.
///
/// # Errors
/// [`Code::MESSAGE_RECALLED`](crate::error::Code::MESSAGE_RECALLED),
/// [`Code::MESSAGE_NOT_FOUND`](crate::error::Code::MESSAGE_NOT_FOUND),
/// [`Code::MESSAGE_INVISIBLE`](crate::error::Code::MESSAGE_INVISIBLE),
/// [`Code::GROUP_WITHOUT_THREADS`](crate::error::Code::GROUP_WITHOUT_THREADS); and the errors of
/// [`SendImage`](crate::endpoints::SendImage), except
/// [`Code::RECEIVER_INVALID`](crate::error::Code::RECEIVER_INVALID).
///
/// ```
/// use lark_proto::values::{MessageId, MessageUuid};
/// use lark_proto::{EndpointExt, ImageKey, ReplyImage, Site, TenantToken};
///
/// let message = MessageId::new("om_dc13264520392913993dd051dba21dcf")?;
/// let uuid = MessageUuid::new("order-1234 label")?;
/// let key = ImageKey::new("img_v2_xxx")?;
/// let reply = ReplyImage::new(message, key, uuid).in_thread(true);
/// let request = reply.request(&Site::LARK, &TenantToken::new("t-7f1b")?);
/// assert_eq!(
///     request.body(),
///     concat!(
///         r#"{"msg_type":"image","#,
///         r#""content":"{\"image_key\":\"img_v2_xxx\"}","#,
///         r#""reply_in_thread":true,"uuid":"order-1234 label"}"#,
///     ),
/// );
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "im/v1/messages/:message_id/reply")]
#[doc(alias = "回复消息")]
pub struct ReplyImage {
    to: MessageId,
    message: ImageMessage,
    in_thread: bool,
}

impl ReplyImage {
    /// Replies with the image to the message `to`. Each reply needs a [`uuid`](MessageUuid) that no other message has.
    #[must_use]
    pub fn new(to: MessageId, image: ImageKey, uuid: MessageUuid) -> Self {
        Self { to, message: ImageMessage { image, uuid }, in_thread: false }
    }

    /// Sets whether the reply starts a thread. By default it does not. Each reply to a message in a thread is in that
    /// thread.
    #[must_use]
    #[doc(alias = "reply_in_thread")]
    #[doc(alias = "topic")]
    pub fn in_thread(mut self, in_thread: bool) -> Self {
        self.in_thread = in_thread;
        self
    }
}

impl Endpoint for ReplyImage {
    type Auth = TenantOrUser;
    type Output = MessageSent;

    fn method(&self) -> Method {
        Method::POST
    }

    fn route(&self) -> &str {
        "/open-apis/im/v1/messages/:message_id/reply"
    }

    fn path(&self) -> Path {
        Path::new(self.route()).segment(self.to.as_str())
    }

    fn payload(&self) -> Option<Payload> {
        let thread = if self.in_thread { r#""reply_in_thread":true,"# } else { "" };
        Some(self.message.payload("", thread))
    }

    /// As for [`SendImage`](crate::endpoints::SendImage): within an hour, the service carries out at most one of the
    /// requests with the same uuid.
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
