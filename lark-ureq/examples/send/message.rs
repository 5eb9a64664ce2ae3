//! A message as the journal keeps it, so that an interrupted run sends no second one.

use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use indicatif::HumanDuration;
use lark_proto::values::{MessageUuid, Receiver};
use lark_proto::{ImageKey, SendImage};
use serde::{Deserialize, Serialize};

use crate::tools::failure::Failure;

/// A message is sent again for this time. The service remembers its uuid for an hour.
const REMEMBERED: Duration = Duration::from_secs(50 * 60);

/// The deadline of a call that sends a message, so that the last attempt is within the hour.
pub(crate) const DEADLINE: Duration = Duration::from_secs(9 * 60);

/// What has to be known to send a message again.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Message {
    uuid: String,
    image_key: String,
    /// When the uuid was recorded, in seconds since 1970.
    time: u64,
}

impl Message {
    /// A message with a random uuid.
    pub(crate) fn new(image: &ImageKey) -> Self {
        // Each state has random keys.
        let uuid = format!("{:016x}", RandomState::new().hash_one(image));
        Self { uuid, image_key: image.to_string(), time: now().as_secs() }
    }

    /// The request that sends it. The error is for a damaged journal.
    pub(crate) fn to(&self, receiver: &Receiver) -> Result<SendImage, Failure> {
        let image = ImageKey::new(&self.image_key).map_err(|error| Failure::of_picture(&error))?;
        let uuid = MessageUuid::new(&self.uuid).map_err(|error| Failure::of_picture(&error))?;
        Ok(SendImage::new(receiver.clone(), image, uuid))
    }

    /// Whether the service still knows the uuid, so that the message can be sent again. The error tells how long ago it
    /// may have been sent.
    pub(crate) fn check_age(&self) -> Result<(), Failure> {
        let text = match now().checked_sub(Duration::from_secs(self.time)) {
            Some(age) if age <= REMEMBERED => return Ok(()),
            Some(age) => format!("it may have been sent {} ago", HumanDuration(age)),
            None => {
                "it may have been sent, at a time that this computer's clock has not reached".into()
            }
        };
        let text = format!("{text}; look into the chat, since it is not sent again");
        Err(Failure { is_open: true, ..Failure::of_picture(&text) })
    }
}

/// The time since 1970. It counts across runs.
#[expect(
    clippy::disallowed_methods,
    reason = "a run has no other way to know when another one was"
)]
fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
