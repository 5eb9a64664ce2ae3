//! Messages with an image, and the chats that they are sent to.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};

use super::upload::{ImageKind, StoredImage};
use crate::fake::latest::Latest;
use crate::fake::readers::header;
use crate::fake::readers::json::object;
use crate::fake::reply::Refusal;

/// A message that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredMessage {
    /// Its id, `om_..`.
    pub message_id: String,
    /// The chat that it is in, `oc_..`.
    pub chat_id: String,
    /// The receiver's id in the request. It is `None` for a reply.
    pub receive_id: Option<String>,
    /// The key of the image.
    pub image_key: String,
    /// The uuid, if the request had one.
    pub uuid: Option<String>,
    /// The id of the message that it replies to.
    pub reply_to: Option<String>,
    /// The id of the message that its chain of replies begins with, if it is a reply.
    pub root_id: Option<String>,
    /// The id of its thread, `omt_..`. The first message of a thread belongs to the thread too.
    pub thread_id: Option<String>,
    /// The time at which it was sent.
    pub time: SystemTime,
}

/// The ids of the bot and of the one user, which requests and replies name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ids {
    pub(crate) app_id: &'static str,
    pub(crate) tenant_key: &'static str,
    pub(crate) open_id: &'static str,
    pub(crate) union_id: &'static str,
    pub(crate) user_id: &'static str,
    pub(crate) email: &'static str,
}

/// The chat of the bot with the user.
const USER_CHAT: &str = "oc_84983ff6516d731e5b5f68d4ea2e1da5";
/// The documented maximum number of characters in a uuid.
const MAX_UUID: usize = 50;
/// How long the service remembers a uuid, as documented.
const UUID_LIFETIME: Duration = Duration::from_secs(60 * 60);

#[derive(Clone, Debug)]
pub(crate) struct Messages {
    ids: Ids,
    chats: BTreeSet<String>,
    /// The messages by their ids.
    sent: Latest<StoredMessage>,
    /// How many messages were sent.
    count: u64,
    /// The id of the latest message in `sent` with each uuid.
    uuids: BTreeMap<String, String>,
}

/// A body. Each field is checked by itself, because each has a refusal of its own.
#[derive(Deserialize)]
struct Body {
    receive_id: Option<Value>,
    msg_type: Option<Value>,
    content: Option<Value>,
    reply_in_thread: Option<Value>,
    uuid: Option<Value>,
}

/// A request to send or to reply, and the state that it is checked against.
pub(crate) struct Request<'a> {
    pub(crate) now: SystemTime,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
    pub(crate) images: &'a BTreeMap<String, StoredImage>,
    /// The app whose token was sent, if the fake knows it.
    pub(crate) app: Option<&'static str>,
}

impl Request<'_> {
    fn read(&self) -> Result<Body, Refusal> {
        let malformed = |error: String| Refusal::with_400(9499, format!("Bad Request: {error}"));
        header::expect_json(self.headers).map_err(malformed)?;
        object(self.body).map_err(|error| malformed(error.to_string()))
    }

    /// Whether the app may send the image with this key.
    fn owns(&self, key: &str) -> bool {
        self.images.get(key).is_some_and(|image| {
            let is_own = image.app_id.is_none() || self.app.is_none() || image.app_id == self.app;
            image.kind == ImageKind::Message && is_own
        })
    }
}

impl Body {
    /// The key of the image in the message, and the uuid. An empty uuid counts as none.
    fn image_and_uuid(&self, request: &Request<'_>) -> Result<(String, Option<String>), Refusal> {
        #[derive(Deserialize)]
        struct Content {
            image_key: String,
        }
        let uuid = match &self.uuid {
            None => None,
            Some(Value::String(uuid)) if uuid.chars().count() <= MAX_UUID => Some(uuid.clone()),
            Some(Value::String(_)) => return Err(Refusal::field("uuid", "the max len is 50")),
            Some(_) => return Err(Refusal::field("uuid", "it is not a string")),
        };
        if text("msg_type", self.msg_type.as_ref())? != "image" {
            return Err(invalid("invalid msg_type, the fake takes images only"));
        }
        let content = match &self.content {
            None => return Err(Refusal::field("content", "content is required")),
            Some(Value::String(content)) => object::<Content>(content.as_bytes()).ok(),
            Some(_) => None,
        };
        let key = content.ok_or_else(|| invalid("invalid message content"))?.image_key;
        if !request.owns(&key) {
            return Err(Refusal::with_400(230017, "Bot is NOT the owner of the resource."));
        }
        Ok((key, uuid.filter(|uuid| !uuid.is_empty())))
    }
}

