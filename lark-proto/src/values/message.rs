//! The values of a message: its receiver, its uuid, and its id.

use crate::error::{Invalid, InvalidKind};
use crate::values::charset::{is_id, is_visible_ascii};
use crate::values::macros::{text, text_traits};

text! {
    /// The id of a message, such as `om_dc13264520392913993dd051dba21dcf`: `om_`, then letters, digits, `-` or `_`, at
    /// most 128 characters. The reply to a sent message contains it, and so does the event of a received message.
    pub struct MessageId: |text| is_id_after("om_", text), BadMessageId
}

text! {
    /// The idempotency key of a message, which the caller chooses: 1 to 50 characters, without control characters, and
    /// without white space at the start or the end.
    ///
    /// Within an hour, the service carries out at most one of the requests with the same uuid. Another request with
    /// this uuid sends nothing, whatever its content. Each message therefore needs a uuid that no other message has: a
    /// random UUID, or a text that names the message, such as `order-1234 shipped`. With the latter, a program that was
    /// restarted does not send the message twice.
    ///
    /// The vendor's page documents the limit in characters, and shows a text that is not a UUID.
    #[doc(alias = "去重")]
    pub struct MessageUuid: is_uuid, BadMessageUuid
}

fn is_uuid(text: &str) -> bool {
    (1..=50).contains(&text.chars().count())
        && text.trim() == text
        && !text.contains(char::is_control)
}

/// The group or the user that a message is sent to.
///
/// | text | [`id_type`](Self::id_type) | constructor |
/// |---|---|---|
/// | `oc_..`, a group, or a chat with a user | `chat_id` | [`chat`](Self::chat) |
/// | `ou_..`, a user's id in one app | `open_id` | [`open_id`](Self::open_id) |
/// | `on_..`, a user's id in all apps of one developer | `union_id` | [`union_id`](Self::union_id) |
/// | `tom@example.com`, a user's mail address | `email` | [`email`](Self::email) |
/// | `user_id:4c87bec3`, a user's id in the organisation | `user_id` | [`user_id`](Self::user_id) |
///
/// [`new`](Self::new) reads each of these texts. A user id may have any form, so its text begins with `user_id:`, which
/// is not sent. The app needs the scope `contact:user.employee_id:readonly` to send to a user id.
///
/// ```
/// use lark_proto::values::Receiver;
///
/// let receiver: Receiver = " oc_5ad11d72b830411d72b836c20\n".parse()?;
/// assert_eq!(receiver.id_type(), "chat_id");
/// assert_eq!(receiver.id(), "oc_5ad11d72b830411d72b836c20");
/// assert_eq!(Receiver::user_id("4c87bec3")?.as_str(), "user_id:4c87bec3");
/// assert!(Receiver::new("4c87bec3").is_err());
/// # Ok::<(), lark_proto::Invalid>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[doc(alias = "chat_id")]
#[doc(alias = "receive_id")]
#[doc(alias = "群聊")]
pub struct Receiver(String);

/// The prefix of a user id in a text.
const USER_ID: &str = "user_id:";

impl Receiver {
    /// The receiver that `text` names. White space around it is ignored.
    ///
    /// # Errors
    /// [`InvalidKind::BadReceiver`].
    pub fn new(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        match id_type(text) {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(Invalid::new(InvalidKind::BadReceiver, text)),
        }
    }

    /// The group or chat with this id, `oc_..`.
    ///
    /// # Errors
    /// [`InvalidKind::BadReceiver`] for a malformed id or one of another kind.
    pub fn chat(id: &str) -> Result<Self, Invalid> {
        Self::with_type("chat_id", id)
    }

    /// The user with this open id, `ou_..`. The same user has another open id in each app.
    ///
    /// # Errors
    /// [`InvalidKind::BadReceiver`] for a malformed id or one of another kind.
    pub fn open_id(id: &str) -> Result<Self, Invalid> {
        Self::with_type("open_id", id)
    }

    /// The user with this union id, `on_..`.
    ///
    /// # Errors
    /// [`InvalidKind::BadReceiver`] for a malformed id or one of another kind.
    pub fn union_id(id: &str) -> Result<Self, Invalid> {
        Self::with_type("union_id", id)
    }

