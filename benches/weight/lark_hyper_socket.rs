//! The uploader on lark-hyper without features, over a socket of std.

mod socket;

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use hyper::service::service_fn;
use lark_hyper::lark_proto::{App, Image, PutImage};
use lark_hyper::{Client, TransportError};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let (site, file) = args.next().zip(args.next()).ok_or("uploader SITE FILE")?;
    let app = App::custom("cli_a1b2", "secret")?;
    let send = service_fn(async |request| Ok::<_, TransportError>(socket::send(request).await?));
    let client = Client::with_service(site.parse()?, app, send, Ticks);
    let image = Image::new(std::fs::read(file)?)?;
    println!("{}", socket::block_on(client.call(&PutImage::message(image)?))?);
    Ok(())
}

struct Ticks;

impl Timer for Ticks {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, until: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Until(until))
    }
}

struct Until(Instant);

impl Sleep for Until {}

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if Instant::now() < self.0 { Poll::Pending } else { Poll::Ready(()) }
    }
}