impl Messages {
    /// No messages yet. The bot is in the group `chat`, and has a chat with the user.
    /// At most `max` messages will be known.
    pub(crate) fn new(ids: Ids, chat: &str, max: usize) -> Self {
        let chats = BTreeSet::from([chat, USER_CHAT].map(str::to_owned));
        Self { ids, chats, sent: Latest::new(max), count: 0, uuids: BTreeMap::new() }
    }

    pub(crate) fn add_chat(&mut self, id: &str) {
        self.chats.insert(id.to_owned());
    }

    pub(crate) fn sent(&self) -> impl Iterator<Item = &StoredMessage> {
        self.sent.entries().values()
    }

    /// Answers a request to send a message.
    pub(crate) fn send(
        &mut self,
        id_type: Option<&str>,
        request: &Request<'_>,
    ) -> Result<Value, Refusal> {
        let required = || Refusal::field("receive_id_type", "receive_id_type is required");
        let id_type = id_type.filter(|id_type| !id_type.is_empty()).ok_or_else(required)?;
        // The values of `receive_id_type`, and for each the prefix of its ids and the id of the user.
        let receivers = [
            ("open_id", "ou_", Some(self.ids.open_id)),
            ("union_id", "on_", Some(self.ids.union_id)),
            ("user_id", "", Some(self.ids.user_id)),
            ("email", "", Some(self.ids.email)),
            ("chat_id", "oc_", None),
        ];
        let Some((_, prefix, user)) = receivers.iter().find(|(name, ..)| *name == id_type) else {
            let options = receivers.map(|(name, ..)| name).join(",");
            return Err(Refusal::field("receive_id_type", format!("options: [{options}]")));
        };
        let body = request.read()?;
        let id = text("receive_id", body.receive_id.as_ref())?;
        let (image_key, uuid) = body.image_and_uuid(request)?;
        if !id.starts_with(prefix) || (id_type == "email" && !id.contains('@')) {
            return Err(invalid("invalid receive_id"));
        }
        let chat = match *user {
            None => id,
            Some(user) if id == user => USER_CHAT,
            Some(_) => return Err(Refusal::with_400(230034, "The receive_id is invalid.")),
        };
        if !self.chats.contains(chat) {
            return Err(Refusal::with_400(230002, "Bot/User can NOT be out of the chat."));
        }
        if let Some(earlier) = self.earlier(request.now, uuid.as_ref()) {
            return Ok(self.answer(earlier));
        }
        Ok(self.store(StoredMessage {
            message_id: self.next_id(),
            chat_id: chat.to_owned(),
            receive_id: Some(id.to_owned()),
            image_key,
            uuid,
            reply_to: None,
            root_id: None,
            thread_id: None,
            time: request.now,
        }))
    }

    /// Answers a request to reply to the message `to`.
    pub(crate) fn reply(&mut self, to: &str, request: &Request<'_>) -> Result<Value, Refusal> {
        if !to.starts_with("om_") {
            let msg = "The request you send is not a valid {open_message_id} or not exists";
            return Err(Refusal::with_400(99992354, msg));
        }
        let body = request.read()?;
        let (image_key, uuid) = body.image_and_uuid(request)?;
        let in_thread = match body.reply_in_thread {
            None => false,
            Some(Value::Bool(in_thread)) => in_thread,
            Some(_) => return Err(Refusal::field("reply_in_thread", "it is not a boolean")),
        };
        let message_id = self.next_id();
        if let Some(earlier) = self.earlier(request.now, uuid.as_ref()) {
            return Ok(self.answer(earlier));
        }
        let Some(parent) = self.sent.get_mut(to) else {
            let msg = "The message is not found, maybe not exist or deleted.";
            return Err(Refusal::with_400(231003, msg));
        };
        if in_thread && parent.thread_id.is_none() {
            parent.thread_id = Some(message_id.replacen("om_", "omt_", 1));
        }
        let message = StoredMessage {
            message_id,
            chat_id: parent.chat_id.clone(),
            receive_id: None,
            image_key,
            uuid,
            reply_to: Some(to.to_owned()),
            root_id: Some(parent.root_id.as_ref().unwrap_or(&parent.message_id).clone()),
            thread_id: parent.thread_id.clone(),
            time: request.now,
        };
        Ok(self.store(message))
    }