    /// The user with this user id, which is given without `user_id:`: 1 to 64 visible ASCII characters.
    ///
    /// # Errors
    /// [`InvalidKind::BadReceiver`].
    pub fn user_id(id: &str) -> Result<Self, Invalid> {
        Self::with_type("user_id", &format!("{USER_ID}{id}"))
    }

    /// The user with this mail address.
    ///
    /// # Errors
    /// [`InvalidKind::BadReceiver`] for a malformed address or an id of another kind.
    pub fn email(address: &str) -> Result<Self, Invalid> {
        Self::with_type("email", address)
    }

    fn with_type(kind: &str, text: &str) -> Result<Self, Invalid> {
        match id_type(text) {
            Some(found) if found == kind => Ok(Self(text.to_owned())),
            _ => Err(Invalid::new(InvalidKind::BadReceiver, text)),
        }
    }

    /// The receiver as a text that [`new`](Self::new) reads.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as it is sent: the text, without `user_id:`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.0.strip_prefix(USER_ID).unwrap_or(&self.0)
    }

    /// The kind of the id, as the service names it: `chat_id`, `open_id`, `union_id`, `user_id` or `email`.
    #[must_use]
    pub fn id_type(&self) -> &'static str {
        // Every text that the constructors accept has a kind.
        id_type(&self.0).unwrap_or("chat_id")
    }
}

text_traits!(Receiver);

/// The kind of the id `text`; `None` if it is not the id of a receiver.
fn id_type(text: &str) -> Option<&'static str> {
    if let Some(id) = text.strip_prefix(USER_ID) {
        return is_visible_ascii(id, 64).then_some("user_id");
    }
    if text.contains('@') {
        return is_email(text).then_some("email");
    }
    let kinds = [("oc_", "chat_id"), ("ou_", "open_id"), ("on_", "union_id")];
    kinds.into_iter().find_map(|(prefix, kind)| is_id_after(prefix, text).then_some(kind))
}

/// Whether `text` is `prefix` and at least one more character of an id, 128 in all at most.
fn is_id_after(prefix: &str, text: &str) -> bool {
    is_id(text, 128) && text.starts_with(prefix) && text.len() > prefix.len()
}

