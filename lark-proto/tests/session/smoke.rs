use crate::sim::{Sim, after};
use http::Response;
use lark_proto::*;
use std::time::Duration;
#[test]
fn smoke() {
    let put = PutImage::message(Image::new("GIF89a").unwrap()).unwrap();
    let session = Session::new(Site::LARK, App::custom("cli_x", "s").unwrap());
    let mut sim: Sim<'_, ImageKey> = Sim::new(session, |_, request| {
        let reply = if request.uri().path().contains("/auth/") {
            r#"{"code":0,"tenant_access_token":"t-1","expire":7200}"#
        } else {
            r#"{"code":0,"data":{"image_key":"img_1"}}"#
        };
        after(Duration::from_millis(100), Response::new(reply.into()))
    });
    for _ in 0..1000 {
        sim.start(Call::new(&put).boxed());
    }
    sim.run();
    for at in 0..1000 {
        sim.result(at).as_ref().unwrap();
    }
    assert_eq!(sim.now, Duration::from_millis(200));
    println!("{} {}", sim.steps, sim.wakes);
}
