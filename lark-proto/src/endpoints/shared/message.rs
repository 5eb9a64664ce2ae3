//! A message with an image: the body, the quota and the result of the endpoints that send it.

use std::time::{Duration, SystemTime};

use crate::api::{Payload, Quota, Reply, Resend, Text, lenient};
use crate::error::Error;
use crate::text::json_string;
use crate::values::{ImageKey, MessageId, MessageUuid};

/// A message with an image.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ImageMessage {
    pub(crate) image: ImageKey,
    pub(crate) uuid: MessageUuid,
}

impl ImageMessage {
    /// The quota on the pages of both endpoints, without the limit of 5 messages a second to one user or group.
    pub(crate) const QUOTA: Quota = Quota::per_second(50).and_per_minute(1000);

    /// A message is idempotent for an hour, because the service remembers its uuid for that time.
    pub(crate) const RESEND: Resend = Resend::SafeFor(Duration::from_secs(60 * 60));

    /// Compact JSON with these members: those in `first`, `msg_type`, `content`, those in `then`, `uuid`.
    pub(crate) fn payload(&self, first: &str, then: &str) -> Payload {
        let key = json_string(self.image.as_str());
        // The content is JSON in a string.
        let content = json_string(&format!(r#"{{"image_key":{key}}}"#));
        let uuid = json_string(self.uuid.as_str());
        Payload::json(format!(
            r#"{{{first}"msg_type":"image","content":{content},{then}"uuid":{uuid}}}"#
        ))
    }
}

/// The reply to a message that was sent. The texts are bounded and free of control characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct MessageSent {
    /// The id of the message.
    pub message_id: MessageId,
    /// The chat of the message, `oc_..`. A message to a user has one too.
    pub chat_id: Option<String>,
    /// The time at which the service created the message.
    pub create_time: Option<SystemTime>,
    /// The message to which this one is a reply. In a thread it is always the first message of the thread.
    pub parent_id: Option<MessageId>,
    /// The first message in the chain of replies.
    pub root_id: Option<MessageId>,
    /// The thread of the message, `omt_..`.
    pub thread_id: Option<String>,
}

impl MessageSent {
    /// Reads the reply. A success without the id of the message is unreadable.
    pub(crate) fn read(reply: &Reply) -> Result<Self, Error> {
        #[derive(serde::Deserialize)]
        struct Data {
            message_id: MessageId,
            #[serde(default, deserialize_with = "lenient")]
            chat_id: Option<Text>,
            #[serde(default, deserialize_with = "lenient")]
            create_time: Option<Text>,
            #[serde(default, deserialize_with = "lenient")]
            parent_id: Option<MessageId>,
            #[serde(default, deserialize_with = "lenient")]
            root_id: Option<MessageId>,
            #[serde(default, deserialize_with = "lenient")]
            thread_id: Option<Text>,
        }
        let data: Data = reply.data()?;
        let some = |text: Option<Text>| text.map(|text| text.0).filter(|text| !text.is_empty());
        // The time is in milliseconds since 1970, in a string of digits.
        let time = |text: String| {
            if text.starts_with('+') {
                return None;
            }
            let since = Duration::from_millis(text.parse().ok()?);
            SystemTime::UNIX_EPOCH.checked_add(since)
        };
        Ok(Self {
            message_id: data.message_id,
            chat_id: some(data.chat_id),
            create_time: some(data.create_time).and_then(time),
            parent_id: data.parent_id,
            root_id: data.root_id,
            thread_id: some(data.thread_id),
        })
    }
}