/// Whether `text` is a mail address of at most 254 ASCII characters, without comments, quotes and address literals.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_local =
        |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&byte);
    let is_domain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    text.len() <= 254
        && local.split('.').all(|word| !word.is_empty() && word.bytes().all(is_local))
        && domain.split('.').all(|label| !label.is_empty() && label.bytes().all(is_domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In each line a text, the kind of its id, and the id that is sent; `-` for a text that is refused.
    const RECEIVERS: &str = "
oc_5ad11d72b830411d72b836c20 | chat_id | oc_5ad11d72b830411d72b836c20
ou_7d8a6e6df7621556ce0d21922b676706ccs | open_id | ou_7d8a6e6df7621556ce0d21922b676706ccs
on_94a1ee5551019f18cd73d9f111898cf2 | union_id | on_94a1ee5551019f18cd73d9f111898cf2
oc_ | - | -
oc_a/b | - | -
oc_图 | - | -
OC_a | - | -
om_a | - | -
omt_a | - | -
img_v3_a | - | -
cli_a | - | -
4c87bec3 | - | -
user_id:4c87bec3 | user_id | 4c87bec3
user_id:oc_a | user_id | oc_a
user_id:tom@example.com | user_id | tom@example.com
user_id: | - | -
user_id:a b | - | -
user_id:图 | - | -
User_id:a | - | -
tom@example.com | email | tom@example.com
oc_a@example.com | email | oc_a@example.com
t.o-m+a@mail-1 | email | t.o-m+a@mail-1
!#$%&'*+-/=?^_`{|}~@example.com | email | !#$%&'*+-/=?^_`{|}~@example.com
tom@exa_mple.com | - | -
tom.@example.com | - | -
tom@example.com. | - | -
@example.com | - | -
tom@ | - | -
tom@@example.com | - | -
tom@example..com | - | -
.tom@example.com | - | -
tom a@example.com | - | -
Tom <tom@example.com> | - | -
mailto:tom@example.com | - | -
tom@example.com,ann@example.com | - | -
汤姆@example.com | - | -
";

    #[test]
    fn the_form_of_a_text_determines_the_kind_of_the_receiver() {
        for row in RECEIVERS.lines().filter(|row| !row.is_empty()) {
            let [text, kind, id] = row.split(" | ").collect::<Vec<_>>()[..] else {
                panic!("{row}")
            };
            for pasted in [text, &format!(" {text}\r\n")] {
                match Receiver::new(pasted) {
                    Ok(receiver) => {
                        assert_eq!((receiver.id_type(), receiver.id()), (kind, id), "{row}");
                        assert_eq!(receiver.as_str(), text, "{row}");
                    }
                    Err(error) => {
                        assert_eq!((error.kind(), kind), (InvalidKind::BadReceiver, "-"), "{row}");
                    }
                }
            }
        }
        let error = Receiver::new("4c87bec3").unwrap_err().to_string();
        assert!(error.starts_with("`4c87bec3` is not the id of a receiver"), "{error}");
    }

    #[test]
    fn a_constructor_accepts_only_ids_of_its_kind() {
        type New = fn(&str) -> Result<Receiver, Invalid>;
        let constructors: [(New, &str); 4] = [
            (Receiver::chat, "chat_id"),
            (Receiver::open_id, "open_id"),
            (Receiver::union_id, "union_id"),
            (Receiver::email, "email"),
        ];
        for (new, kind) in constructors {
            for row in RECEIVERS.lines().filter(|row| !row.is_empty()) {
                let [text, of, id] = row.split(" | ").collect::<Vec<_>>()[..] else {
                    panic!("{row}")
                };
                let made = new(text).map(|made| (made.id_type(), made.id().to_owned()));
                let expected = (of == kind).then(|| (kind, id.to_owned()));
                assert_eq!(made.ok(), expected, "{kind} {row}");
                let error = new(&format!("{text} ")).unwrap_err();
                assert_eq!(error.kind(), InvalidKind::BadReceiver, "{kind} {row}");
            }
        }
    }

    #[test]
    fn a_user_id_has_1_to_64_visible_ascii_characters() {
        let long = "x".repeat(64);
        assert_eq!(Receiver::user_id(&long).unwrap().id(), long);
        assert_eq!(Receiver::user_id("user_id:a").unwrap().id(), "user_id:a");
        for bad in ["", "a b", "a\n", "图", &"x".repeat(65)] {
            let error = Receiver::user_id(bad).unwrap_err();
            assert_eq!(error.kind(), InvalidKind::BadReceiver, "{bad}");
        }
    }

    #[test]
    fn an_id_has_at_most_128_characters_and_an_address_254() {
        for (text, is_accepted) in [
            (format!("oc_{}", "a".repeat(125)), true),
            (format!("oc_{}", "a".repeat(126)), false),
            (format!("{}@example.com", "a".repeat(242)), true),
            (format!("{}@example.com", "a".repeat(243)), false),
        ] {
            assert_eq!(Receiver::new(&text).is_ok(), is_accepted, "{text}");
        }
    }

    #[test]
    fn a_message_id_begins_with_om() {
        let longest = format!("om_{}", "a".repeat(125));
        for text in
            ["om_dc13264520392913993dd051dba21dcf", "om_x100b58f374b97c94b321d7479c50509", &longest]
        {
            assert_eq!(MessageId::new(text).unwrap().as_str(), text);
        }
        let too_long = format!("{longest}a");
        for bad in [
            "",
            "om_",
            "om",
            "omt_d4be107c616a",
            "oc_a",
            "om_a/b",
            "om_..",
            " om_a",
            "om_图",
            &too_long,
        ] {
            let error = MessageId::new(bad).expect_err(bad);
            assert_eq!(error.kind(), InvalidKind::BadMessageId, "{bad}");
        }
    }

    #[test]
    fn a_uuid_has_1_to_50_characters() {
        let sample = "选填，每次调用前请更换，如a0d69e20-1dd1-458b-k525-dfeca4015204";
        assert_eq!((sample.chars().count(), sample.len()), (49, 75));
        for text in [sample, "a", "order-1234 shipped", "\"\\", &"图".repeat(50)] {
            assert_eq!(MessageUuid::new(text).unwrap().as_str(), text);
        }
        for bad in ["", " ", " a", "a ", "a\n", "a\0b", "\u{a0}", &"图".repeat(51)] {
            let error = MessageUuid::new(bad).expect_err(bad);
            assert_eq!(error.kind(), InvalidKind::BadMessageUuid, "{bad:?}");
        }
    }
}
