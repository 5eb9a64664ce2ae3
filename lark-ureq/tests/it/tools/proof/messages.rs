//! `send_images` with a folder of pictures for one chat.

use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, Instant};

use lark_proto::fake::{ConnectionFault, FakeLark, Route};
use lark_proto::values::{MessageUuid, Receiver};
use lark_proto::{App, CreateImage, Image, Limits, SendImage};
use lark_ureq::{CallError, Client, FakeServer};

use super::chance::{Chance, Random};
use super::{Course, Figures, check_journal, moments, persist};
use crate::tools::support::{Folder, Tool, picture};

/// Pictures for a chat, and a service that takes them.
#[derive(Clone, Copy)]
struct Messages {
    pictures: usize,
    /// The time that a message takes.
    pace: Duration,
    /// The rate limit of messages.
    per_second: u32,
    chance: Chance,
}

impl Messages {
    fn serve(self) -> FakeServer {
        let Self { pace, chance, .. } = self;
        let mut lark = FakeLark::new();
        lark.rate_limit(Route::Messages, self.per_second);
        lark.fail_when(move |route, number| {
            let slow =
                || (route == Route::Messages).then(|| ConnectionFault::SlowReply(pace).into());
            chance.failure(route, number).or_else(slow)
        });
        FakeServer::start_on(0, lark).unwrap()
    }

    /// Sends the pictures, with kills at random moments.
    fn send(&self, server: &FakeServer, photos: &Path, kills: usize) -> Course {
        let mut random = Random(self.chance.seed);
        let kills = moments(kills, self.pictures, &mut random);
        let tool = || {
            Tool::new("send_images", server)
                .args([FakeLark::CHAT])
                .args([photos])
                .args(["--retry-failed"])
        };
        let begun = || server.with(|lark| lark.begun(Route::Messages));
        persist(tool, begun, &kills, self.pace, &mut random)
    }

    /// Checks that each picture is one message.
    fn check(&self, server: &FakeServer) {
        server.with(|lark| {
            let image = |key: &str| lark.image(key).unwrap().bytes.clone();
            let sent: Vec<_> = lark.messages().map(|message| image(&message.image_key)).collect();
            let pictures: Vec<_> = (1..=self.pictures).map(picture).collect();
            assert_eq!(sent.len(), pictures.len());
            if self.chance.per_mille == 0 {
                assert_eq!(sent, pictures);
            } else {
                // A picture that was refused is sent after the others.
                let sent: HashSet<_> = sent.into_iter().collect();
                assert_eq!(sent, pictures.into_iter().map(Into::into).collect());
            }
        });
    }

    /// One picture after the other, and each request once. Returns how many pictures did not arrive.
    fn naive(&self, server: &FakeServer) -> usize {
        let app = App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap();
        let client = Client::new(server.site().clone(), app).with_limits(Limits::one_attempt());
        let chat = Receiver::new(FakeLark::CHAT).unwrap();
        let send = |number: usize| -> Result<(), CallError> {
            let image = Image::new(picture(number)).unwrap();
            let key = client.call(&CreateImage::message(image).unwrap())?;
            let uuid = MessageUuid::new(&number.to_string()).unwrap();
            client.call(&SendImage::new(chat.clone(), key, uuid)).map(drop)
        };
        (1..=self.pictures).filter(|number| send(*number).is_err()).count()
    }
}

fn prove(messages: Messages) -> (FakeServer, Course) {
    let server = messages.serve();
    let folder = Folder::new();
    let photos = folder.pictures(messages.pictures);
    let course = messages.send(&server, &photos, 3);
    assert_eq!(course.kills, 3);
    messages.check(&server);
    check_journal(&folder.path("photos.send_images.journal"), messages.pictures);
    (server, course)
}

#[test]
fn each_picture_is_sent_once() {
    for per_mille in [0, 100] {
        let chance = Chance { seed: 16, per_mille };
        let pace = Duration::from_millis(5);
        let messages = Messages { pictures: 60, pace, per_second: 40, chance };
        let (server, course) = prove(messages);
        println!("{}", Figures::of("`send_images`", course, &server, chance, 0));
    }
}

/// The figures of the tool and of the naive loop.
pub(crate) fn figures() -> Vec<Figures> {
    let chance = Chance { seed: 16, per_mille: 30 };
    let pace = Duration::from_millis(50);
    let messages = Messages { pictures: 500, pace, per_second: 15, chance };
    let (server, course) = prove(messages);
    let tool = Figures::of("`send_images`, killed three times", course, &server, chance, 0);

    let server = messages.serve();
    let start = Instant::now();
    let failed = messages.naive(&server);
    let naive = Course { time: start.elapsed(), runs: 1, kills: 0 };
    vec![tool, Figures::of("one after the other, no retry", naive, &server, chance, failed)]
}