    /// The id of the next message. The ids are numbered in ascending order, so their order is the order of sending.
    fn next_id(&self) -> String {
        format!("om_{:032x}", self.count.saturating_add(1))
    }

    /// The message with this uuid, if it was sent within the last hour.
    fn earlier(&self, now: SystemTime, uuid: Option<&String>) -> Option<&StoredMessage> {
        let message = self.sent.get(self.uuids.get(uuid?)?)?;
        // If the clock was set back, the service still knows the uuid.
        let age = now.duration_since(message.time).unwrap_or_default();
        (age < UUID_LIFETIME).then_some(message)
    }

    /// Stores a message, and returns its reply.
    fn store(&mut self, message: StoredMessage) -> Value {
        let reply = self.answer(&message);
        if let Some(uuid) = &message.uuid {
            self.uuids.insert(uuid.clone(), message.message_id.clone());
        }
        self.count = self.count.saturating_add(1);
        if let Some((_, oldest)) = self.sent.insert(message.message_id.clone(), message) {
            self.forget_uuid(&oldest);
        }
        reply
    }

    /// Knows at most `max` messages from now on.
    pub(crate) fn set_max(&mut self, max: usize) {
        for (_, message) in self.sent.set_max(max) {
            self.forget_uuid(&message);
        }
    }

    /// Forgets the uuid of a message that was dropped, unless a later message has it too.
    fn forget_uuid(&mut self, dropped: &StoredMessage) {
        let Some(uuid) = &dropped.uuid else { return };
        if self.uuids.get(uuid) == Some(&dropped.message_id) {
            self.uuids.remove(uuid);
        }
    }

    /// The reply, with the members of the vendor's sample that a message with an image has.
    fn answer(&self, message: &StoredMessage) -> Value {
        let since = message.time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let time = since.as_millis().to_string();
        let mut data = json!({
            "body": {"content": json!({"image_key": message.image_key}).to_string()},
            "chat_id": message.chat_id,
            "create_time": time,
            "deleted": false,
            "message_id": message.message_id,
            "msg_type": "image",
            "sender": {
                "id": self.ids.app_id,
                "id_type": "app_id",
                "sender_type": "app",
                "tenant_key": self.ids.tenant_key,
            },
            "update_time": time,
            "updated": false,
        });
        // In a thread, the parent is the first message of the thread.
        let in_thread = message.reply_to.is_some() && message.thread_id.is_some();
        let parent = if in_thread { &message.root_id } else { &message.reply_to };
        if let Some(data) = data.as_object_mut() {
            for (name, id) in [
                ("parent_id", parent),
                ("root_id", &message.root_id),
                ("thread_id", &message.thread_id),
            ] {
                data.extend(id.as_ref().map(|id| (name.to_owned(), id.clone().into())));
            }
        }
        json!({"code": 0, "data": data, "msg": "success"})
    }
}

/// The text of a required field.
fn text<'v>(name: &'static str, value: Option<&'v Value>) -> Result<&'v str, Refusal> {
    match value {
        Some(Value::String(text)) if !text.is_empty() => Ok(text),
        None | Some(Value::String(_)) => Err(Refusal::field(name, format!("{name} is required"))),
        Some(_) => Err(Refusal::field(name, "it is not a string")),
    }
}

/// The service's refusal of a parameter.
fn invalid(ext: &str) -> Refusal {
    let msg = format!("Your request contains an invalid request parameter, ext={ext}.");
    Refusal::with_400(230001, msg)
}
